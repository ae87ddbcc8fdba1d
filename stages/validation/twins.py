"""Images that are in the data twice, equal or nearly equal: in one split, or in both (leakage)."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from stages.common.params import Validate
from stages.images.near import Near, Pictures, near_pairs, small_pictures
from stages.validation.checks import EXAMPLES
from stages.validation.pixels import read_pixels

Rows = npt.NDArray[np.int64]
NONE = -1


@dataclass(frozen=True)
class Twins:
    """Equal and nearly equal images, by row of the summary table."""

    group: Rows
    """`[N]`: images with the same number have equal pixels."""
    near: Rows
    """`[N]`: the row of a nearly equal image, or -1."""
    leaked: Rows
    """`[N]`: for an image of the holdout, the row of an equal or nearly equal training image, or -1."""
    complete: bool
    """False if there were too many candidates to compare."""


def find_twins(stats: pd.DataFrame, normalized: Path, limits: Validate, by_looks: bool) -> Twins:
    """The twins among the images of a summary table; with `by_looks` also near-duplicates, not only equal pixels.

    Two images of different domains are no twins: an image in both is learned in both.
    """
    domains = stats["domain"] if "domain" in stats.columns else None
    group, _ = pd.factorize(stats["pixel_sha256"] + ("" if domains is None else domains.map(str)))
    _, firsts = np.unique(group, return_index=True)  # numbered in order of appearance: one image of each number
    found = Near(np.empty((0, 2), np.int64), complete=True)
    if by_looks and len(stats):
        hashes = stats["difference_hash"].to_numpy(np.uint64)[firsts]
        found = near_pairs(
            hashes,
            limits.hash_distance,
            limits.likeness,
            lambda asked: _pictures(normalized, stats.iloc[firsts[asked]]),
        )
        if domains is not None:
            of = domains.to_numpy()[firsts][found.pairs]
            found = replace(found, pairs=found.pairs[of[:, 0] == of[:, 1]])
    return _twins(group, firsts, stats["split"].to_numpy(), found)


def _twins(group: Rows, firsts: Rows, split: npt.NDArray[Any], found: Near) -> Twins:
    partner, to_train = (np.full(len(firsts), NONE, np.int64) for _ in range(2))
    train = np.flatnonzero(split == "train")[::-1]
    to_train[group[train]] = train  # the first of several
    beside = np.full_like(to_train, NONE)
    for one, other in ((0, 1), (1, 0)):
        ours, theirs = found.pairs[::-1, one], found.pairs[::-1, other]
        partner[ours] = firsts[theirs]
        trained = to_train[theirs] != NONE
        beside[ours[trained]] = to_train[theirs[trained]]
    source = np.where(to_train == NONE, beside, to_train)
    return Twins(group, partner[group], np.where(split == "holdout", source[group], NONE), found.complete)


def repeated(stats: pd.DataFrame, twins: Twins) -> list[str]:
    """Keys of images whose pixels occur more than once, twins side by side."""
    groups = pd.Series(twins.group, stats.index)
    again = groups[groups.duplicated(keep=False)]
    place = again.groupby(again, sort=False).ngroup().sort_values(kind="stable")
    keys: list[str] = stats["key"][place.index].head(EXAMPLES).tolist()
    return keys


def paired(stats: pd.DataFrame, other: Rows) -> list[str]:
    """Keys of images with a twin in `other` `[N]`, each followed by the twin's key; each pair once."""
    shown: list[tuple[int, int]] = []
    for row in np.flatnonzero(other != NONE):
        pair = int(row), int(other[row])
        if pair[::-1] not in shown:
            shown.append(pair)
        if len(shown) == EXAMPLES // 2:
            break
    return [str(stats["key"].iloc[row]) for pair in shown for row in pair]


def _pictures(normalized: Path, wanted: pd.DataFrame) -> Pictures:
    """Small pictures `[M,R,C]` of the images of these rows."""
    pictures: Pictures | None = None
    for places, images in read_pixels(normalized, wanted):
        small = small_pictures(images)
        if pictures is None:
            pictures = np.zeros((len(wanted), *small.shape[1:]), np.uint8)
        pictures[places] = small
    return np.zeros((len(wanted), 2, 2), np.uint8) if pictures is None else pictures
