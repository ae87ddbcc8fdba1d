"""Ingest: images as they came into Parquet.

Reads the source that `params.yaml` names (stages/sources). Writes data/raw, provenance/ingest.json.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from stages.common.errors import UserError, run_stage
from stages.common.files import replacing_directory
from stages.common.params import Ingest, load_section
from stages.common.progress import progress_bar
from stages.common.provenance import recorded
from stages.common.shards import encoded_schema, write_encoded
from stages.sources import RawImage, Source, open_source

RAW = Path("data/raw")
COLUMNS = {"key": pa.string(), "sha256": pa.string(), "split": pa.string()}
_SHOWN_CLASSES = 20

Counts = Counter[tuple[str | None, int | None]]
"""Images by (split, label)."""


def main() -> None:
    params = load_section(Ingest)
    with recorded("ingest", params) as facts:
        source = open_source(params)
        counts = ingest(source, params, RAW)
        facts["images"] = counts.total()
    print("\n".join([*summary(source, counts), f"written to {RAW}"]))


def ingest(source: Source, params: Ingest, output: Path) -> Counts:
    """Write all images of `source` as shards into `output`, which is replaced whole or not at all.

    Columns: image {bytes, path}, label, key, sha256 (of the bytes), split. Memory: one shard. Raises UserError on
    fewer than two images, and whatever the source raises.
    """
    counts: Counts = Counter()
    with replacing_directory(output) as partial:
        rows = _rows(source.images, counts)
        total = write_encoded(partial, rows, schema_of(source, params.max_pixels), params.shard_images)
        if total < 2:
            raise UserError(
                f"{source.origin} holds {total} image(s): training and measuring need two, and better hundreds"
            )
    return counts


def schema_of(source: Source, max_pixels: int) -> pa.Schema:
    """The layout of raw shards; its metadata also says where the images are from, their size limit, and the truth."""
    schema = encoded_schema(source.classes, COLUMNS)
    about = {"name": source.name, "licence": source.licence, "origin": source.origin}
    known = {"source": json.dumps(about), "max_pixels": str(max_pixels)}
    known |= {} if source.truth is None else {"truth": json.dumps(source.truth.to_json())}
    return schema.with_metadata({**schema.metadata, **known})


def _rows(images: Iterable[RawImage], counts: Counts) -> Iterator[dict[str, Any]]:
    keys: set[str] = set()
    with progress_bar("ingest", total=None) as bar:
        for image in images:
            if image.key in keys:
                raise UserError(f"two images have the key {image.key!r}: rename one")
            keys.add(image.key)
            counts[image.split, image.label] += 1
            yield {
                "image": {"bytes": image.content, "path": image.path},
                "label": image.label,
                "key": image.key,
                "sha256": hashlib.sha256(image.content).hexdigest(),
                "split": image.split,
            }
            bar.update()


def summary(source: Source, counts: Counts) -> list[str]:
    """What was read, in a few lines."""
    by_split: Counter[str] = Counter()
    by_label: Counter[int] = Counter()
    for (split, label), count in sorted(counts.items(), key=str):
        by_split[split or ""] += count
        by_label[-1 if label is None else label] += count
    splits = "".join(f", {count} {split}" for split, count in by_split.items() if split)
    lines = [f"ingested {counts.total()} images from {source.name} ({source.origin}){splits}"]
    if source.classes is not None:
        shown = [f"{name} {by_label[label]}" for label, name in enumerate(source.classes[:_SHOWN_CLASSES])]
        more = len(source.classes) - len(shown)
        lines.append(f"{len(source.classes)} classes: {', '.join(shown)}{f' and {more} more' if more else ''}")
    return lines + source.notes


if __name__ == "__main__":
    run_stage(main)
