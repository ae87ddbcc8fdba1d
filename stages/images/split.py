"""Which images are held out: the same ones each time, and every copy of an image on the same side."""

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Tickets = npt.NDArray[np.uint64]


def ticket(seed: int, content_sha256: str) -> int:
    """An image's place in the draw, in [0, 2**64): by its content, so that neither its name nor the order counts."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{content_sha256}".encode()).digest()[:8], "big")


def random_split(tickets: Tickets, labels: Sequence[int], share: float) -> Mask:
    """True where an image `[N]` is held out: `share` of each label's images, those with the lowest tickets.

    Images of one ticket (the same content) are all on one side, even if their labels differ. Each label of two or
    more different images has at least one on each side, unless its images also have other labels.
    """
    values = np.asarray(labels)
    sides: dict[int, bool] = {}
    for label in np.unique(values):
        unique, copies = np.unique(tickets[values == label], return_counts=True)
        _hold_out(dict(zip(unique.tolist(), copies.tolist(), strict=True)), share, sides)
    return np.fromiter((sides[ticket] for ticket in tickets.tolist()), np.bool_, len(tickets))


def _hold_out(copies: dict[int, int], share: float, sides: dict[int, bool]) -> None:
    """Decide the sides of one label's tickets (in order, with how many images have each), where not yet decided."""
    total = sum(copies.values())
    room = min(max(round(total * share), 1), total - 1)
    room -= sum(count for ticket, count in copies.items() if sides.get(ticket))
    open_ = [ticket for ticket in copies if ticket not in sides]
    held = any(sides.get(ticket) for ticket in copies)
    for ticket in open_:
        sides[ticket] = copies[ticket] <= room
        if sides[ticket]:
            room -= copies[ticket]
            held = True
    if not held and len(copies) > 1 and open_:  # every image has more copies than there is room for
        sides[min(open_, key=lambda ticket: copies[ticket])] = True
