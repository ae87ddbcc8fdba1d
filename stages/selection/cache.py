"""A cache of measurements, in a folder that git ignores: `.measure/<subject>/<key>`.

Every name is a digest of all that decides the content, including the code that computes it, so no entry is ever stale.
Files are written whole or not at all and carry a checksum: what a damaged one held is measured again.
"""

import hashlib
import inspect
import shutil
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

import torch
from torch import Tensor

from stages.common.checkpoint import read_checkpoint, write_checkpoint
from stages.common.errors import UserError
from stages.common.files import fingerprint_of
from stages.common.identity import PARSING, code_behind
from stages.common.split import Split

FOLDER = ".measure"
_OURS = ("mintage.", "stages.")


class Cache:
    """The cached measurements of one subject: a checkpoint, or the real images."""

    def __init__(self, root: Path, subject: str) -> None:
        self.folder = root / _short(subject)

    def tensors(self, key: str, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """The tensors under this key; if there are none, those that `make` returns, which are then kept."""
        path = self.folder / f"{key}.safetensors"
        known = _read(path)
        if known is not None:
            return known[0]
        made = make()
        write_checkpoint(path, made, {})
        return made

    def facts(self, key: str) -> dict[str, Any]:
        """The facts under this key; empty if there are none."""
        known = _read(self.folder / f"{key}.json.safetensors")
        return {} if known is None else known[1]

    def keep(self, key: str, facts: dict[str, Any]) -> None:
        write_checkpoint(self.folder / f"{key}.json.safetensors", {}, facts)


def forget_all_but(root: Path, subjects: Iterable[str]) -> None:
    """Remove the entries of all other subjects, such as checkpoints that no longer exist."""
    kept = {_short(subject) for subject in subjects}
    for folder in root.iterdir() if root.is_dir() else []:
        if folder.is_dir() and folder.name not in kept:
            shutil.rmtree(folder, ignore_errors=True)


def key_of(*about: Any) -> str:
    """A digest of values that JSON can hold, such as settings and other digests, and of torch's version."""
    return fingerprint_of([*about, torch.__version__])[:24]


def digest_of(*splits: Split) -> str:
    """A digest of the images of all splits, with their labels and attributes."""
    digest = hashlib.sha256()
    for split in splits:
        digest.update(f"{len(split)} {split.shape}".encode())
        for images in split.batches():
            digest.update(images.data)
        for known in (split.labels, split.attributes):
            digest.update(b"" if known is None else known.data)
    return digest.hexdigest()


@cache
def code_digest(*functions: Callable[..., Any] | type) -> str:
    """A digest of `code_used`."""
    return fingerprint_of(code_used(*functions))[:24]


def code_used(*functions: Callable[..., Any] | type) -> dict[str, str]:
    """The code of these functions and classes of the stages, and all code that it uses, by name.

    Of the stages only the functions and classes that are named in it count, at any depth, so that a change to one
    metric leaves other metrics cached; they are here as source. Of `mintage` whole modules count, with those that they
    import; they are here as digests.
    """
    found: dict[str, str] = {}
    with PARSING:
        for function in functions:
            _collect(function, found)
    return found


def _collect(thing: Any, found: dict[str, str]) -> None:
    module = getattr(thing, "__module__", None)
    if not isinstance(thing, FunctionType | type) or not str(module).startswith(_OURS):
        return
    if str(module).startswith("mintage."):
        found |= code_behind(str(module)) if str(module) not in found else {}
        return
    name = f"{module}.{thing.__qualname__}"
    if name in found:
        return
    found[name] = inspect.getsource(thing)
    inner = [thing] if isinstance(thing, FunctionType) else [f for f in vars(thing).values() if _is_function(f)]
    for function in inner:
        for used in _names(inspect.unwrap(function).__code__):
            _collect(inspect.unwrap(function).__globals__.get(used), found)


def _is_function(thing: Any) -> bool:
    return isinstance(inspect.unwrap(thing) if callable(thing) else thing, FunctionType)


def _names(code: Any) -> list[str]:
    """The names that a code object uses, including those in its inner functions."""
    inner = [name for const in code.co_consts if hasattr(const, "co_names") for name in _names(const)]
    return [*code.co_names, *inner]


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    try:
        return read_checkpoint(path)
    except UserError:
        return None


def _short(subject: str) -> str:
    return hashlib.sha256(subject.encode()).hexdigest()[:24]
