"""The expectations of normalized images, which must hold before anything trains on them.

Thresholds and severities are those of `validate` in params.yaml. Great Expectations checks them (judge.py).
"""

from dataclasses import replace
from math import prod

import pandas as pd

from stages.common.data_facts import MIN_HOLDOUT
from stages.common.errors import counted
from stages.common.params import Validate
from stages.common.sections import Severity
from stages.media.medium import Medium
from stages.validation.checks import EXCEPTIONS, SHARE, Check, Tables, between, mostly, within
from stages.validation.drift import OF, Drift
from stages.validation.manifest import Manifest
from stages.validation.outliers import brightness_fence, size_fence
from stages.validation.twins import Twins, paired, repeated

MIN_OF_DOMAIN = 4  # each domain is measured by a kernel distance, which needs four
NULL, NOT_NULL = "ExpectColumnValuesToBeNull", "ExpectColumnValuesToNotBeNull"
UNIQUE, BETWEEN = "ExpectColumnValuesToBeUnique", "ExpectColumnValuesToBeBetween"
_APART = (
    "the split came with the data: set normalize.split to random, which keeps such images on one side, or remove them "
    "from one"
)
_GROUPS_APART = (
    "the split came with the data: set normalize.split to random, which keeps each group on one side, or mend it"
)
_TOGETHER = (
    "a random split keeps such images on one side where normalize.near_copies has the likeness and the hash_distance "
    "of validate"
)
_RECURS = (
    "a few are the same by nature; if they are many, look whether a whole {row} is there twice: copies among what is "
    "generated are then to be compared with the floor"
)
_BECAME_ALIKE = (
    "images that differ in color or detail alone become alike in gray or small: look at the pairs, and at "
    "normalize.channels, height and width"
)
_BLUR = (
    "what is enlarged is a blur, which a model learns, too: lower normalize.height and width, or bring larger images"
)
_DEPTH = "where their type holds more than they use, set normalize.white to auto (and black, if 0 is not black)"
_WITHOUT_CLASSES = "ingest.labels: false, and train.family to one such as infogan"
_OF_LEVELS = {"brightness", "contrast"}
"""Figures without a meaning for samples whose numbers are no levels."""
ROWS, EQUAL = "ExpectTableRowCountToEqual", "ExpectColumnPairValuesToBeEqual"


def suite(found: Tables, manifest: Manifest, twins: Twins, limits: Validate) -> list[Check]:
    """Every expectation that depends on the data alone, in reading order."""
    images, words = found["images"], manifest.medium.words
    asked = [
        *_values(manifest),
        *_identity(manifest.classes),
        *_counts(manifest, limits),
        *_copies(images, manifest, twins, limits),
        *_groups(manifest, limits),
        *_plain(manifest, limits),
        *_reach(manifest, limits),
        *_domains(manifest),
        *_balance(manifest, limits),
        *_attributes(manifest),
        *_outliers(images, manifest, limits),
        *_enlarged(images, manifest),
        *_of_medium(manifest.medium),
    ]
    return [replace(one, name=words.said(one.name), advice=words.said(one.advice)) for one in asked]


def not_checked(manifest: Manifest, twins: Twins, drift: Drift) -> list[dict[str, str]]:
    """The checks that were left out, by `name`, with the `reason`."""
    left_out = []
    if reason := manifest.medium.lacks.get("copies"):
        left_out.append({"name": "Copies", "reason": reason})
    if manifest.no_looks is not None:
        what = "Near-duplicates" if manifest.medium.has_looks else "Near-duplicates and outliers"
        left_out.append({"name": what, "reason": manifest.no_looks})
    if not twins.complete:
        reason = "so many images share a perceptual hash that not all could be compared; what was found is shown"
        left_out.append({"name": "Some near-duplicates", "reason": reason})
    if drift.reason is not None:
        left_out.append({"name": "Drift", "reason": drift.reason})
    return left_out


def _values(manifest: Manifest) -> list[Check]:
    channels, *sizes = manifest.shape
    sides = zip(manifest.medium.sides, sizes, strict=True)
    return [
        within("Every value is a finite number, no NaN and no infinity", "images", "finite", [True]),
        between("The smallest value of every image lies within [-1, 1]", "images", "min", -1, 1),
        between("The largest value of every image lies within [-1, 1]", "images", "max", -1, 1),
        between("The number of channels of every image is the manifest's", "images", "channels", channels, channels),
        *(between(f"The {side} of every image is the manifest's", "images", side, size, size) for side, size in sides),
    ]


