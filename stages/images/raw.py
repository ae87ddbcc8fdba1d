"""What is known about raw images before any is decoded: all that decides the split, some 20 bytes an image."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mintage.spelling import american_keys
from stages.common.errors import UserError, counted
from stages.common.foresight import Known
from stages.common.params import Normalize
from stages.common.shards import class_names, read_safely, shards
from stages.images.split import Mask, Tickets, equal_pairs, ticket, tied
from stages.media import medium_of
from stages.media.medium import Medium

_COLUMNS = ["image", "label", "key", "sha256", "split"]
_NO_LABEL = -1
_AT_ONCE = 2**13
_BUFFER = 2**20


@dataclass(frozen=True)
class RawSet:
    """The facts in the schema and the footers."""

    classes: list[str] | None
    source: dict[str, str]
    max_pixels: int
    paired: bool
    """Whether images come with partners."""
    maps: int
    """How many maps join each partner."""
    grouped: bool
    """Whether images have groups, each of which stays on one side of a random split."""
    attributes: list[str] | None
    """Names of the images' attributes; None without attributes."""
    domains: list[str] | None
    """Names of the two domains; None if there is only one."""
    counts: dict[Path, int]
    """Number of images by shard, in order."""
    medium: Medium
    """The kind of data."""

    def known(self, to: Normalize) -> Known:
        """What later stages will get if normalize runs with the params `to`."""
        return Known(
            shape=self.medium.shape or to.shape_of(self.medium.sides),
            medium=self.medium,
            classes=len(self.classes or ()),
            paired=self.paired or to.partner is not None,
            attributes=bool(self.attributes),
            attribute_names=tuple(self.attributes or ()),
            domains=self.domains is not None,
            smaller=to.partner == "lower_resolution",
            maps=self.maps if to.partner is None else 0,
        )


@dataclass(frozen=True)
class Deciding:
    """What decides the split, for each image."""

    labels: npt.NDArray[np.int32]
    """Labels, -1 for none; with two domains, a label has a different number in each."""
    tickets: Tickets
    """Tickets, equal within a group and for equal content; in a medium whose samples recur, only within a group."""
    official: Mask | None
    """True if an image is in the source's test set; None if the source has none."""
    torn_groups: int = 0
    """Number of groups that are on both sides of the source's own split."""


def read_raw_set(raw: Path) -> RawSet:
    """The facts of raw shards. Raises UserError on shards that ingest did not write."""
    counts = {path: _checked(path) for path in shards(raw)}
    schema = pq.read_schema(next(iter(counts)))
    facts = {key.decode(): json.loads(value) for key, value in schema.metadata.items()}
    return RawSet(
        classes=class_names(schema),
        source=american_keys(facts["source"]),
        max_pixels=facts["max_pixels"],
        paired="partner" in schema.names,
        maps=facts.get("maps", 0),
        grouped="group" in schema.names,
        attributes=facts.get("attributes"),
        domains=facts.get("domains"),
        counts=counts,
        medium=medium_of(facts),
    )


def read_deciding(known: RawSet, split_seed: int) -> Deciding:
    """What decides the split. Raises UserError on a label of no class."""
    total = sum(known.counts.values())
    labels, tickets, in_test = np.empty(total, np.int32), np.empty(total, np.uint64), np.empty(total, np.bool_)
    groups = np.zeros(total, np.uint64) if known.grouped else None
    by_groups = known.medium.recurs and groups is not None
    splits: set[str | None] = set()
    row = 0
    more = (["group"] if known.grouped else []) + (["domain"] if known.domains else [])
    for batch in _batches(list(known.counts), more):
        end = row + len(batch)
        labels[row:end] = _labels(batch, known.classes)
        if known.domains:
            labels[row:end] += batch["domain"].to_numpy() * (len(known.classes or ()) + 1)
        tickets[row:end] = [ticket(split_seed, sum_) for sum_ in batch["sha256"].to_pylist()]
        in_test[row:end] = pc.equal(batch["split"], "test").fill_null(False)
        if groups is not None:
            names, seed = batch["group"].to_pylist(), split_seed if by_groups else 0
            groups[row:end] = [_group(name, number, seed) for number, name in enumerate(names, row)]
        splits.update(batch["split"].unique().to_pylist())
        row = end
    official = in_test if {"train", "test"} <= splits else None
    if groups is None:
        return Deciding(labels, tickets, official)
    torn = 0 if official is None else len(np.intersect1d(groups[official], groups[~official]))
    return Deciding(labels, groups if by_groups else tied(tickets, equal_pairs(groups)), official, torn)


def raw_rows(path: Path, columns: list[str], at_once: int) -> Iterator[pa.RecordBatch]:
    """The rows of a shard, a few at a time; memory: only those, whatever the size of the file's row groups."""
    with read_safely(path), pq.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False) as file:
        yield from file.iter_batches(at_once, columns=columns, use_threads=False)


def _group(name: str | None, number: int, seed: int) -> int:
    """A number for a group; an image without a group is its own group."""
    return ticket(number, "alone") if name is None else ticket(seed, f"group {name}")


def _batches(paths: list[Path], more: list[str]) -> Iterator[pa.RecordBatch]:
    for path in paths:
        yield from raw_rows(path, ["label", "key", "sha256", "split", *more], _AT_ONCE)


def _checked(path: Path) -> int:
    """How many images are in a shard, which is checked to be from ingest."""
    with read_safely(path):
        footer = pq.read_metadata(path)
    schema = footer.schema.to_arrow_schema()
    missing = [name for name in _COLUMNS if name not in schema.names]
    missing += [name for name in ("source", "max_pixels") if name.encode() not in (schema.metadata or {})]
    if missing:
        raise UserError(
            "output-of-earlier-version",
            f"{path} lacks {', '.join(missing)}: it is not by this pipeline; run `dvc repro ingest`",
        )
    count: int = footer.num_rows
    return count


def _labels(batch: pa.RecordBatch, classes: list[str] | None) -> npt.NDArray[Any]:
    if classes is None:
        return np.full(len(batch), _NO_LABEL)
    labels: npt.NDArray[Any] = batch["label"].fill_null(_NO_LABEL).to_numpy()
    unknown = np.flatnonzero((labels < 0) | (labels >= len(classes)))
    if len(unknown):
        key, label = batch["key"][int(unknown[0])].as_py(), labels[unknown[0]]
        raise UserError(
            "label-out-of-range",
            f"image {key!r} has the label {label}, but there are {counted(len(classes), 'class')}: ingest again",
        )
    return labels
