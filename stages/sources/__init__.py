"""Where images come from: each source is a module with `read(params) -> Source`, found here by its name."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import cast

from stages.common.params import Ingest
from stages.common.truth import Truth


@dataclass(frozen=True)
class RawImage:
    """An image as it came."""

    key: str
    """Its name inside the source, unique."""
    path: str
    """A file name."""
    content: bytes
    """Encoded: PNG, JPEG, ..."""
    label: int | None
    split: str | None
    """"train" or "test" where the source has an official test set."""


@dataclass(frozen=True)
class Source:
    """A set of images and what is known of it."""

    name: str
    licence: str
    origin: str
    classes: list[str] | None
    """Names by label; None where images have no labels."""
    images: Iterator[RawImage]
    """Read as it is asked for, so that one image is in memory at a time."""
    notes: list[str] = field(default_factory=list)
    """What a person should know, complete once `images` is read to its end."""
    truth: Truth | None = None
    """What the images are drawn from, where that is known."""


NOT_STATED = "not stated"

_MODULES = {name: f"stages.sources.{name}" for name in ("digits", "idx", "folder", "ring", "grid", "gaussian")}


def open_source(params: Ingest) -> Source:
    """The source that `params` names; only its own module is imported."""
    read = cast(Callable[[Ingest], Source], import_module(_MODULES[params.source]).read)
    return read(params)