def _identity(classes: list[str] | None) -> list[Check]:
    unique = "Each key occurs once"
    unlabeled, labeled = "No image has a label, as the data has no classes", "Every image has a label"
    listed = [
        Check(unique, "images", UNIQUE, {"column": "key"}, 0, EXCEPTIONS),
        within("Every image is in the train or the holdout split", "images", "split", ["train", "holdout"]),
    ]
    if classes is None:
        return [*listed, Check(unlabeled, "images", NULL, {"column": "label"}, 0, EXCEPTIONS)]
    return [
        *listed,
        Check(labeled, "images", NOT_NULL, {"column": "label"}, 0, EXCEPTIONS),
        within(f"Every label is one of {counted(len(classes), 'class')}", "images", "label", [*range(len(classes))]),
    ]


def _counts(manifest: Manifest, limits: Validate) -> list[Check]:
    train, holdout = manifest.counts.train, manifest.counts.holdout
    rows, least = train + holdout, limits.min_images
    undecodable = f"At most {100 * limits.max_broken:g}% of the images read could not be decoded"
    broken = limits.severity.broken
    held_out = between(f"The holdout split has at least {MIN_HOLDOUT} images", "totals", "holdout", MIN_HOLDOUT)
    return [
        Check("The summary has a row for every image that the manifest counts", "images", ROWS, {"value": rows}, rows),
        between("The train split has as many images as the manifest counts", "totals", "train", train, train),
        between("The holdout split has as many images as the manifest counts", "totals", "holdout", holdout, holdout),
        between(f"The train split has at least {least:,} images", "totals", "train", least),
        replace(held_out, advice="raise normalize.holdout, or add images"),
        replace(
            between(undecodable, "totals", "broken", None, limits.max_broken, unit=SHARE, severity=broken),
            advice=_left_out(manifest),
        ),
    ]


def _left_out(manifest: Manifest) -> str:
    """How many images were broken, the first of them, and what to do."""
    counts, first = manifest.counts, [repr(one["key"]) for one in manifest.broken[:1]]
    others = [] if counts.broken == 1 else ["others"]
    few = f"{counts.broken:,} of {counts.train + counts.holdout + counts.broken:,}"
    left = f"{'was' if counts.broken == 1 else 'were'} left out ({' and '.join([*first, *others])})"
    return f"{few} {left}; mend or remove what is broken, or raise validate.max_broken"


def _copies(images: pd.DataFrame, manifest: Manifest, twins: Twins, limits: Validate) -> list[Check]:
    if "copies" in manifest.medium.lacks:
        return []
    severity, recurs = limits.severity, manifest.medium.recurs
    same = mostly(
        "images repeat another, pixel for pixel",
        "images",
        UNIQUE,
        {"column": "pixel_sha256"},
        share=limits.max_duplicates,
        severity="warning" if recurs else severity.duplicates,
    )
    near = mostly(
        "images nearly repeat another: encoded again, or brighter",
        "images",
        NULL,
        {"column": "near_duplicate"},
        share=limits.max_near_duplicates,
        severity=severity.near_duplicates,
    )
    near = replace(near, advice=_BECAME_ALIKE)
    leaked = mostly(
        "held-out images are, or nearly are, in the train split too",
        "holdout",
        NULL,
        {"column": "leaked_from"},
        share=limits.max_leakage,
        severity="warning" if recurs else severity.leakage,
    )
    again = _RECURS.format(row=manifest.medium.row or "group")
    leaked = replace(leaked, advice=again if recurs else _APART if manifest.split_is_given else _TOGETHER)
    listed = [replace(same, examples=repeated(images, twins))]
    if manifest.no_looks is None:
        listed.append(replace(near, examples=paired(images, twins.near), paired=True))
    return [*listed, replace(leaked, examples=paired(images, twins.leaked), paired=True)]


def _groups(manifest: Manifest, limits: Validate) -> list[Check]:
    if manifest.torn_groups is None:
        return []
    asked = between(
        "No group of images (a person, a scene) is in both splits", "totals", "torn_groups", 0, 0,
        severity=limits.severity.leakage,
    )  # fmt: skip
    return [replace(asked, advice=_GROUPS_APART)]


def _plain(manifest: Manifest, limits: Validate) -> list[Check]:
    if manifest.flat:
        return []
    more_than_none = {"column": "std", "min_value": 0, "strict_min": True}
    name, share, severity = f"images are {manifest.medium.words.flat}", limits.max_constant, limits.severity.constant
    return [mostly(name, "images", BETWEEN, more_than_none, share=share, severity=severity)]


def _reach(manifest: Manifest, limits: Validate) -> list[Check]:
    if manifest.flat or not manifest.medium.has_looks:
        return []
    least = limits.min_reach
    name = f"From their darkest value to their brightest, the images reach over {100 * least:g}% of [-1, 1]"
    asked = between(name, "totals", "reach", least, unit=SHARE, severity=limits.severity.reach)
    return [replace(asked, advice=_DEPTH)]


