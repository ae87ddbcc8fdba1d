"""The states from which a killed training resumes: `.resume/<fingerprint>/`, a folder for each (params, data, code).

It is no output of DVC: an output that persists would let a changed seed resume from old weights.
"""

import math
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from stages.common.checkpoint import read_checkpoint, write_checkpoint
from stages.common.energy import Cost
from stages.common.errors import UserError
from stages.common.files import fingerprint_of, link_or_copy, read_json, replacing_directory, write_bytes, write_json
from stages.common.nested import flat
from stages.common.provenance import git_state

_REMEMBERED = 3
_IDENTITY, _COST, _GIT = "identity.json", "cost.json", "git.json"

State = tuple[dict[str, Tensor], dict[str, Any]]
"""Tensors by name, and facts that fit in JSON, among them `images_seen`."""


@dataclass(frozen=True)
class Former:
    """Another training that left states, and how it differs from the training that begins."""

    folder: Path
    images: int
    """Images that its last state has seen."""
    params: dict[str, tuple[Any, Any]]
    """Differing params by dotted name: its value, and this training's value."""
    others: list[str]
    """What else differs: `data`, `code`, `torch`."""
    modules: list[str]
    """The modules whose code has changed."""
    git: dict[str, Any]
    """The state of git as it began (`git_state`); empty if it was not noted."""


