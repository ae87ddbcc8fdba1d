"""Good, fair or poor: how far a generator is from real images in what matters for its family, and what to do about it.

The limits and their reasons stand in docs/measuring.md. It works on figures alone, without models.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

from mintage.families import recipe_of
from mintage.metrics import Metric
from stages.media.medium import Medium
from stages.selection.metrics import METRICS
from stages.selection.rule import Row

Level = Literal["good", "fair", "poor", "unknown"]
LEVELS: dict[str, str] = {"good": "Good", "fair": "Fair", "poor": "Poor", "unknown": "Not judged"}
"""Each level as people read it."""
Course = Literal["falling", "level", "rising", "unknown", "fixed"]
"""How the Frechet distance developed; fixed if only an encoder learned."""

GOOD_DISTANCE, FAIR_DISTANCE = 3.0, 10.0
"""A Frechet distance is good, or fair, up to so many times the upper limit for real images."""
GOOD_SHARE, FAIR_SHARE = 0.9, 0.5
"""A share is good, or fair, from this part on of the way from chance to real images."""
LEAST_HELD_OUT = 100
"""With fewer held-out images nothing is good: a share such as recall is uncertain by 10 points (two standard errors),
and the covariance of the evaluator's 64 features comes from hardly more images than features, so the floor is too high
to fail."""
_LEAST_LEEWAY = 0.05
"""If a share of real images is above chance by less than this, that of generated ones tells nothing."""
_FALL, _RISE = 0.9, 1.5
"""Times the best distance before: below the first the last quarter still falls; above the second the end has risen."""
_LEAST_CURVE, _FEW_IMAGES = 4, 5000
_MORE_CHECKPOINTS = "Four or more would say it (train.checkpoint_every)."
_OF_TRANSLATIONS = ("l1", "ssim", "si_sdr", "frechet_distance")
_WITHOUT_PAIRS = ("frechet_distance", "conditional_accuracy")
_JUDGED_TOGETHER = ("none", "concat", "product", "repeat")
"""A discriminator's conditionings with which `packing` goes."""
_OF_CLASSES, _OF_IMAGES = ("cgan", "sngan_projection", "biggan"), ("infogan", "wgan", "sngan")
"""Families to try, the first ones first (docs/families.md)."""


@dataclass(frozen=True)
class Subject:
    """What a verdict takes into account, beside the figures."""

    family: str
    training: int
    """Images that the training was asked to see."""
    train_images: int
    """Images in the train split."""
    held_out: int
    """Held-out images; with two domains, those of the smaller one."""
    chance: float | None
    """The accuracy of naming the most frequent class, whatever the image; None without two classes."""
    medium: Medium
    attributes: bool = False
    """Whether the generator is asked for attributes."""
    sources: Row | None = None
    """What the untranslated sources reach; None if the generator does not translate."""
    first: Row | None = None
    """What the first of two stages reaches alone, enlarged; None for a model of one stage."""
    stays: bool = False
    """Whether the generator is an earlier model's, for which only an encoder learned."""
    doubt: str | None = None
    """What the evaluator does too badly to be believed, as a verb phrase; None if there is nothing."""
    by_heart: bool = False
    """Whether that is to have memorized the training images, so that floors made of them are none."""


@dataclass(frozen=True)
class Finding:
    """What one figure says."""

    level: Level
    sentence: str


def verdict(rows: Sequence[Row], chosen: Row, selection: dict[str, Any], about: Subject) -> dict[str, Any]:
    """`verdict` of selection.json: the level, the reasons, how the curve ends, and what to do.

    `rows` are all checkpoints in order; of `selection`, the collapse, the copying and the classification accuracy
    score count. The level is the worst of the findings. If the evaluator is not to be believed it is unknown, but for a
    generator that surely collapsed or copies.
    """
    found = findings(chosen, selection.get("classification_accuracy_score"), about)
    found += _of_directions(selection.get("directions") or [])
    collapsed, copied = selection["collapse"].get("sure", False), selection["copying"]["copied"]
    certain = [Finding("poor", "the generator has collapsed")] if collapsed else []
    certain += [Finding("poor", "it plays training images back")] if copied else []
    if selection["collapse"]["collapsed"] and not collapsed:
        found.append(Finding("poor", "few real images are reached"))
    few = worst([*found, *certain]) == "good" and about.held_out < LEAST_HELD_OUT
    if few:
        words = f"measured beside {about.held_out} {about.medium.words.many}, too few to call it good"
        found.append(Finding("fair", words))
    if about.doubt:
        doubt = Finding("unknown", f"the evaluator {about.doubt}, so its figures are unreliable")
        found = [*certain, doubt, *found]
        level = worst(certain)
    else:
        found += certain
        level = worst(found)
    course = "fixed" if about.stays else course_of(rows)
    return {
        "level": level,
        "sentence": f"{LEVELS[level]}: {'; '.join(one.sentence for one in found) or 'nothing was measured'}.",
        "course": course,
        "curve": _sentence_on_curve(course, rows, chosen),
        "doubt": about.doubt,
        "advice": advice("good" if few else level, course, about, chosen, collapsed=collapsed, copied=copied),
    }


