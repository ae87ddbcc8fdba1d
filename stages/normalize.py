"""Normalize: every image to one shape, in [-1,1], in a train and a holdout split.

Reads data/raw. Writes data/normalized/{train,holdout}, data/normalized/stats.parquet (a row an image),
data/normalized/manifest.json, provenance/normalize.json. The work on pixels is in stages/images.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stages.common.errors import UserError, run_stage
from stages.common.files import replacing, replacing_directory, write_json
from stages.common.params import Normalize, load_section
from stages.common.progress import progress_bar
from stages.common.provenance import recorded
from stages.common.shards import class_names, read_tables, shards, tensor_schema
from stages.common.truth import Truth, truth_in
from stages.images.decode import UndecodableError, decode
from stages.images.fit import fitted, tensor
from stages.images.split import Mask, Tickets, random_split, ticket
from stages.images.writer import STATS, Origin, SplitWriter

RAW = Path("data/raw")
NORMALIZED = Path("data/normalized")
Sides = dict[str, SplitWriter]
"""The writers of the splits "train" and "holdout"."""

_COLUMNS = ["image", "label", "key", "sha256", "split"]
_NO_LABEL = -1
_BATCH = 256
_LISTED = 100
_NAMED = 3


@dataclass(frozen=True)
class RawSet:
    """What is known of the raw images before any is decoded."""

    classes: list[str] | None
    source: dict[str, str]
    max_pixels: int
    labels: list[int]
    """By image; -1 where it has none."""
    tickets: Tickets
    official: Mask | None
    """True where an image is in the source's test set; None where the source has none."""
    truth: Truth | None
    """What the images are drawn from, where that is known."""


@dataclass(frozen=True)
class Broken:
    key: str
    reason: str


def main() -> None:
    params = load_section(Normalize)
    with recorded("normalize", params) as facts:
        manifest = normalize(params, RAW, NORMALIZED)
        facts["images"] = manifest["counts"]["read"]
    print("\n".join([*summary(manifest), f"written to {NORMALIZED}"]))


def normalize(params: Normalize, raw: Path, output: Path) -> dict[str, Any]:
    """Write the normalized images of `raw` into `output`, all files or none; return the manifest.

    Reads twice: labels and hashes, to decide the split; then the images. Memory: a shard of each side.
    Raises UserError where too many images are broken, or a split would be empty.
    """
    known = read_raw_set(raw, params.split_seed)
    _check_shape(params, known.truth)
    held_out, kind = _split(params, known)
    names = ["train", "holdout"]
    with ExitStack() as outputs:
        folders = {name: outputs.enter_context(replacing_directory(output / name)) for name in names}
        stats_path = outputs.enter_context(replacing(output / "stats.parquet"))
        manifest_path = outputs.enter_context(replacing(output / "manifest.json"))
        schema = tensor_schema((params.channels, params.height, params.width), known.classes)
        with pq.ParquetWriter(stats_path, STATS) as stats:
            sides = {name: SplitWriter(folders[name], name, schema, params.shard_images, stats) for name in names}
            broken = _write_images(params, raw, known, held_out, sides)
            for side in sides.values():
                side.flush()
        _check_sides(sides, broken)
        manifest = _manifest(params, known, kind, sides, broken)
        write_json(manifest_path, manifest)
    return manifest


def read_raw_set(raw: Path, split_seed: int) -> RawSet:
    """Read the columns that decide the split, and the schema's notes. Raises UserError on shards not by ingest."""
    schema = _raw_schema(raw)
    classes = class_names(schema)
    labels: list[int] = []
    tickets: list[int] = []
    splits: list[str | None] = []
    for table in read_tables(raw, columns=["label", "key", "sha256", "split"]):
        labels += _labels(table, classes)
        tickets += [ticket(split_seed, sum_) for sum_ in table["sha256"].to_pylist()]
        splits += table["split"].to_pylist()
    has_test = {"train", "test"} <= set(splits)
    return RawSet(
        classes=classes,
        source=json.loads(schema.metadata[b"source"]),
        max_pixels=int(schema.metadata[b"max_pixels"]),
        labels=labels,
        tickets=np.array(tickets, np.uint64),
        official=np.array([split == "test" for split in splits]) if has_test else None,
        truth=truth_in({"truth": json.loads(schema.metadata.get(b"truth", b"null"))}),
    )


def _check_shape(params: Normalize, truth: Truth | None) -> None:
    """A point's coordinates must not be resized."""
    if truth is not None and truth.shape != (params.channels, params.height, params.width):
        channels, height, width = truth.shape
        raise UserError(
            f"the points are pictures of {width} x {height} pixels, a pixel a coordinate, and must stay so: "
            f"set normalize.channels to {channels}, height to {height}, width to {width}"
        )


def _raw_schema(raw: Path) -> pa.Schema:
    path = shards(raw)[0]
    try:
        schema: pa.Schema = pq.read_schema(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path} cannot be read as Parquet ({error}): remove it and run `dvc repro`") from None
    missing = [name for name in _COLUMNS if name not in schema.names]
    missing += [name for name in ("source", "max_pixels") if name.encode() not in (schema.metadata or {})]
    if missing:
        raise UserError(f"{path} lacks {', '.join(missing)}: it is not by this pipeline; run `dvc repro ingest`")
    return schema


