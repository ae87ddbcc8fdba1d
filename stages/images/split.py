"""Which images are in the holdout: the same ones each time, with related images on the same side."""

import hashlib

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Tickets = npt.NDArray[np.uint64]
Whole = npt.NDArray[np.integer]
Pairs = npt.NDArray[np.int64]
"""`[P,2]`: numbers of images that belong together."""
_OPEN, _TRAINED_ON, _HELD_OUT = -1, 0, 1


def ticket(seed: int, content_sha256: str) -> int:
    """An image's place in the draw, in [0, 2**64), by its content, so that neither its name nor the order counts."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{content_sha256}".encode()).digest()[:8], "big")


def tied(tickets: Tickets, pairs: Pairs) -> Tickets:
    """Tickets `[N]`, equal for all images that belong together, directly or through others.

    Images with equal tickets already belong together. The common ticket is a new draw: the lowest of many would be low.
    """
    together = _lowest_of_each(len(tickets), np.concatenate([pairs, equal_pairs(tickets)]))
    lowest = tickets.copy()
    np.minimum.at(lowest, together, tickets)
    lowest = lowest[together]
    changed = np.zeros(len(tickets), np.bool_)
    np.logical_or.at(changed, together, lowest != tickets)
    return np.where(changed[together], _drawn_again(lowest), lowest)


def equal_pairs(values: npt.NDArray[np.uint64]) -> Pairs:
    """Pairs that join all images with equal `values` `[N]`, each with the next."""
    order = np.argsort(values, kind="stable")
    same = np.flatnonzero(values[order[1:]] == values[order[:-1]])
    return np.stack([order[same], order[same + 1]], axis=1)


def _lowest_of_each(count: int, pairs: Pairs) -> Whole:
    """The lowest number `[N]` that each of `count` numbers is joined with by a chain of pairs, or its own."""
    lowest = np.arange(count)
    while len(pairs):
        left, right = lowest[pairs[:, 0]], lowest[pairs[:, 1]]
        apart = left != right
        pairs, left, right = pairs[apart], left[apart], right[apart]
        np.minimum.at(lowest, np.maximum(left, right), np.minimum(left, right))
        while (lowest[lowest] != lowest).any():
            lowest = lowest[lowest]
    return lowest


def _drawn_again(tickets: Tickets) -> Tickets:
    """A new ticket from each, by SplitMix64's mixing (Steele, Lea and Flood 2014)."""
    mixed = tickets + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def random_split(tickets: Tickets, labels: Whole, share: float) -> Mask:
    """True if an image `[N]` is in the holdout: `share` of each label's images, those with the lowest tickets.

    Images with equal tickets (the same content) are on one side, even if their labels differ. A label with two or more
    different images has at least one on each side, unless its images also have other labels.
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
    """Decide the sides of a label's contents that are still open; `copies` are each content's numbers of images."""
    known, total = sides[contents], int(copies.sum())
    room = min(max(round(total * share), 1), total - 1) - int(copies[known == _HELD_OUT].sum())
    open_, open_copies = contents[known == _OPEN], copies[known == _OPEN]
    held = _first_that_fit(open_copies, room)
    if not held.any() and len(open_) and len(contents) > 1 and _HELD_OUT not in known:
        held[np.argmin(open_copies)] = True  # every content has too many copies
    sides[open_] = np.where(held, _HELD_OUT, _TRAINED_ON)


def _first_that_fit(copies: Whole, room: int) -> Mask:
    """In order, True for each content that fits whole. Those without copies, usually nearly all, are done at once."""
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