def findings(row: Row, score: dict[str, Any] | None, about: Subject) -> list[Finding]:
    """Findings on the Frechet distance, on what the medium is judged by, and on how well the condition is met."""
    found = [_of_distance(row, by_heart=about.by_heart)]
    if about.sources is not None:
        found += [] if _without_pairs(row) else [_of_sources(row, about.sources), _of_light(row)]
    found += [] if about.first is None else [_of_first(row, about.first)]
    found += [_of_own(name, row, least) for name, least in about.medium.distances.items()]
    for name, worst_of_all in about.medium.judged_by.items():
        metric = METRICS[name]
        found.append(_of_share(metric, row.get(name), row.get(metric.floor), worst_of_all, with_chance=False))
    if about.chance is not None:
        name = "attribute_accuracy" if about.attributes else "conditional_accuracy"
        of_classes = METRICS[name]
        found.append(_of_share(of_classes, row.get(name), row.get(of_classes.floor), about.chance))
        if score is not None:
            as_metric = replace(of_classes, title="classification accuracy score")
            found.append(_of_share(as_metric, score["generated"], score["real"], about.chance))
    return [one for one in found if one is not None]


def share_of_real(value: float, of_real: float, chance: float) -> float | None:
    """Where a value lies between chance (0) and real images (1); None if these are too close to tell."""
    leeway = of_real - chance
    return None if leeway < _LEAST_LEEWAY else (value - chance) / leeway


def worst(found: Sequence[Finding]) -> Level:
    order: list[Level] = ["poor", "fair", "good"]
    return next((level for level in order if any(one.level == level for one in found)), "unknown")


def floor_is_no_chance(real: Row) -> bool:
    """Whether training images are further from the held-out ones than any new split by chance; False if not known."""
    floor, high = real.get("frechet_distance"), real.get(METRICS["frechet_distance"].interval[1])
    return floor is not None and high is not None and floor > high


def _of_distance(row: Row, *, by_heart: bool) -> Finding | None:
    metric = METRICS["frechet_distance"]
    value, floor = row.get("frechet_distance"), row.get(metric.floor)
    if value is None or floor is None:
        return None
    low, high = (row.get(column) for column in metric.interval)
    most = max(floor, high or 0.0, 1e-9)  # the floor itself where the holdout is of another kind than the training
    figure = f"{metric.title} {metric.text(value)}"
    if by_heart:
        return Finding("unknown", f"{figure} (training images: {metric.text(floor)})")
    if low is not None and high is not None and value <= high:
        return Finding("good", f"{figure}, not to be told from real images ({metric.text(low)} to {metric.text(high)})")
    level, times = _times(value, most)
    of_real = "the upper limit for real images" if most == high else "what real images reach"
    unlike = "; held-out images differ from the training's by more than chance" if high and most > high else ""
    beside = "no more than" if value <= most else f"{times:,.{0 if times >= 10 else 1}f} times"
    return Finding(level, f"{figure}, {beside} {of_real} ({metric.text(most)}{unlike})")


def _of_own(name: str, row: Row, least: float) -> Finding | None:
    """A finding on a distance that a medium brings; a floor below `least` counts as `least`."""
    metric = METRICS[name]
    value, floor = row.get(name), row.get(metric.floor)
    if value is None or floor is None:
        return None
    level, _ = _times(value, max(floor, least))
    return Finding(level, f"{metric.title} {metric.text(value)} (real images: {metric.text(floor)})")


def _times(value: float, most: float) -> tuple[Level, float]:
    """The level of a distance, and how many times `most` it is."""
    times = value / most
    return "good" if times <= GOOD_DISTANCE else "fair" if times <= FAIR_DISTANCE else "poor", times


