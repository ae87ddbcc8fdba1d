"""Families: a paper's name for one choice on each axis. Each is a row of recipes.toml, with the reasons."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from mintage import catalog
from mintage.nearest import like, nearest, not_one_of
from mintage.recipes import DiscriminatorRecipe, PlayerRecipe, Recipe, axes, override
from mintage.values import annotations, make, meaning

SHORT = "short"
"""The variant that is the row itself."""
_ROWS: dict[str, dict[str, Any]] = tomllib.loads((Path(__file__).parent / "recipes.toml").read_text("utf-8"))


def variants(family: str) -> list[str]:
    """The names of a family's recipes."""
    return [SHORT, *_ROWS[family].get("variants", {})]


def recipe_of(family: str, overrides: Mapping[str, Any], variant: str = SHORT) -> Recipe:
    """The recipe of a family, in a variant, with every override that is not None. Needs no torch.

    Raises ValueError if there is no such family, variant or axis, or a value does not fit its axis.
    """
    if family not in _ROWS:
        raise ValueError(f"family = {family!r}{not_one_of(family, list(_ROWS))}")
    if variant not in variants(family):
        meant = f"; did you mean {close!r}?" if (close := like(variant, variants(family))) else ""
        raise ValueError(f"variant = {variant!r} is none of {family!r}: it has {', '.join(variants(family))}{meant}")
    return override(_row(family, variant), overrides)


@cache
def _row(family: str, variant: str) -> Recipe:
    row = dict(_ROWS[family])
    other = row.pop("variants", {}).get(variant, {})
    return override(make(Recipe, row, family), other, family)


FAMILIES = {family: recipe_of(family, {}) for family in _ROWS}
"""The rows by name, with default values on all other axes."""


def resolve(family: str, overrides: Mapping[str, Any], variant: str = SHORT) -> Recipe:
    """The same recipe, with each player's normalization and each penalty's and term's weight filled in."""
    return complete(recipe_of(family, overrides, variant))


def complete(recipe: Recipe) -> Recipe:
    """The recipe with the network's normalization and the penalties' and terms' weights where it names none itself."""
    generator, discriminator = catalog.load("network", recipe.network).normalization
    return replace(
        recipe,
        penalties=_weighted("penalty", recipe.penalties),
        terms=_weighted("term", recipe.terms),
        generator=_normalized(recipe.generator, generator),
        discriminator=_normalized(recipe.discriminator, discriminator),
    )


def _weighted(kind: str, named: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(replace(one, weight=one.weight or catalog.load(kind, one.name).weight) for one in named)


def _normalized(player: Any, own: Any) -> Any:
    return replace(player, normalization=own) if player.normalization == "network" else player


def main(arguments: list[str]) -> int:
    """`mintage families [NAME [VARIANT]]`: print all families, or one in full, and return the exit code."""
    from mintage.__main__ import refuse

    if arguments in (["-h"], ["--help"]):
        print(
            "usage: mintage families [NAME [VARIANT]]\n\nList the families with paper and axes, or print one in full."
        )
        return 0
    if len(arguments) > 2:
        return refuse("`mintage families` takes the name of one family, and of one of its variants, or nothing")
    if arguments and arguments[0] not in FAMILIES:
        return refuse(f"there is no family {arguments[0]!r}{nearest(arguments[0], list(FAMILIES))}")
    try:
        print(in_full(*arguments) if arguments else table())
    except ValueError as error:
        return refuse(str(error))
    return 0


def table() -> str:
    """A line for each family: its name, its paper, and its choice on each axis."""
    rows = [
        ("family", "paper", "axes"),
        *((name, row.paper, axes(resolve(name, {}))) for name, row in FAMILIES.items()),
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "\n".join(f"{name:{widths[0]}}  {paper:{widths[1]}}  {chosen}" for name, paper, chosen in rows)


def in_full(family: str, variant: str = SHORT) -> str:
    """A row with all its axes as TOML, each with what it means."""
    recipe = recipe_of(family, {}, variant)
    others = " | ".join(variants(family))
    lines = [f"# {variant}, of {others} (train.variant)", f"[{family}]", *_lines(recipe, Recipe)]
    for player, kind in (("generator", PlayerRecipe), ("discriminator", DiscriminatorRecipe)):
        lines += ["", f"[{family}.{player}]", *_lines(getattr(recipe, player), kind)]
    return "\n".join(lines)


def _lines(recipe: Any, kind: type[Any]) -> Iterator[str]:
    hints = annotations(kind)
    for name in (field.name for field in fields(kind) if field.name not in ("generator", "discriminator")):
        value = getattr(recipe, name)
        named = name in ("penalties", "terms")
        rows = [{k: v for k, v in asdict(one).items() if v is not None} for one in value] if named else value
        words = meaning(hints[name])
        yield f"{name} = {_toml(rows):{max(0, 33 - len(name))}}  # {words}".rstrip("# ")


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_toml(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)
