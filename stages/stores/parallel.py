"""Several transfers at a time."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

WORKERS = 8
Item = TypeVar("Item")
Result = TypeVar("Result")


def each(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[tuple[Item, Result]]:
    """`function` on each item, several at a time, results in order; the first error cancels what has not begun."""
    items = list(items)
    with ThreadPoolExecutor(WORKERS) as pool:
        yield from zip(items, pool.map(function, items), strict=True)
