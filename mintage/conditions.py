"""The classes and attributes that a user asks for by name, as tensors for the generator."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from mintage.attributes import with_changes
from mintage.model_config import ModelConfig
from mintage.players import Generator
from mintage.sources import with_attributes

Label = str | int | Sequence[str | int] | Tensor | npt.NDArray[Any]
"""A class by name or number, or several."""
Attributes = Mapping[str, bool | float | str]
"""Values by name, such as `{"glasses": True, "hair": "red", "age": 0.5}`."""


def conditions_asked(
    generator: Generator, label: Label | None, attributes: Attributes | None
) -> list[int] | Tensor | None:
    """Labels, or rows of attributes `[N,K]`, to use in turn; all classes if none is named; None if it takes neither.

    Raises ValueError if the generator has no such class or attribute, or takes none.
    """
    if attributes is None or label is not None:
        labels = labels_asked(generator.config, label)
        if attributes is None:
            return labels
    if generator.examples is None or generator.config.attributes is None:
        raise ValueError("this model takes no attributes: leave out `attributes`")
    return with_changes(generator.examples.cpu(), generator.config.attributes, attributes)


def sources_asked(generator: Generator, sources: Tensor, attributes: Attributes | None) -> Tensor:
    """Sources `[N,S,*S]` with the attributes asked for; the other attributes are those of real images in turn.

    Sources that already have attributes keep them if none are asked for. Raises ValueError if the generator has no such
    attribute, or takes none.
    """
    config = generator.config
    if config.source_shape is None or config.attributes is None or generator.examples is None:
        if attributes is not None:
            raise ValueError("this model takes no attributes: leave out `attributes`")
        return sources
    channels, whole = sources.shape[1], config.source_shape[0]
    if channels != whole - len(config.attributes) and not (channels == whole and attributes):
        return sources
    rows = with_changes(generator.examples.cpu(), config.attributes, attributes or {})
    return with_attributes(config.bare(sources), rows[torch.arange(len(sources)) % len(rows)])


def labels_asked(config: ModelConfig, label: Label | None) -> list[int] | None:
    """Numbers of classes, or of an information code's categories; all classes if none is named.

    Raises ValueError if there is no such class, or there are none.
    """
    known = config.classes if config.conditional else tuple(map(str, range(config.code_categories)))
    if label is None:
        return list(range(len(known))) if config.conditional and known else None
    if not known:
        raise ValueError("this model takes no class: leave out `label`")
    several: Any = [label] if is_one(label) else label
    if found := [_number(plain(one), known) for one in several]:
        return found
    raise ValueError(f"no class is named: leave out `label`, or ask for one of {', '.join(known)}")


def is_one(label: Label) -> bool:
    """Whether it is one class, not several."""
    return isinstance(plain(label), str | int | float)


def plain(label: Any) -> Any:
    """A tensor or an array as numbers, names or lists of them; anything else unchanged."""
    return label.tolist() if hasattr(label, "tolist") else label


def _number(label: Any, known: Sequence[str]) -> int:
    if isinstance(label, int) and not isinstance(label, bool) and 0 <= label < len(known):
        return label
    if label in known:
        return known.index(str(label))
    raise ValueError(f"there is no class {label!r}: ask for one of {', '.join(known)}")
