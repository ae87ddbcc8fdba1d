"""Where a killed training goes on from: `.resume/<fingerprint>/`, one folder for each (params, data, code).

Not an output of DVC's: an output that persists would let a changed seed go on from old weights.
"""

import math
import os
import shutil
from pathlib import Path
from typing import Any

from torch import Tensor

from stages.common.checkpoint import read_checkpoint, write_checkpoint
from stages.common.errors import UserError
from stages.common.files import link_or_copy, read_json, replacing_directory, write_bytes, write_json
from stages.common.identity import code_digest, fingerprint_of

__all__ = ["Resume", "State", "code_digest", "fingerprint_of", "images_of"]

_REMEMBERED = 3

State = tuple[dict[str, Tensor], dict[str, Any]]
"""Tensors by name, and facts that fit in JSON, among them `images_seen`."""


class Resume:
    """The states of one training: `kept` ones to be measured, and the latest `rolling` one."""

    def __init__(self, root: str | Path, identity: dict[str, Any]) -> None:
        self.identity = identity
        self.fingerprint = fingerprint_of(identity)
        self.folder = Path(root) / self.fingerprint[:16]
        for name in ("kept", "rolling", "grids"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        write_json(self.folder / "identity.json", identity)
        os.utime(self.folder)
        _forget_oldest(Path(root))

    def latest(self, images: int) -> State | None:
        """Tensors and facts of the latest state that saw at most `images` images; None where there is none.

        Raises UserError where that file is damaged, or was made by another training.
        """
        path = self.newest(images)
        return None if path is None else self.read(path)

    def read(self, path: str | Path) -> State:
        """A state of this training in any file. Raises UserError likewise."""
        tensors, facts = read_checkpoint(path)
        if facts["fingerprint"] != self.fingerprint:
            raise UserError(f"{path} was made with other params, data or code: remove it and run again")
        return tensors, facts

    def newest(self, images: float = math.inf) -> Path | None:
        """The file of the latest state that saw at most `images` images; None where there is none."""
        files = [*(self.folder / "kept").glob("*.safetensors"), *(self.folder / "rolling").glob("*.safetensors")]
        return max((path for path in files if images_of(path) <= images), key=images_of, default=None)

    def differing(self, params: set[str]) -> dict[str, tuple[Any, Any]] | None:
        """Where states are of a training that differs in no more than `params`: what of those it has, and this one."""
        for folder in self.folder.parent.iterdir():
            other = folder / "identity.json"
            if folder == self.folder or not other.exists() or not list(folder.glob("*/*.safetensors")):
                continue
            found = _differences(read_json(other), self.identity)
            if found is not None and found.keys() <= params:
                return found
        return None

    def draw(self, images: int, grid_png: bytes) -> None:
        """Save the picture of a state; before the state itself, so that each state has one."""
        write_bytes(self.folder / "grids" / f"{_name(images)}.png", grid_png)

    def keep(self, state: State) -> None:
        """Save a state to be measured."""
        self._write("kept", state)

    def roll(self, state: State) -> None:
        """Save a state to go on from, in place of the one before."""
        before = list((self.folder / "rolling").glob("*.safetensors"))
        written = self._write("rolling", state)
        for path in before:
            if path != written:
                path.unlink()

    def place(self, final: int, checkpoints: str | Path, grids: str | Path) -> None:
        """Put the kept states up to `final` images, and the state at `final`, where the pipeline wants them."""
        states = [path for path in (self.folder / "kept").iterdir() if images_of(path) < final]
        states += [next(self.folder.glob(f"*/{_name(final)}.safetensors"))]
        with replacing_directory(checkpoints) as folder:
            for path in states:
                link_or_copy(path, folder / path.name)
        with replacing_directory(grids) as folder:
            for path in states:
                link_or_copy(self.folder / "grids" / f"{path.stem}.png", folder / f"{path.stem}.png")

    def _write(self, kind: str, state: State) -> Path:
        tensors, facts = state
        path = self.folder / kind / f"{_name(facts['images_seen'])}.safetensors"
        write_checkpoint(path, tensors, {**facts, "fingerprint": self.fingerprint})
        return path


def adopt(root: Path, checkpoints: Path, grids: Path) -> int | None:
    """Take the states that a colleague's training left in the pipeline's outputs for ones to go on from.

    Each says in itself which training made it, so that no other goes on from it. Returns the images that the last
    one has seen; None where there are none.
    """
    states = sorted(checkpoints.glob("images-*.safetensors"), key=images_of)
    for path in states:
        folder = root / read_checkpoint(path)[1]["fingerprint"][:16]
        picture = grids / f"{path.stem}.png"
        for source, place in [(path, folder / "kept" / path.name), (picture, folder / "grids" / picture.name)]:
            place.parent.mkdir(parents=True, exist_ok=True)
            if source.exists() and not place.exists():
                link_or_copy(source, place)
    return images_of(states[-1]) if states else None


def _differences(before: dict[str, Any], now: dict[str, Any]) -> dict[str, tuple[Any, Any]] | None:
    """The params that differ; None where the training differs in something else."""
    if {**before, "params": None} != {**now, "params": None}:
        return None
    old, new = before["params"], now["params"]
    return {key: (old.get(key), new.get(key)) for key in {**old, **new} if old.get(key) != new.get(key)}


def _name(images: int) -> str:
    return f"images-{images:09d}"


def images_of(path: Path) -> int:
    """The images that the state in this file has seen."""
    return int(path.stem.removeprefix("images-"))


def _forget_oldest(root: Path) -> None:
    ours = root.glob("[0-9a-f]" * 16)  # other stages keep theirs under their names
    for folder in sorted(ours, key=lambda path: path.stat().st_mtime)[:-_REMEMBERED]:
        shutil.rmtree(folder)
