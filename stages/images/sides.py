"""The two sides of a split, once their images are written: what is known of each, and the advice where one is empty."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stages.common.errors import UserError, counted
from stages.images.statistics import ATTRIBUTES, DOMAIN, PARTNER
from stages.images.work import SIDES, Finished, broken_in, with_reasons


@dataclass
class Side:
    """What is known about a split once it is written."""

    labels: Counter[int | None] = field(default_factory=Counter)
    """Number of images by label."""
    domains: Counter[int] = field(default_factory=Counter)
    """Number of images by domain; empty unless there are two domains."""
    digest: Any = field(default_factory=hashlib.sha256)
    """Over labels or attributes, domains, and pixels, in order."""

    def add(self, stats: pa.Table) -> None:
        names = ["label", "pixel_sha256", *({PARTNER.name, DOMAIN.name} & set(stats.schema.names))]
        columns = [stats[name].cast(pa.string()).fill_null("None") for name in names]
        if ATTRIBUTES.name in stats.schema.names:
            columns.append(pa.array(map(str, stats[ATTRIBUTES.name].to_pylist()), pa.string()))
        lines = pc.binary_join_element_wise(*columns, " ").to_pylist()
        self.labels.update(stats["label"].to_pylist())
        if DOMAIN.name in stats.schema.names:
            self.domains.update(stats[DOMAIN.name].to_pylist())
        self.digest.update("".join(f"{line}\n" for line in lines).encode())


Sides = dict[str, Side]


def gather(parts: list[Path], path: Path) -> Sides:
    """Write one table of all shards' figures, in order; returns the facts of each split."""
    sides = {name: Side() for name in SIDES}
    with pq.ParquetWriter(path, pq.read_schema(parts[0]), compression="zstd") as writer:
        for part in parts:
            table = pq.read_table(part, use_threads=False)  # each thread would keep its own memory
            writer.write_table(table)
            for name, side in sides.items():
                side.add(table.filter(pc.equal(table["split"], name)))
    return sides


def require_images(sides: Sides, finished: list[Finished], kind: str) -> None:
    """Raise UserError if one of them has none, with what to do; `kind` is that of the split."""
    counts = {name: side.labels.total() for name, side in sides.items()}
    count, broken = broken_in(finished)
    if sum(counts.values()) < 2:
        first = f" (broken: {with_reasons(broken)})" if broken else ""
        raise UserError(
            "images-too-few",
            f"only {counted(sum(counts.values()), 'image')} could be used{first}: two are needed, better hundreds",
        )
    for side, images in counts.items():
        if not images:
            raise UserError("split-empty", f"the {side} split would be empty: {_way_out(sides, kind, count)}")


def _way_out(sides: Sides, kind: str, broken: int) -> str:
    """Why a split has no images, and what to do."""
    labels = sum((side.labels for side in sides.values()), Counter[int | None]())
    if kind == "source":
        why = "none of the source's own could be used" if broken else "the source has none for it"
        return f"{why}; mend them, or set normalize.split to random"
    if set(labels) == {None}:
        return "all images are the same, nearly, or of one group; add others, or set normalize.near_copies to null"
    if max(labels.values()) == 1:
        return (
            f"each of the {len(labels)} classes has one image, and a class needs one in either split; add images to "
            "them, or train without classes: set ingest.labels to false, and train.family to one such as infogan"
        )
    return (
        "a class is split only if it has two different images that are of no one group; add images, or train without "
        "classes: set ingest.labels to false, and train.family to one such as infogan"
    )
