"""Which values of attributes a user may ask for, by name; without torch, to be checked before anything is trained.

Names show which bits belong together: exactly one of `hair=red`, `hair=black` and `hair=none` is 1 in each image.
"""

import math
from collections.abc import Mapping, Sequence

from mintage.nearest import nearest


def groups_of(names: Sequence[str]) -> dict[str, list[int]]:
    """By the name of each attribute, the places of its bits in `names`, in order.

    Example:
        >>> groups_of(["glasses", "hair=red", "hair=black"])
        {'glasses': [0], 'hair': [1, 2]}
    """
    groups: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        groups.setdefault(name.partition("=")[0], []).append(place)
    return groups


def combination_count(names: Sequence[str]) -> int:
    """How many combinations of values attributes have: 2 values of each bit, and as many as there are words of a group.

    Example:
        >>> combination_count(["glasses", "hair=red", "hair=black", "hair=none"])
        6
    """
    return math.prod(max(2, len(places)) for places in groups_of(names).values())


def asked_values(names: Sequence[str], asked: Mapping[str, bool | float | str]) -> dict[int, float]:
    """The values in [-1,1] that are asked for, by their places in `names`.

    `asked` has True or False for a bit, a number in [-1,1], or the word of a group. Raises ValueError, with the nearest
    name, if there is no such attribute or value.

    Example:
        >>> asked_values(["glasses", "hair=red", "hair=black"], {"glasses": True, "hair": "red"})
        {0: 1.0, 1: 1.0, 2: -1.0}
    """
    groups, found = groups_of(names), dict[int, float]()
    for name, value in asked.items():
        word = f"{name}={value}"
        if isinstance(value, str) and word in names:
            found |= {place: 1.0 if names[place] == word else -1.0 for place in groups[name]}
        elif isinstance(value, str) and name in groups and len(groups[name]) > 1:
            raise ValueError(f"there is no {name} {value!r}{_values_of(name, names, groups[name])}")
        elif name not in groups and name not in names:
            raise ValueError(f"there is no attribute {name!r}{nearest(name, list(groups))}")
        elif name not in names or isinstance(value, str):
            raise ValueError(
                f"there is no attribute {name!r} that can be {value!r}{_values_of(name, names, groups[name])}"
            )
        else:
            found[names.index(name)] = attribute_value(name, value)
    return found


def _values_of(name: str, names: Sequence[str], places: list[int]) -> str:
    """The end of an error's sentence: which values the attribute can have."""
    if name in names:
        return ": give true, false, or a number from -1 to 1"
    return f": ask for {' or '.join(names[place].partition('=')[2] for place in places)}"


def attribute_value(name: str, value: float) -> float:
    """-1 for False, 1 for True, or the number itself. Raises ValueError for a number outside [-1,1]."""
    number = (1.0 if value else -1.0) if isinstance(value, bool) else float(value)
    if not -1 <= number <= 1:
        raise ValueError(f"attribute {name!r} cannot be {value}: ask for True, False, or a number in [-1,1]")
    return number
