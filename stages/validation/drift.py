"""How the data of this run differs from that of the last release: the population stability index.

A release's description of its data is in its `reports/validation.json`, and in its receipt. As in the report, the
receipt is read without being a dependency: upload makes it, so it would be a cycle in the graph. So the drift is
reported beside `validation.json` and never in it: training depends on that file, and must not run again because
something was published.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError

from stages.common.receipt import read_receipt
from stages.media.medium import Shape
from stages.validation.manifest import Manifest

BINS = 10
LEAST_SHARE = 1e-4  # for a bin that is empty on one side, so that its logarithm is finite
DESCRIBED = {"brightness": "mean", "contrast": "std", "source_size": "source_pixels"}
"""What is compared, and its column in the summary table."""
OF = " of "
"""The text between the name of a spread and the name of its domain."""
Shares = npt.NDArray[np.float64]


class Spread(BaseModel):
    """A column in bins with about equally many images: the edges between bins, and the share of images in each."""

    model_config = ConfigDict(frozen=True)
    edges: list[Annotated[float, Field(allow_inf_nan=False)]]
    shares: Annotated[list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=1)]


class Description(BaseModel):
    """A small description of a release's data, enough to see that other data differ."""

    model_config = ConfigDict(frozen=True)
    images: NonNegativeInt
    fingerprint: str | None
    spreads: dict[str, Spread]
    classes: dict[str, NonNegativeInt] | None
    domains: dict[str, NonNegativeInt] | None = None
    """Numbers of images by domain; if given, spreads are by domain, too."""
    medium: str | None = None
    source: str | None = None
    """The name of the source; like all below and `medium`, None in a release of an earlier version."""
    shape: Shape | None = None
    fit: str | None = None


@dataclass(frozen=True)
class Drift:
    """The index of each described column against a release; without any, `reason` is why."""

    release: str | None = None
    reason: str | None = None
    indices: dict[str, float] | None = None

    @property
    def table(self) -> pd.DataFrame:
        """A table of one row, with a column for each comparison."""
        return pd.DataFrame({name: [index] for name, index in (self.indices or {}).items()})


def describe(images: pd.DataFrame, manifest: Manifest) -> Description:
    """Describe the data by its summary table."""
    parts = _by_domain(images, manifest.domains)
    spreads = {f"{name}{of}": _spread(part[column]) for of, part in parts.items() for name, column in DESCRIBED.items()}
    counted = images["label"].value_counts()
    classes = {name: int(counted.get(label, 0)) for label, name in enumerate(manifest.classes or [])}
    domains = {name: len(parts[f"{OF}{name}"]) for name in manifest.domains or []}
    return Description(
        images=len(images),
        fingerprint=manifest.fingerprint,
        spreads=spreads,
        classes=classes or None,
        domains=domains or None,
        medium=manifest.medium.name,
        source=manifest.source.get("name"),
        shape=manifest.shape,
        fit=manifest.fit,
    )


def _by_domain(images: pd.DataFrame, domains: Iterable[str] | None) -> dict[str, pd.DataFrame]:
    """The images of each domain, by the suffix of its spreads' names; all images, by "", without domains."""
    if domains is None:
        return {"": images}
    return {f"{OF}{name}": images[images["domain"] == number] for number, name in enumerate(domains)}


def against_release(images: pd.DataFrame, here: Description, root: Path) -> Drift:
    """The drift since the release whose receipt is in `root`; never raises."""
    receipt = read_receipt(root)
    if receipt is None:
        return Drift(reason="nothing was published from here yet")
    try:
        before = Description.model_validate(receipt.get("data"))
    except ValidationError:
        return Drift(receipt["release"], f"release {receipt['release']} keeps no description of its data")
    if here.fingerprint is not None and before.fingerprint == here.fingerprint:
        return Drift(receipt["release"], f"the data are those of release {receipt['release']}")
    if other := _of_other_data(here, before):
        return Drift(receipt["release"], f"release {receipt['release']} is {other}")
    return Drift(receipt["release"], indices=_indices(images, here, before))


def _of_other_data(here: Description, before: Description) -> str | None:
    """Which other data the last release has, if a comparison with it would mean nothing; else None."""
    if None not in (here.medium, before.medium) and here.medium != before.medium:
        return f"of another kind of data ({before.medium})"
    if None not in (here.source, before.source) and here.source != before.source:
        return f"of another source ({before.source})"
    if None not in (here.shape, before.shape) and here.shape != before.shape:
        return f"of another size ({' x '.join(map(str, before.shape or ()))})"
    if None not in (here.fit, before.fit) and here.fit != before.fit:
        return f"of images that were fitted otherwise (normalize.fit: {before.fit})"
    if here.classes and before.classes and not here.classes.keys() & before.classes.keys():
        return "of other classes altogether"
    return None


def _indices(images: pd.DataFrame, here: Description, before: Description) -> dict[str, float]:
    found = {}
    for of, part in _by_domain(images, here.domains).items():
        images_before = before.images if not of else (before.domains or {}).get(of.removeprefix(OF), 0)
        for name, column in DESCRIBED.items():
            spread = before.spreads.get(f"{name}{of}")
            shares = None if spread is None else _shares(part[column], spread.edges)
            if spread is not None and shares is not None and len(shares) == len(spread.shares):
                found[f"{name}{of}"] = stability_index(np.array(spread.shares), shares, images_before, len(part))
    for kind in ("classes", "domains"):
        counts_before, counts_here = getattr(before, kind), getattr(here, kind)
        if counts_here is not None and counts_before is not None:
            names = sorted({*counts_here, *counts_before})
            then, now = (np.array([of.get(name, 0) for name in names], float) for of in (counts_before, counts_here))
            if then.sum() and now.sum():
                found[kind] = stability_index(then / then.sum(), now / now.sum(), before.images, here.images)
    return found


def stability_index(before: Shares, now: Shares, images_before: int, images_now: int) -> float:
    """The population stability index of shares `[B]` against others, minus its mean by chance alone; at least 0.

    The sum of (q - p) ln(q / p). For two samples of one population its mean is (B - 1) (1/N + 1/M) (Yurdakul 2018,
    "Statistical properties of population stability index"), which would look like drift if images are few.
    """
    p, q = (np.maximum(shares, LEAST_SHARE) for shares in (before, now))
    by_chance = max(0, int(np.count_nonzero(before + now)) - 1) * (1 / max(1, images_before) + 1 / max(1, images_now))
    return round(max(0.0, float(((q - p) * np.log(q / p)).sum()) - by_chance), 6)


def _spread(values: "pd.Series[Any]") -> Spread:
    known = _finite(values)
    if not len(known):
        return Spread(edges=[], shares=[0])
    deciles, times = np.unique(np.quantile(known, np.arange(1, BINS) / BINS), return_counts=True)
    many = np.nextafter(deciles[times > 1], -np.inf)  # a value of many images has its own bin
    edges = np.sort(np.concatenate([deciles, many])).tolist()
    return Spread(edges=edges, shares=_shares(values, edges).tolist())


def _shares(values: "pd.Series[Any]", edges: list[float]) -> Shares:
    """The share of values up to the first edge, from there up to the second, ..., above the last."""
    known = _finite(values)
    counts = np.bincount(np.searchsorted(edges, known, side="left"), minlength=len(edges) + 1)
    shares: Shares = np.round(counts / max(1, len(known)), 6)
    return shares


def _finite(values: "pd.Series[Any]") -> Shares:
    numbers = values.to_numpy(np.float64, na_value=np.nan)
    finite: Shares = numbers[np.isfinite(numbers)]
    return finite