class Resume:
    """The states of one training: `kept` states, which are measured, and the latest `rolling` state."""

    def __init__(self, root: str | Path, identity: dict[str, Any]) -> None:
        self.identity = identity
        self.fingerprint = fingerprint_of(identity)
        self.folder = Path(root) / self.fingerprint[:16]
        for name in ("kept", "rolling", "grids"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        write_json(self.folder / _IDENTITY, identity)
        if not (self.folder / _GIT).exists():
            write_json(self.folder / _GIT, git_state())
        os.utime(self.folder)
        _forget_oldest(Path(root))

    def latest(self, images: int) -> State | None:
        """Tensors and facts of the latest state that saw at most `images` images; None if there is none.

        Raises UserError if its file is damaged, or was made by another training.
        """
        path = self.newest(images)
        return None if path is None else self.read(path)

    def read(self, path: str | Path) -> State:
        """A state of this training in any file. Raises UserError as `latest` does."""
        tensors, facts = read_checkpoint(path)
        if facts["fingerprint"] != self.fingerprint:
            raise UserError(
                "resume-state-of-another-run",
                f"{path} was made with other params, data or code: keep it elsewhere, and run again",
            )
        return tensors, facts

    def kept(self, images: int) -> int:
        """How many kept states have seen at most `images` images."""
        return sum(images_at(path) <= images for path in (self.folder / "kept").glob("*.safetensors"))

    def newest(self, images: float = math.inf) -> Path | None:
        """The file of the latest state that saw at most `images` images; None if there is none."""
        return max((path for path in _states(self.folder) if images_at(path) <= images), key=images_at, default=None)

    def former(self) -> Former | None:
        """The last other training that left states; None if there is none."""
        trainings = [path for path in _trainings(self.folder.parent) if (path / _IDENTITY).exists()]
        others = [path for path in trainings if path != self.folder and _states(path)]
        if not others:
            return None
        folder = others[-1]
        before, now = read_json(folder / _IDENTITY), self.identity
        old, new = flat(before["params"]), flat(now["params"])
        params = {key: (old.get(key), new.get(key)) for key in {**old, **new} if old.get(key) != new.get(key)}
        parts = [name for name in now if name != "params" and _differs(before.get(name), now[name], bool(params))]
        modules = _differing(before.get("code", {}), now["code"]) if "code" in parts else []
        git = read_json(folder / _GIT) if (folder / _GIT).exists() else {}
        return Former(folder, images_at(_states(folder)[-1]), params, parts, modules, git)

    def cost(self, images: int) -> Cost:
        """The cost of the training up to the state that saw `images`; zero if it was not noted, as in a colleague's."""
        path = self.folder / _COST
        noted = read_json(path) if path.exists() else {}
        return Cost(**noted.get(str(images), {}))

    def note(self, images: int, cost: Cost) -> None:
        """Note the cost up to a state that is about to be saved, beside the states, whose bytes have no times."""
        path = self.folder / _COST
        noted = read_json(path) if path.exists() else {}
        there = {str(images_at(state)) for state in _states(self.folder)}
        write_json(path, {key: value for key, value in noted.items() if key in there} | {str(images): asdict(cost)})

    def how_to_resume(self) -> str:
        """A sentence on what is kept, and how to resume, for a user who stops the work."""
        last = self.newest()
        if last is None:
            return "none of it was saved yet, so the same command begins anew"
        return f"the same command goes on from {images_at(last):,} images, saved in {self.folder}"

    def draw(self, images: int, grid_png: bytes) -> None:
        """Save the picture of a state, before the state itself, so that each state has a picture."""
        write_bytes(self.folder / "grids" / f"{_name(images)}.png", grid_png)

    def keep(self, state: State) -> None:
        """Save a state that is kept and measured."""
        self._write("kept", state)

    def roll(self, state: State) -> None:
        """Save a state to resume from, in place of the last one."""
        before = list((self.folder / "rolling").glob("*.safetensors"))
        written = self._write("rolling", state)
        for path in before:
            if path != written:
                path.unlink()

    def forget(self) -> None:
        """Remove the states of finished work."""
        shutil.rmtree(self.folder)

    def place(self, final: int, checkpoints: str | Path, grids: str | Path) -> None:
        """Put the kept states up to `final` images, and the state at `final`, in the pipeline's outputs."""
        states = [path for path in (self.folder / "kept").iterdir() if images_at(path) < final]
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
    """Take states of a colleague's training, found in the pipeline's outputs, as states to resume from.

    Each state contains which training made it, so that no other resumes from it. Returns the images that the last state
    has seen; None if there are none.
    """
    states = sorted(checkpoints.glob("images-*.safetensors"), key=images_at)
    for path in states:
        folder = root / read_checkpoint(path)[1]["fingerprint"][:16]
        picture = grids / f"{path.stem}.png"
        for source, place in [(path, folder / "kept" / path.name), (picture, folder / "grids" / picture.name)]:
            place.parent.mkdir(parents=True, exist_ok=True)
            if source.exists() and not place.exists():
                link_or_copy(source, place)
    return images_at(states[-1]) if states else None


def _differs(before: Any, now: Any, params: bool) -> bool:
    """Whether a part of the identity differs; modules that only different params add or leave out do not count."""
    if params and isinstance(before, dict) and isinstance(now, dict):
        return any(before[name] != now[name] for name in before.keys() & now.keys())
    return bool(before != now)


def _differing(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """The modules that both have and that differ; if there are none, those that one of them lacks."""
    both = before.keys() & now.keys()
    return sorted(name for name in both if before[name] != now[name]) or sorted(before.keys() ^ now.keys())


def _states(folder: Path) -> list[Path]:
    """The states in the folder of a training, sorted by the images that they saw."""
    return sorted(folder.glob("*/images-*.safetensors"), key=images_at)


def _trainings(root: Path) -> list[Path]:
    """The folders of the trainings, the latest at the end; other stages have folders under their names."""
    return sorted(root.glob("[0-9a-f]" * 16), key=lambda path: path.stat().st_mtime)


def _name(images: int) -> str:
    return f"images-{images:09d}"


def images_at(path: Path) -> int:
    """The images that the state in this file has seen."""
    return int(path.stem.removeprefix("images-"))


def _forget_oldest(root: Path) -> None:
    for folder in _trainings(root)[:-_REMEMBERED]:
        shutil.rmtree(folder)
