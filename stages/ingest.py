"""Ingest: images as they came into Parquet.

Reads the source that `params.yaml` names (stages/sources; `python -m stages.ingest --sources` lists them).
Writes data/raw, provenance/ingest.json. A killed run goes on at its last finished shard, kept in .resume/ingest.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stages.common.energy import Meter
from stages.common.errors import UserError, counted, quoted, run_stage
from stages.common.files import fingerprint_of, link_or_copy, replacing_directory
from stages.common.foresight import foreseen_of_names
from stages.common.identity import code_of
from stages.common.mapping import ahead
from stages.common.params import Ingest, load_section
from stages.common.provenance import recorded
from stages.common.raw_shards import (
    ATTRIBUTES,
    COLUMNS,
    DOMAIN,
    GROUP,
    MAPS,
    PARTNER,
    Counts,
    Done,
    RawRow,
    RawShards,
    chained,
)
from stages.common.shards import encoded_schema
from stages.common.stage import explain_interrupt, parser_of, progress_bar
from stages.sources import RawImage, Source, content_of, open_source
from stages.sources.frames import frame_count, frames
from stages.sources.limits import checked

RAW = Path("data/raw")
RESUME = Path(".resume/ingest")
_SHOWN_CLASSES = 20


class StaleError(UserError):
    """The source has changed since a killed run finished its shards."""


def main() -> None:
    params = load_section(Ingest)
    meter = Meter()
    with recorded("ingest", params, meter) as facts:
        try:
            source = open_source(params)
            say_layout(source)
            say_misfits(source)
            counts = ingest(source, params, RAW, meter=meter)
        except StaleError as stale:
            print(stale)
            source = open_source(params)
            counts = ingest(source, params, RAW, meter=meter)
        facts["images"] = counts.total()
    print("\n".join([*summary(source, counts), f"written to {RAW}"]))


def say_misfits(source: Source) -> None:
    """Print what a later stage will refuse, as soon as names show it; the ingested images also serve other params."""
    for problem in foreseen_of_names(source.known):
        print(f"note: params.yaml: {problem}", file=sys.stderr)


def say_layout(source: Source) -> None:
    """Print how the names of the source were understood, before anything is read."""
    for sentence in source.layout:
        print(f"{source.name}: {sentence}")


def ingest(
    source: Source, params: Ingest, output: Path, resume: Path = RESUME, *, meter: Meter | None = None
) -> Counts:
    """Write all images of `source` as shards into `output`, which is replaced whole or not at all.

    Columns: image {bytes, path}, label, key, sha256 (of the bytes), split; for pairs also partner {bytes, path} and the
    bytes of maps; and group, attributes and domain if images have them. Memory: a row group. Raises UserError on fewer
    than two images, on two with one key, and as the source does; StaleError if the source has changed since the shards
    in `resume`, which are then removed.
    """
    shards = RawShards(resume, _fingerprint(params), meter)
    done, schema = shards.done.images, schema_of(source, params.max_pixels)
    with explain_interrupt(shards.how_to_resume), progress_bar("ingest", source.count, done=shards.done.files) as bar:
        rows = _rows(_after(source, shards, schema, params.frames), source, params, bar.update)
        taken = shards.done.of_last if params.frames == "all" else 0
        shards.write(islice(rows, taken, None), schema, params.shard_images)
    if shards.done.images < 2:
        shards.forget()
        raise UserError(
            "images-too-few",
            f"{source.origin} holds {counted(shards.done.images, 'image')}: training and measuring need two, better "
            "hundreds",
        )
    _check_keys(shards.shards(), shards.done.images)
    with replacing_directory(output) as partial:
        for path in shards.shards():
            link_or_copy(path, partial / path.name)
    shards.forget()
    source.notes.extend(_cut_short(shards.done))
    if done:
        source.notes.append(f"went on after {done} images, finished by a run that was stopped")
    return shards.done.counter()


def schema_of(source: Source, max_pixels: int) -> pa.Schema:
    """The layout of raw shards; its metadata also have the images' source, their size limit, and the medium."""
    more = (PARTNER if source.paired else {}) | (GROUP if source.grouped else {})
    more |= MAPS if source.maps else {}
    more |= (ATTRIBUTES if source.attributes else {}) | (DOMAIN if source.domains else {})
    schema = encoded_schema(source.classes, COLUMNS | more, shown_as=source.medium.shown_as)
    about = {"name": source.name, "license": source.license, "origin": source.origin}
    known = {"source": json.dumps(about), "max_pixels": str(max_pixels)}
    known |= {} if source.attributes is None else {"attributes": json.dumps(source.attributes)}
    known |= {} if source.domains is None else {"domains": json.dumps(source.domains)}
    known |= {"maps": str(source.maps)} if source.maps else {}
    known |= {"medium": json.dumps(source.medium.to_json())}
    return schema.with_metadata({**schema.metadata, **known})