def _labels(table: pa.Table, classes: list[str] | None) -> list[int]:
    labels: list[int] = table["label"].fill_null(_NO_LABEL).to_pylist()
    if classes is None:
        return [_NO_LABEL] * len(labels)
    for label, key in zip(labels, table["key"].to_pylist(), strict=True):
        if not 0 <= label < len(classes):
            raise UserError(f"image {key!r} has the label {label}, but there are {len(classes)} classes: ingest again")
    return labels


def _split(params: Normalize, known: RawSet) -> tuple[Mask, str]:
    if params.split == "auto" and known.official is not None:
        return known.official, "source"
    return random_split(known.tickets, known.labels, params.holdout), "random"


def _write_images(params: Normalize, raw: Path, known: RawSet, held_out: Mask, sides: Sides) -> list[Broken]:
    """Decode all images into their sides; return those that cannot be, at most the allowed share."""
    broken: list[Broken] = []
    total = len(held_out)
    with progress_bar("normalize", total) as bar:
        for number, row in enumerate(_rows(raw)):
            label = None if known.classes is None else row["label"]
            try:
                picture = decode(row["image"]["bytes"], params.channels, known.max_pixels)
            except UndecodableError as reason:
                broken.append(Broken(row["key"], str(reason)))
                _check_share(broken, total, params.max_broken)
            else:
                image = tensor(fitted(picture.image, params.height, params.width, params.fit), params.channels)
                origin = Origin(row["key"], label, picture.mode, picture.channels, picture.height, picture.width)
                sides["holdout" if held_out[number] else "train"].add(image, origin)
            bar.update()
    return broken


def _rows(raw: Path) -> Iterator[dict[str, Any]]:
    for table in read_tables(raw, columns=["image", "label", "key"]):
        for batch in table.to_batches(max_chunksize=_BATCH):
            yield from batch.to_pylist()


def _check_share(broken: list[Broken], total: int, max_broken: float) -> None:
    """Stop as soon as it is certain that there are too many."""
    if len(broken) > max_broken * total:
        raise UserError(
            f"{len(broken)} of the {total} images cannot be decoded and there may be more, over normalize.max_broken "
            f"({max_broken:g}); the first are {_named(broken)}: mend or remove them, or raise that limit"
        )


def _named(broken: list[Broken]) -> str:
    return ", ".join(f"{image.key!r} ({image.reason})" for image in broken[:_NAMED])


def _check_sides(sides: Sides, broken: list[Broken]) -> None:
    counts = {name: side.labels.total() for name, side in sides.items()}
    if sum(counts.values()) < 2:
        first = f" (broken: {_named(broken)})" if broken else ""
        raise UserError(
            f"only {sum(counts.values())} image(s) could be decoded{first}: two are needed, better hundreds"
        )
    for side, count in counts.items():
        if not count:
            raise UserError(
                f"the {side} split would be empty: a class is split only if it has two different images; "
                "add images, or set normalize.split to random"
            )


def _manifest(params: Normalize, known: RawSet, kind: str, sides: Sides, broken: list[Broken]) -> dict[str, Any]:
    shape = [params.channels, params.height, params.width]
    counts = {name: side.labels.total() for name, side in sides.items()}
    content = json.dumps([shape, known.classes, {name: side.fingerprint() for name, side in sides.items()}])
    return {
        "shape": shape,
        "range": [-1, 1],
        "classes": known.classes,
        "counts": {**counts, "read": sum(counts.values()) + len(broken), "broken": len(broken)},
        "class_counts": _class_counts(known.classes, sides),
        "broken": [{"key": image.key, "reason": image.reason} for image in broken[:_LISTED]],
        "split": {"kind": kind, "holdout": params.holdout, "seed": params.split_seed},
        "source": known.source,
        "truth": None if known.truth is None else known.truth.to_json(),
        "fingerprint": hashlib.sha256(content.encode()).hexdigest(),
    }


def _class_counts(classes: list[str] | None, sides: Sides) -> dict[str, dict[str, int]] | None:
    if classes is None:
        return None
    return {side: {name: writer.labels[label] for label, name in enumerate(classes)} for side, writer in sides.items()}


def summary(manifest: dict[str, Any]) -> list[str]:
    """What was made, in a few lines; broken images by name."""
    counts, (channels, height, width) = manifest["counts"], manifest["shape"]
    by = "the source's own test set" if manifest["split"]["kind"] == "source" else "at random, by class"
    lines = [
        f"normalized {counts['train'] + counts['holdout']} images to {channels} x {height} x {width} in [-1,1]: "
        f"{counts['train']} train, {counts['holdout']} holdout ({by})"
    ]
    if counts["broken"]:
        lines.append(f"{counts['broken']} of {counts['read']} images are broken and left out:")
        lines += [f"  {image['key']!r}: {image['reason']}" for image in manifest["broken"]]
    if counts["broken"] > _LISTED:
        lines.append(f"  and {counts['broken'] - _LISTED} more")
    return lines


if __name__ == "__main__":
    run_stage(main)
