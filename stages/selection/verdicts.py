"""Sentences on mode collapse, on copies and on what the game added, by the limits in params; without models."""

from collections.abc import Callable
from typing import Any

from stages.common.params import Select
from stages.media.medium import Medium
from stages.selection.metrics import METRICS
from stages.selection.quality import FAIR_SHARE, share_of_real
from stages.selection.rule import Row

_FLOOR_ABOVE = (
    "A floor above both numbers: the held-out images differ from the training images by more than chance, as where the "
    "split keeps near copies or groups on one side, classes have few images, or the evaluator knows its training "
    "images by heart."
)
_CHANGES = "also under light noise, a shift of a pixel, another brightness or JPEG"


def collapse(row: Row, params: Select, chance: float | None = None) -> dict[str, Any]:
    """Whether a checkpoint's generator has lost variety: `{"collapsed", "sure", "known", "sentence"}`.

    It has if diversity, coverage or recall is a smaller share of its floor than params allow, or if one of the known
    modes is missing; if that is not `sure`, it may just have learned too little so far. That it has not is `known` only
    if images are of the class that was asked for (an accuracy well above `chance`): else what looks like variety within
    a class is that of all classes.
    """
    limits = {"diversity": params.min_diversity, "coverage": params.min_coverage, "recall": params.min_recall}
    looked_at = {name: limit for name, limit in limits.items() if row.get(name) is not None}
    if row.get("modes_captured") is not None:
        looked_at["modes_captured"] = 1.0
    if not looked_at:
        phrase = "Mode collapse was not looked for: nothing that shows it was measured."
        return {"collapsed": False, "known": False, "sentence": phrase}
    low = [name for name, limit in looked_at.items() if row[name] < limit * row[METRICS[name].floor]]
    if low:
        sure = bool({"diversity", "modes_captured"} & set(low))
        phrase = "Mode collapse" if sure else "Mode collapse or too little training, since few real images are reached"
        return {"collapsed": True, "sure": sure, "known": True, "sentence": f"{phrase}: {_against_real(row, low)}."}
    if _mixes_classes(row, chance):
        phrase = (
            "Mode collapse cannot be told from variety within a class, since most images are not of the one asked for"
        )
        accuracy = _against_real(row, ["conditional_accuracy"])
        return {"collapsed": False, "known": False, "sentence": f"{phrase}: {accuracy}."}
    return {"collapsed": False, "known": True, "sentence": f"No mode collapse: {_against_real(row, list(looked_at))}."}


def _mixes_classes(row: Row, chance: float | None) -> bool:
    accuracy = row.get("conditional_accuracy")
    if accuracy is None or chance is None:
        return False
    share = share_of_real(accuracy, row[METRICS["conditional_accuracy"].floor], chance)
    return (accuracy if share is None else share) < FAIR_SHARE


def copying(row: Row, params: Select, medium: Medium) -> dict[str, Any]:
    """Whether generated images are copies of training images: `{"copied", "known", "sentence"}`.

    They are if their share of copies is above that of held-out images, which is by chance, by more than params allow.
    """
    share, floor = row.get("near_copies"), row.get("near_copies_floor")
    if share is None or floor is None:
        phrase = "Copies were not looked for: near copies were not measured."
        return {"copied": False, "known": False, "sentence": phrase}
    text = METRICS["near_copies"].text
    copied = share > floor + params.max_near_copies
    many, changes = medium.words.many, f", {_CHANGES}" if medium.has_looks else ""
    phrase = (
        f"{text(share)} of the {many} are copies of training {many}{changes} (held-out ones, by chance: {text(floor)})"
    )
    sentence = f"{'Memorization' if copied else 'No memorization found'}: {phrase}."
    return {"copied": copied, "known": True, "sentence": sentence}


def game(rows: list[Row], params: Select, medium: Medium, first: float) -> dict[str, Any] | None:
    """Whether the game improved on the training without it, its `first` samples: `{"won", "known", "sentence"}`.

    None if there was no training without a game, or nothing else.
    """
    if first <= 0 or rows[-1]["images"] <= first:
        return None
    metric, found = METRICS[params.metric], [row for row in rows if row.get(params.metric) is not None]
    without = [row[params.metric] for row in found if row["images"] <= first]
    played = [row[params.metric] for row in found if row["images"] > first]
    if not played:
        return None
    if not without:
        reason = f"no checkpoint of the first {first:,.0f} {medium.words.many}, which are without it, was measured"
        remedy = f"set train.checkpoint_every to {first:,.0f} or less"
        return {"won": False, "known": False, "sentence": f"Whether the game helps is not known: {reason}: {remedy}."}
    best = min if metric.direction == "min" else max
    reached, alone = best(played), best(without)
    won = reached != alone and best(reached, alone) == reached
    sentence = (
        f"The game {'wins' if won else 'does not win'}: its best {metric.title} is {metric.text(reached)}, "
        f"and that of the first {first:,.0f} {medium.words.many}, without it, {metric.text(alone)}."
    )
    return {"won": won, "known": True, "sentence": sentence}


def floors_above_chance(value: Callable[[str], float | None]) -> str | None:
    """A sentence if a floor lies above the two numbers between which chance lets it vary; `value` of a column."""
    for metric in METRICS.values():
        floor, *between = (value(column) for column in (metric.floor, *metric.interval))
        if floor is not None and between and between[1] is not None and floor > between[1]:
            return _FLOOR_ABOVE
    return None


def _against_real(row: Row, names: list[str]) -> str:
    about = ((name, METRICS[name]) for name in names)
    return ", ".join(f"{m.title} {m.text(row[name])} (real images: {m.text(row[m.floor])})" for name, m in about)
