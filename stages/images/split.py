"""Which images are held out: the same ones each time, and every copy of an image on the same side."""

import hashlib

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Tickets = npt.NDArray[np.uint64]
Whole = npt.NDArray[np.integer]
_OPEN, _TRAINED_ON, _HELD_OUT = -1, 0, 1


def ticket(seed: int, content_sha256: str) -> int:
    """An image's place in the draw, in [0, 2**64): by its content, so that neither its name nor the order counts."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{content_sha256}".encode()).digest()[:8], "big")


def random_split(tickets: Tickets, labels: Whole, share: float) -> Mask:
    """True where an image `[N]` is held out: `share` of each label's images, those with the lowest tickets.

    Images of one ticket (the same content) are all on one side, even if their labels differ. Each label of two or
    more different images has at least one on each side, unless its images also have other labels.
    """
    contents = _contents(tickets)
    sides = np.full(contents.max(initial=-1) + 1, _OPEN, np.int8)
    for label in np.unique(labels):
        _hold_out(*np.unique(contents[labels == label], return_counts=True), share, sides)
    held_out: Mask = sides[contents] == _HELD_OUT
    return held_out


def _contents(tickets: Tickets) -> Whole:
    """The number `[N]` of each image's content, in the order of the tickets."""
    order = np.argsort(tickets, kind="stable")
    in_order = tickets[order]
    numbers = np.zeros(len(tickets), np.int32)
    numbers[order[1:]] = np.cumsum(in_order[1:] != in_order[:-1], dtype=np.int32)
    return numbers


def _hold_out(contents: Whole, copies: Whole, share: float, sides: npt.NDArray[np.int8]) -> None:
    """Decide the sides of one label's contents (in order, with how many images have each), where not yet decided."""
    known, total = sides[contents], int(copies.sum())
    room = min(max(round(total * share), 1), total - 1) - int(copies[known == _HELD_OUT].sum())
    open_, open_copies = contents[known == _OPEN], copies[known == _OPEN]
    held = _first_that_fit(open_copies, room)
    if not held.any() and len(open_) and len(contents) > 1 and _HELD_OUT not in known:
        held[np.argmin(open_copies)] = True  # every content has more copies than there is room for
    sides[open_] = np.where(held, _HELD_OUT, _TRAINED_ON)


def _first_that_fit(copies: Whole, room: int) -> Mask:
    """In order, True for each that has room as a whole. Those without copies, usually nearly all, go at once."""
    held = np.zeros(len(copies), np.bool_)
    start = 0
    for stop in [*np.flatnonzero(copies > 1).tolist(), len(copies)]:
        single = min(max(room, 0), stop - start)
        held[start : start + single] = True
        room -= single
        if stop < len(copies) and copies[stop] <= room:
            held[stop] = True
            room -= int(copies[stop])
        start = stop + 1
    return held