def _fingerprint(params: Ingest) -> str:
    """A digest: with other params, or another version of the code, an ingest begins anew."""
    return fingerprint_of({"params": params.model_dump(), "code": code_of("ingest", source=params.source)})


def _after(source: Source, shards: RawShards, schema: pa.Schema, frames: Literal["first", "all"]) -> Iterator[RawImage]:
    """The files after those of the finished shards, which are not read again but must be the same.

    The shards' facts must also be the same: a table may have new names of classes or attributes.
    If all pictures of a file are taken, the last file comes again, since it may have more of them.
    """
    images, trace = iter(source.images), ""
    last: list[RawImage] = []
    for image in islice(images, shards.done.files):
        trace, last = chained(trace, _trace(image)), [image]
    finished = [pq.read_schema(path) for path in shards.shards()[:1]]
    said_otherwise = any((one.names, one.metadata) != (schema.names, schema.metadata) for one in finished)
    if trace != shards.done.trace or said_otherwise:
        shards.forget()
        raise StaleError(
            "source-changed", f"{source.origin} has changed since the run that was stopped: beginning anew"
        )
    return chain(last, images) if frames == "all" else images


def _trace(image: RawImage) -> str:
    condition = image.label if image.attributes is None else image.attributes
    return json.dumps([image.key, condition, image.split, image.group, image.domain, image.stamp])


def _rows(images: Iterable[RawImage], source: Source, params: Ingest, seen: Callable[[], object]) -> Iterator[RawRow]:
    if params.strip_metadata and not source.medium.of_pictures:
        raise UserError(
            "settings-of-pictures",
            f"ingest.strip_metadata is a setting of pictures, and {source.medium.lacks['picture files']}: set it to "
            "false",
        )
    kept = _kept(params.strip_metadata)
    for image, read in _read(images, source.readers):
        _check_label(image, source.classes)
        count = frame_count(read.image, params.max_pixels) if source.medium.of_pictures else 1
        maps = tuple(map(kept, read.maps))
        for picture, beside in _pictures(image, read.image, read.partner, params, count):
            partner_kept = None if beside is None else kept(beside)
            yield replace(picture, content=kept(picture.content), partner=partner_kept, maps=maps)
        seen()


def _pictures(
    image: RawImage, content: bytes, partner: bytes | None, params: Ingest, count: int
) -> Iterator[tuple[RawRow, bytes | None]]:
    """The row of a file, or of each of its `count` pages or frames if all are taken; each with its partner."""
    limit = params.max_pixels
    row = RawRow(
        image.key, image.path, content, image.label, image.split, None, _trace(image), image.group, image.attributes,
        image.domain, left_out=count - 1,
    )  # fmt: skip
    if params.frames == "first" or count == 1:
        yield row, partner
        return
    if partner is not None and frame_count(partner, limit) != count:
        raise UserError(
            "frames-of-pairs-differ",
            f"{quoted(image.key)} has {count} pages or frames and its partner another number: "
            "set ingest.frames to first",
        )
    partners = repeat(None) if partner is None else frames(partner, limit)
    for number, (one, beside) in enumerate(zip(frames(content, limit), partners, strict=False)):
        key = f"{image.key}#{number:04d}"
        trace = row.trace if number == 0 else None
        checked(key, one, limit)
        yield replace(row, key=key, content=one, trace=trace, left_out=0), beside


