"""Collapse and copies in words, by the limits in params: knows no models."""

from typing import Any

from stages.common.params import Select
from stages.selection.metrics import METRICS

Row = dict[str, Any]
_CHANGES = "also under light noise, a shift of a pixel, another brightness or JPEG"


def collapse(row: Row, params: Select) -> dict[str, Any]:
    """Whether a checkpoint's generator has lost variety, against what real images have: `{"collapsed", "sentence"}`.

    It has where diversity, coverage or recall is a smaller share of its floor than params allow, or a mode is
    missing where the modes are known.
    """
    limits = {"diversity": params.min_diversity, "coverage": params.min_coverage, "recall": params.min_recall}
    looked_at = {name: limit for name, limit in limits.items() if row.get(name) is not None}
    if row.get("modes_captured") is not None:
        looked_at["modes_captured"] = 1.0
    if not looked_at:
        return {"collapsed": False, "sentence": "Mode collapse was not looked for: nothing that shows it was measured."}
    low = [name for name, limit in looked_at.items() if row[name] < limit * row[METRICS[name].floor]]
    if low:
        sure = {"diversity", "modes_captured"} & set(low)
        told = "Mode collapse" if sure else "Mode collapse, or too little training, for few real images are reached"
        return {"collapsed": True, "sentence": f"{told}: {_against_real(row, low)}."}
    return {"collapsed": False, "sentence": f"No mode collapse: {_against_real(row, list(looked_at))}."}


def copying(row: Row, params: Select) -> dict[str, Any]:
    """Whether more images are copies of training images than held-out ones are by chance, beyond what params allow.

    As `{"copied", "sentence"}`.
    """
    share, floor = row.get("near_copies"), row.get("near_copies_floor")
    if share is None or floor is None:
        return {"copied": False, "sentence": "Copies were not looked for: near copies were not measured."}
    text = METRICS["near_copies"].text
    copied = share > floor + params.max_near_copies
    known = "modes_captured" in row
    what = "copies of training points" if known else f"copies of training images, {_CHANGES}"
    told = (
        f"{text(share)} of the {'points' if known else 'images'} are {what} (held-out ones, by chance: {text(floor)})"
    )
    return {"copied": copied, "sentence": f"{'Memorization' if copied else 'No memorization found'}: {told}."}


def _against_real(row: Row, names: list[str]) -> str:
    about = ((name, METRICS[name]) for name in names)
    return ", ".join(f"{m.title} {m.text(row[name])} (real images: {m.text(row[m.floor])})" for name, m in about)
