"""Attributes of an image: bits, which are -1 or 1, and numbers in [-1,1]; a column of words becomes a bit a word."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mintage.attribute_names import asked_values, attribute_value, groups_of
from mintage.randomness import stream

EXAMPLES = 256
"""Rows of real images' attributes that a generator keeps, so that it can sample likely combinations."""
_NEAR = 0.25
"""A number is right within this distance: an eighth of its range."""


def columns(given: Mapping[str, Any], images: int) -> tuple[tuple[str, ...], Tensor]:
    """Names `[K]` and values `[images, K]` in [-1,1] of the columns that `mintage.Dataset` takes.

    Raises ValueError if a column has another length, or numbers outside [-1,1].

    Example:
        >>> columns({"glasses": [True, False], "hair": ["red", "black"]}, 2)
        (('glasses', 'hair=black', 'hair=red'), tensor([[ 1., -1.,  1.],
                [-1.,  1., -1.]]))
    """
    parts = [part for name, values in given.items() for part in _columns(name, values, images)]
    return tuple(name for name, _ in parts), torch.stack([values for _, values in parts], 1)


def _columns(name: str, given: Any, images: int) -> Iterator[tuple[str, Tensor]]:
    values = given.tolist() if hasattr(given, "tolist") else list(given)
    if len(values) != images:
        raise ValueError(f"attribute {name!r} has {len(values)} values: give one for each of {images} images")
    if "=" in name:
        raise ValueError(f"attribute {name!r} has a '=' in its name, which joins a column and its word: rename it")
    if any(isinstance(value, str) for value in values):
        for word in sorted({str(value) for value in values}):
            yield f"{name}={word}", torch.tensor([1.0 if str(value) == word else -1.0 for value in values])
        return
    yield name, torch.tensor([attribute_value(name, value) for value in values])


def examples_of(rows: Tensor, seed: int) -> Tensor:
    """`[EXAMPLES, K]` of the rows `[N,K]`, drawn by the seed; rows repeat if N is less."""
    order = torch.randperm(len(rows), generator=stream(seed, "attributes/examples"))
    return rows[order.repeat(-(-EXAMPLES // len(rows)))[:EXAMPLES]]


def with_changes(rows: Tensor, names: Sequence[str], asked: Mapping[str, bool | float | str]) -> Tensor:
    """The rows `[N,K]` with the values in `asked`: True or False for a bit, a number in [-1,1], the word of a group.

    Raises ValueError, with the nearest name, if there is no such attribute or value.

    Example:
        >>> with_changes(torch.zeros(1, 3), ["glasses", "hair=red", "hair=black"], {"glasses": True, "hair": "red"})
        tensor([[ 1.,  1., -1.]])
    """
    rows = rows.clone()
    for place, value in asked_values(names, asked).items():
        rows[:, place] = value
    return rows


def values_of(rows: Tensor) -> Tensor:
    """All values `[V,B]` of an attribute; `rows` `[N,B]` are its bits, or its number, in some images."""
    if rows.shape[1] > 1:
        return 2 * torch.eye(rows.shape[1]) - 1
    return torch.tensor([[-1.0], [1.0]]) if (rows.abs() == 1).all() else torch.linspace(-1, 1, 5)[:, None]


def combination_shares(values: Tensor, names: Sequence[str]) -> Tensor:
    """Attributes `[N,K,*S]` in [-1,1] as shares `[N,combinations,*S]`: 1 of the combination that they are, 0 of others.

    A number between -1 and 1 is a mixture of both, so each has a share. If no word of a group is 1, all shares are 0.

    Example:
        >>> combination_shares(torch.tensor([[1.0, -1.0, 1.0]]), ["glasses", "hair=red", "hair=black"])
        tensor([[0., 0., 0., 1.]])
    """
    ones = (values + 1) / 2
    shares = torch.ones_like(ones[:, :1])
    for places in groups_of(names).values():
        own = ones[:, places]
        options = own if len(places) > 1 else torch.cat([1 - own, own], dim=1)
        shares = (shares[:, :, None] * options[:, None]).flatten(1, 2)
    return shares


def right(predicted: Tensor, asked: Tensor, names: Sequence[str]) -> Tensor:
    """Whether each attribute of each image is as asked `[N,G]`, in the order of `groups_of`.

    `predicted` and `asked` are `[N,K]` in [-1,1]. A bit is right on its side of 0, a number within an eighth of its
    range, a group if its highest bit is the one that is 1.
    """
    found = []
    for places in groups_of(names).values():
        guess, truth = predicted[:, places], asked[:, places]
        if len(places) > 1:
            found.append(guess.argmax(1) == truth.argmax(1))
        else:
            near = (guess - truth).abs() < torch.where(truth.abs() == 1, 1.0, _NEAR)
            found.append(near.squeeze(1))
    return torch.stack(found, 1)


def by_chance(rows: Tensor, names: Sequence[str]) -> Tensor:
    """For each attribute the share `[G]` of rows `[N,K]` in which the most frequent value would be right."""
    return right(rows.mean(0).expand_as(rows), rows, names).double().mean(0)