def _cut_short(done: Done) -> list[str]:
    if not done.left_out:
        return []
    files, pictures = counted(done.cut_short, "file"), done.left_out
    return [
        f"{files} with several pages or frames: the first of each is taken, the other {pictures} are left out "
        "(ingest.frames: all takes them)"
    ]


def _kept(strip_metadata: bool) -> Callable[[bytes], bytes]:
    """The part of a file that is kept: all, or all without its metadata."""
    if not strip_metadata:
        return lambda content: content
    from stages.sources.metadata import stripped

    return stripped


class Contents(NamedTuple):
    """The contents of an image, its partner and its maps."""

    image: bytes
    partner: bytes | None
    maps: tuple[bytes, ...]


def _read(images: Iterable[RawImage], readers: int) -> Iterator[tuple[RawImage, Contents]]:
    """Images with their contents, in order; with several readers, some are read ahead."""
    return map(_contents, images) if readers == 1 else ahead(_contents, images, readers)


def _contents(image: RawImage) -> tuple[RawImage, Contents]:
    partner = None if image.partner is None else content_of(image.partner)
    return image, Contents(content_of(image.content), partner, tuple(map(content_of, image.maps)))


def _check_label(image: RawImage, classes: list[str] | None) -> None:
    if image.label is not None and not 0 <= image.label < len(classes or []):
        known = "no classes" if classes is None else counted(len(classes), "class")
        raise UserError(
            "label-out-of-range",
            f"image {image.key!r} has the label {image.label}, but there are {known}: mend the source",
        )


def _check_keys(shards: list[Path], count: int) -> None:
    """Refuse two images with one key; memory: a number for each image."""
    numbers = np.empty(count, np.int64)
    start = 0
    for keys in _keys(shards):
        numbers[start : start + len(keys)] = [hash(key) for key in keys]
        start += len(keys)
    numbers.sort()
    alike = set(numbers[1:][numbers[1:] == numbers[:-1]].tolist())
    if alike:  # hashes may be equal by chance
        found = Counter(key for keys in _keys(shards) for key in keys if hash(key) in alike)
        key, times = found.most_common(1)[0]
        if times > 1:
            form = "" if key.isascii() else " (in one Unicode form, NFC)"
            raise UserError("key-twice", f"two images have the key {quoted(key)}{form}: rename one")


def _keys(shards: list[Path]) -> Iterator[list[str]]:
    for path in shards:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=["key"]):
                yield batch["key"].to_pylist()


def summary(source: Source, counts: Counts) -> list[str]:
    """What was ingested, in a few lines."""
    by_split: Counter[str] = Counter()
    by_label: Counter[int] = Counter()
    for (split, label), count in sorted(counts.items(), key=str):
        by_split[split or ""] += count
        by_label[-1 if label is None else label] += count
    splits = "".join(f", {count} {split}" for split, count in by_split.items() if split)
    many = source.medium.words.many
    lines = [f"ingested {counts.total()} {many} from {source.name} ({source.origin}){splits}"]
    if source.classes is not None:
        named = [f"{name} {by_label[label]}" for label, name in enumerate(source.classes[:_SHOWN_CLASSES])]
        more = len(source.classes) - len(named)
        known = counted(len(source.classes), "class")
        lines.append(f"{known}: {', '.join(named)}{f' and {more} more' if more else ''}")
    if source.attributes is not None:
        lines.append(f"{counted(len(source.attributes), 'attribute')}: {', '.join(source.attributes[:_SHOWN_CLASSES])}")
    return lines + source.notes


def print_sources(name: str) -> None:
    from stages.sources.listing import listing

    print(listing(name))


if __name__ == "__main__":
    options = parser_of("stages.ingest", __doc__)
    words = "print the sources, or the one of that name, with their options, and end"
    options.add_argument("--sources", nargs="?", const="", metavar="NAME", help=words)
    asked = options.parse_args().sources
    run_stage(partial(print_sources, asked) if asked is not None else main)