def _of_share(
    metric: Metric, value: float | None, of_real: float | None, chance: float, *, with_chance: bool = True
) -> Finding | None:
    """A finding on a share; `with_chance`: whether to say what chance reaches."""
    if value is None or of_real is None:
        return None
    sign = 1 if metric.direction == "max" else -1
    share = share_of_real(sign * value, sign * of_real, sign * chance)
    if share is None:
        return None
    text = metric.text
    level: Level = "good" if share >= GOOD_SHARE else "fair" if share >= FAIR_SHARE else "poor"
    by_chance = f", by chance: {text(chance)}" if with_chance and chance and level == "poor" else ""
    return Finding(level, f"{metric.title} {text(value)} (real images: {text(of_real)}{by_chance})")


def _of_directions(directions: Sequence[dict[str, Any]]) -> list[Finding]:
    """Findings on each direction that the means of both may hide."""
    found = []
    for way in directions:
        row, to = way["figures"], way["to"]
        found += [_of_light(row, to), *([_of_sources(row, way["baseline"], to)] if way["baseline"] else [])]
    return [one for one in found if one is not None]


def _of_sources(row: Row, sources: Row, to: str = "") -> Finding | None:
    """Whether translations are nearer to their truths, and to real images, than their sources are."""
    of = _WITHOUT_PAIRS if to else _OF_TRANSLATIONS
    names = [name for name in of if name in row and name in sources]
    worse = [name for name in names if not METRICS[name].better(row[name], sources[name])]
    shown = worse or [name for name in names if name not in _WITHOUT_PAIRS]  # other findings tell of these
    of_both = ((METRICS[name], row[name], sources[name]) for name in shown)
    figures = [f"{one.title} {one.text(here)} (sources: {one.text(there)})" for one, here, there in of_both]
    if not figures:
        return None
    level: Level = "good" if not worse else "poor" if worse == names else "fair"
    where = f"towards {to} " if to else ""
    return Finding(level, f"{where}{'no better than the sources themselves in ' if worse else ''}{', '.join(figures)}")


def _of_first(row: Row, first: Row) -> Finding | None:
    """Whether both stages together are nearer to real images than the first alone."""
    metric, value, alone = METRICS["frechet_distance"], row.get("frechet_distance"), first.get("frechet_distance")
    if value is None or alone is None:
        return None
    better = metric.better(value, alone)
    figures = f"its first stage enlarged ({metric.title} {metric.text(alone)})"
    return Finding("good" if better else "poor", f"{'' if better else 'no '}better than {figures}")


def _without_pairs(row: Row) -> bool:
    return "cycle_error" in row


def _of_light(row: Row, to: str = "") -> Finding | None:
    """A finding if light and dark are exchanged, which no other figure may show."""
    correlation = row.get("luminance_correlation")
    if correlation is None or correlation >= 0:
        return None
    where = f"towards {to} (correlation with the sources" if to else "(correlation with the truths"
    return Finding("poor", f"light and dark are exchanged {where}: {correlation:.2f})")


def course_of(rows: Sequence[Row]) -> Course:
    """How the Frechet distance developed in the last quarter of the training, compared with the best before it.

    It also counts as falling if the last four checkpoints get better one by one, as chance has it in one curve of 24.
    """
    curve = _curve(rows)
    late = [value for images, value in curve if images > 0.75 * curve[-1][0]]
    before = [value for images, value in curve if images <= 0.75 * curve[-1][0]]
    if len(curve) < _LEAST_CURVE or not before:
        return "unknown"
    last = [value for _, value in curve[-_LEAST_CURVE:]]
    if min(late) < _FALL * min(before) or all(after < before for before, after in pairwise(last)):
        return "falling"
    return "rising" if curve[-1][1] > _RISE * min(before + late) else "level"


def _curve(rows: Sequence[Row]) -> list[tuple[int, float]]:
    return [(row["images"], row["frechet_distance"]) for row in rows if row.get("frechet_distance") is not None]