def _balance(manifest: Manifest, limits: Validate) -> list[Check]:
    if manifest.classes is None:
        return []
    equal = {"column_A": "images", "column_B": "manifest"}
    counted = "Every class has as many images in each split as the manifest counts"
    least, most, severity = limits.min_class_images, limits.max_imbalance, limits.severity.imbalance
    present = f"Every class has at least {least:,} images in each split"
    balanced = f"The largest class has at most {most:g} times the images of any other"
    return [
        Check(counted, "parts", EQUAL, equal, 0, EXCEPTIONS),
        replace(between(present, "parts", "images", least), advice=_classes_advice(manifest)),
        between(balanced, "classes", "imbalance", None, most, severity=severity),
    ]


def _domains(manifest: Manifest) -> list[Check]:
    if manifest.domains is None:
        return []
    equal = {"column_A": "images", "column_B": "manifest"}
    counted = "Each domain has as many images in each split as the manifest counts"
    present = f"Each domain has at least {MIN_OF_DOMAIN} images in each split"
    redraw = "set normalize.split to random, which shares out each domain, or " if manifest.split_is_given else ""
    return [
        within("Every image is of one of the two domains", "images", "domain", [0, 1]),
        Check(counted, "domains", EQUAL, equal, 0, EXCEPTIONS),
        replace(between(present, "domains", "images", MIN_OF_DOMAIN), advice=f"{redraw}add images to that domain"),
    ]


def _attributes(manifest: Manifest) -> list[Check]:
    if manifest.attributes is None:
        return []
    varies = Check(
        "Every attribute differs among the images of each split", "attributes", BETWEEN,
        {"column": "span", "min_value": 0, "strict_min": True}, 0, EXCEPTIONS, "warning",
        advice="what is the same for all images cannot be learned or judged: leave it out of ingest.attributes.columns",
    )  # fmt: skip
    return [
        between("The lowest value of every attribute lies within [-1, 1]", "attributes", "low", -1, 1),
        between("The highest value of every attribute lies within [-1, 1]", "attributes", "high", -1, 1),
        varies,
    ]


def _classes_advice(manifest: Manifest) -> str:
    redraw = "set normalize.split to random, which shares out each class, " if manifest.split_is_given else ""
    return f"{redraw}add images to these classes, remove them, or train without classes ({_WITHOUT_CLASSES})"


def _outliers(images: pd.DataFrame, manifest: Manifest, limits: Validate) -> list[Check]:
    if not manifest.medium.has_looks:
        return []
    share, severity = limits.max_outliers, limits.severity
    darkest, brightest = brightness_fence(images, limits.outlier_fence)
    smallest, largest = size_fence(images, limits.outlier_fence)
    light = {"column": "mean", "min_value": darkest, "max_value": brightest}
    size = {"column": "source_pixels", "min_value": smallest, "max_value": largest}
    unlike = "images are far darker or brighter than the rest"
    of_another_size = f"sources have far fewer or more pixels than the rest ({smallest:,.0f} to {largest:,.0f})"
    return [
        mostly(unlike, "images", BETWEEN, light, share=share, severity=severity.brightness),
        mostly(of_another_size, "images", BETWEEN, size, share=share, severity=severity.source_size),
    ]


def _enlarged(images: pd.DataFrame, manifest: Manifest) -> list[Check]:
    """A warning on pictures of fewer pixels than normalize makes of them; nothing where there is none."""
    sides = manifest.shape[1:]
    asked = prod(sides)
    if not manifest.medium.of_pictures or (images["source_pixels"] >= asked).all():
        return []
    size = " x ".join(map(str, sides))
    name = f"Every source has at least the {asked:,} pixels ({size}) that normalize makes of it"
    enlarged = between(name, "images", "source_pixels", asked, unit=EXCEPTIONS, severity="warning")
    return [replace(enlarged, limit=0, advice=_BLUR)]


def _of_medium(medium: Medium) -> list[Check]:
    return [
        replace(
            mostly(
                one.failing, "images", BETWEEN,
                {"column": one.column, "min_value": one.low, "max_value": one.high},
                share=one.share, severity="warning",
            ),
            advice=one.advice,
        )
        for one in medium.expectations
    ]  # fmt: skip


def drift_suite(drift: Drift, medium: Medium, limit: float, severity: Severity) -> list[Check]:
    """The comparisons with the last release, if there is one."""
    shown = medium.has_looks
    words = {
        "brightness": "Images are as bright" if shown else "The means of images are as high",
        "contrast": "Images have as much contrast" if shown else "The deviations within images are as large",
        "source_size": "Sources are as large",
        "classes": "Classes have the same shares",
        "domains": "Domains have the same shares",
    }

    def asked(index: str) -> str:
        thing, _, domain = index.partition(OF)
        return medium.words.said(words[thing]) + (f" in {domain}" if domain else "")

    return [
        between(
            f"{asked(name)} as in release {drift.release} (population stability index)",
            "drift",
            name,
            None,
            limit,
            severity=severity,
        )
        for name in drift.indices or {}
        if "brightness" not in medium.lacks or name.partition(OF)[0] not in _OF_LEVELS
    ]