def _sentence_on_curve(course: Course, rows: Sequence[Row], chosen: Row) -> str:
    if course == "fixed":
        return "The generator is the first model's; an encoder alone learned (encoder_loss in metrics/train.tsv)."
    if course == "unknown":
        return "Too few checkpoints to say whether it was still getting better."
    curve, text = _curve(rows), METRICS["frechet_distance"].text
    (images, last), least = curve[-1], min(value for _, value in curve)
    if course == "falling" and last < curve[-2][1]:
        return f"The Frechet distance was still falling when the training ended, at {images:,} images."
    if course == "falling":
        fell = f"fell in the last quarter of the training, to {text(least)}"
        return f"The Frechet distance {fell}, and ended at {text(last)}, at {images:,} images."
    if course == "level":
        return f"The Frechet distance no longer fell when the training ended, at {images:,} images."
    return f"The Frechet distance rose again, to {text(last)}, when the training ended, at {images:,} images."


def advice(level: Level, course: Course, about: Subject, chosen: Row, *, collapsed: bool, copied: bool) -> str:
    """What to do about the `chosen` checkpoint, in a sentence or more."""
    if about.doubt and level == "unknown":
        more = f"Bring more {about.medium.words.many}{_few(about)}"
        by_heart = f"{more}: a longer training of the evaluator would hardly help."
        return by_heart if about.by_heart else "Raise evaluator.images, and judge again."
    if level == "good":
        return _advice_where_good(course, about, chosen)
    if course == "fixed":
        return "Train the first model longer, or name another one in train.first."
    if about.doubt:  # by which the curve was measured, too
        return " ".join(_against(about, collapsed=collapsed, copied=copied))
    advice = _against(about, collapsed=False, copied=copied)
    if course == "falling":
        advice.append(f"Train longer: train.images is {about.training:,}, and a larger one goes on from there.")
    elif course == "unknown":
        advice.append("Train longer (train.images), with four checkpoints or more (train.checkpoint_every).")
    else:
        advice.append(f"Longer alone will hardly help: try {_another_family(about)}, or more images{_few(about)}.")
    if collapsed and _packs(about):
        advice.append("Against collapse: train.recipe.packing: 2.")
    return " ".join(advice)


def _against(about: Subject, *, collapsed: bool, copied: bool) -> list[str]:
    """What helps whatever the other figures are."""
    advice = []
    if collapsed:
        packing = "train.recipe.packing: 2, or " if _packs(about) else ""
        advice.append(f"Against collapse: {packing}{_another_family(about)}.")
    if copied:
        moved = "" if about.sources is not None else ", or train.recipe.augment: [translation, cutout]"
        advice.append(f"Against copies: more images{moved}.")
    return advice


def _advice_where_good(course: Course, about: Subject, chosen: Row) -> str:
    if about.held_out < LEAST_HELD_OUT:
        more = f"Bring more {about.medium.words.many}: a verdict of good takes {LEAST_HELD_OUT} held out."
        return f"{more} {_MORE_CHECKPOINTS}" if course == "unknown" else more
    known = {"falling": "Longer may be better still (train.images).", "unknown": _MORE_CHECKPOINTS}
    return known.get(course) or _weakest(chosen) or "Nothing needs to be done."


def _weakest(chosen: Row) -> str:
    """A sentence on the figure of fidelity or variety that is furthest below real images; empty if none is far."""
    of_real = {name: chosen.get(METRICS[name].floor) for name in ("precision", "recall", "coverage")}
    shares = {name: chosen[name] / floor for name, floor in of_real.items() if floor and chosen.get(name) is not None}
    name = min(shares, key=lambda one: shares[one], default="")
    if not name or shares[name] >= GOOD_SHARE:
        return ""
    text = METRICS[name].text
    return f"It can be used as it is; weakest is {name}, {text(chosen[name])} (real images: {text(of_real[name])})."


def _packs(about: Subject) -> bool:
    """Whether the family's discriminator may judge several images together."""
    recipe = recipe_of(about.family, {})
    return recipe.game == "adversarial" and recipe.discriminator.conditioning in _JUDGED_TOGETHER


def _another_family(about: Subject) -> str:
    own, known = about.medium.unconditional_family, _OF_IMAGES if about.chance is None else _OF_CLASSES
    few = about.sources is not None or about.attributes  # families that learn from these
    others = [] if few else [family for family in ([own] if own else known) if family != about.family][:2]
    return f"train.family: {' or '.join(others)}" if others else "another train.seed or a larger train.recipe.width"


def _few(about: Subject) -> str:
    return f" ({about.train_images:,} are few: better {_FEW_IMAGES:,})" if about.train_images < _FEW_IMAGES else ""
