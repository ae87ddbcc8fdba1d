"""One raw shard to its own parts of both splits, in any number of processes side by side, each with its shards.

A finished shard is a folder, named by its number and a digest of all that decides its bytes:
    train/part-*.parquet, holdout/part-*.parquet, stats.parquet, done.json
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from math import ceil, prod
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stages.common.files import fingerprint_of, read_json, replacing_directory, sha256_of, write_json
from stages.common.levels import FloatImages, Images, compact, floats
from stages.common.marks import Mark, mark_in
from stages.common.params import Normalize
from stages.common.shards import tensor_table
from stages.images.decode import Decoded, UndecodableError, decode
from stages.images.deep import Levels, Picture
from stages.images.fit import Geometry, TooSmallError, fitted
from stages.images.partners import NoPartnerError, damage_by_chance, halves, made, partner_shape, place
from stages.images.raw import raw_rows
from stages.images.split import Mask, ticket
from stages.images.statistics import Origin, stats_schema, stats_table
from stages.images.tensors import tensors
from stages.images.writer import PartsWriter
from stages.media.medium import Medium, UnusableError

SIDES = ("train", "holdout")
STATS, DONE = "stats.parquet", "done.json"
LISTED = 100
"""How many broken images are named; the others are only counted."""
_NAMED = 3
_AT_ONCE = 2**20
"""Bytes of tensors that are made at once, so that they stay in a processor's cache."""
_MOST_AT_ONCE = 256
_UNUSABLE = (UndecodableError, TooSmallError, NoPartnerError, UnusableError)


@dataclass(frozen=True)
class Job:
    """The settings that are equal for all shards."""

    params: Normalize
    classes: list[str] | None
    max_pixels: int
    paired: bool
    """Whether images come with partners."""
    maps: int
    """How many maps join each partner that is used."""
    attributes: list[str] | None
    """Names of the attributes; None without attributes."""
    domains: list[str] | None
    """Names of the two domains; None if there is only one."""
    most_broken: int
    """More broken images than this stop the stage."""
    folder: Path
    """The folder of the finished shards."""
    medium: Medium
    """The kind of data."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, *S) of the normalized images."""
        return self.params.shape_of(self.medium.sides)

    @property
    def partners(self) -> bool:
        return self.paired or self.params.partner is not None

    @property
    def partner_shape(self) -> tuple[int, ...]:
        """(S, *S) of partners."""
        return partner_shape(self.params, self.medium.sides, self.maps)


@dataclass(frozen=True)
class Shard:
    number: int
    path: Path
    held_out: Mask
    """True for each image of the holdout."""


@dataclass(frozen=True)
class Broken:
    key: str
    reason: str


def with_reasons(broken: Sequence[Broken]) -> str:
    """The first few and why; what is so for all of these is said once."""
    reasons = {image.key: image.reason for image in broken[:_NAMED]}
    if len(reasons) > 1 == len({*reasons.values()}):
        return f"{', '.join(map(repr, reasons))} (of each: {broken[0].reason})"
    return ", ".join(f"{key!r} ({reason})" for key, reason in reasons.items())


@dataclass(frozen=True)
class Finished:
    folder: Path
    images: int
    """How many images were read, with broken ones."""
    broken: int
    first_broken: list[Broken]
    makers: list[Mark]
    """The marks of partners and maps that a model made."""


def broken_in(finished: list[Finished]) -> tuple[int, list[Broken]]:
    """How many images are broken, and the first few of them."""
    first = [image for one in finished for image in one.first_broken]
    return sum(one.broken for one in finished), first[:LISTED]


@dataclass(frozen=True)
class Normal:
    """An image at its new size, with its partner and the partner's maps, if it came with them."""

    image: Picture | FloatImages
    """A picture, or a sample `[C,*S]` of another medium."""
    beside: tuple[Picture | FloatImages, ...]
    """The partner, then the maps."""
    ticket: int
    """Its random ticket in [0, 2**64), by its content."""
    origin: Origin
    attributes: list[float] | None
    makers: frozenset[Mark] = frozenset()
    """The marks of its partner and maps."""


class TooManyBrokenError(Exception):
    """The shard has too many broken images to continue."""


def normalize_shard(job: Job, shard: Shard) -> Finished:
    """Write a shard's parts, all or none, unless they are there; return their facts.

    With more broken images than `job.most_broken` it stops early and writes nothing. Memory: a row group of each split.
    """
    folder = job.folder / f"{shard.number:05d}-{_identity(job, shard)}"
    if not folder.exists():
        for outdated in job.folder.glob(f"{shard.number:05d}-*"):
            shutil.rmtree(outdated)
        broken: list[Broken] = []
        try:
            with replacing_directory(folder) as partial:
                made_by = [asdict(mark) for mark in sorted(_write(job, shard, partial, broken), key=str)]
                named = [asdict(image) for image in broken[:LISTED]]
                write_json(partial / DONE, {"broken": len(broken), "first_broken": named, "makers": made_by})
        except TooManyBrokenError:
            return Finished(folder, len(shard.held_out), len(broken), broken[:LISTED], [])
    found = read_json(folder / DONE)
    first = [Broken(**image) for image in found["first_broken"]]
    return Finished(folder, len(shard.held_out), found["broken"], first, [Mark(**one) for one in found["makers"]])


def _identity(job: Job, shard: Shard) -> str:
    about = {"raw": sha256_of(shard.path), "held_out": shard.held_out.tobytes().hex()}
    return fingerprint_of(about)[:16]


def _write(job: Job, shard: Shard, folder: Path, broken: list[Broken]) -> set[Mark]:
    """Write the parts of a shard; returns the marks of its images' partners and maps."""
    makers = set[Mark]()
    params = job.params
    shapes = [job.shape, *([job.partner_shape] if job.partners else [])]
    values, sides = sum(prod(shape) for shape in shapes), {}
    for side in SIDES:
        (folder / side).mkdir()
        sides[side] = PartsWriter(folder / side, shard.number, values, params.shard_images)
    stats = []
    for rows in _in_batches(job, shard):
        normal = list(_usable(job, rows, broken))
        if len(broken) > job.most_broken:
            raise TooManyBrokenError
        makers.update(*(one.makers for one in normal))
        if normal:
            table, held_out, figures = _tables(job, normal)
            stats.append(figures)
            for side, mask in (("train", ~held_out), ("holdout", held_out)):
                sides[side].add(table.filter(pa.array(mask)))
    for writer in sides.values():
        writer.close()
    schema = stats_schema(job.medium, job.partners, job.attributes is not None, job.domains is not None)
    figures = pa.concat_tables([schema.empty_table(), *stats])
    pq.write_table(figures, folder / STATS, compression="zstd")
    return makers


def _in_batches(job: Job, shard: Shard) -> Iterator[list[dict[str, Any]]]:
    """Rows as dicts: image and partner (bytes), label, attributes, key, sha256, held_out."""
    at_once = max(1, min(_MOST_AT_ONCE, _AT_ONCE // (4 * prod(job.shape))))
    columns = ["image.bytes", "label", "key", "sha256", *(["partner.bytes"] if job.paired else [])]
    columns += ["maps"] if job.maps else []
    columns += (["attributes"] if job.attributes else []) + (["domain"] if job.domains else [])
    first = 0
    for batch in raw_rows(shard.path, columns, at_once):
        rows = batch.to_pylist()
        for row, held_out in zip(rows, shard.held_out[first : first + len(rows)].tolist(), strict=True):
            row["held_out"] = held_out
        first += len(rows)
        yield rows


def _usable(job: Job, rows: list[dict[str, Any]], broken: list[Broken]) -> Iterator[Normal]:
    """The usable images; the reasons of all others go to `broken`."""
    geometry = geometry_of(job.params)
    for row in rows:
        try:
            yield _normal(job, geometry, row) if job.medium.of_pictures else _sample(job, row)
        except _UNUSABLE as reason:
            broken.append(Broken(row["key"], str(reason)))


def _normal(job: Job, geometry: Geometry, row: dict[str, Any]) -> Normal:
    params = job.params
    decoded = _decoded(job, row["image"]["bytes"])
    image, beside = decoded.picture, list[Picture]()
    if params.partner in ("left_right", "right_left"):
        image, *beside = halves(image, params.partner)
    elif params.partner is None and job.paired:
        beside = _partner(job, row)
    drawn = ticket(params.crop_seed, f"place {row['sha256']}")  # like the split's ticket, but a separate draw
    cut = place(drawn) if params.crop_position == "random" else None
    image = fitted(image, geometry, cut)
    origin = _origin(job, row, decoded.mode, (decoded.channels, decoded.height, decoded.width))
    fit, makers = tuple(fitted(one, geometry, cut) for one in beside), _makers(job, row) if beside else frozenset()
    return Normal(image, fit, drawn, origin, row.get("attributes"), makers)


def _sample(job: Job, row: dict[str, Any]) -> Normal:
    """A row's sample, decoded by its medium."""
    content, beside = row["image"]["bytes"], list[FloatImages]()
    if job.paired:
        found, *beside = job.medium.decode_pair(content, _content_of_partner(row), job.params, job.max_pixels)
    else:
        found = job.medium.decode(content, job.params, job.max_pixels)
    return Normal(found.values, tuple(beside), 0, _origin(job, row, found.kind, found.shape), row.get("attributes"))


def _origin(job: Job, row: dict[str, Any], kind: str, shape: tuple[int, ...]) -> Origin:
    label = None if job.classes is None else row["label"]
    return Origin(row["key"], label, row["held_out"], kind, shape, row.get("domain"))


def geometry_of(params: Normalize) -> Geometry:
    enlarge = params.upscale == "allow"
    return Geometry(
        params.height, params.width, params.fit, params.resample, enlarge, params.background, params.reducing_gap
    )


def _decoded(job: Job, content: bytes) -> Decoded:
    params = job.params
    levels = Levels(_number(params.black), _number(params.white))
    least = _least_side(params)
    return decode(content, params.channels, job.max_pixels, params.background, least, levels=levels)


def _number(level: float | str | None) -> float | None:
    assert level != "auto", "found before shards are worked on"
    return None if level is None else float(level)


def _least_side(params: Normalize) -> int | None:
    """The least side of a picture that is averaged while it is decoded, in either orientation."""
    if params.resample == "area" or params.partner in ("left_right", "right_left"):
        return None  # these need an exact size or an even width
    return ceil(params.reducing_gap * max(params.height, params.width))


def _content_of_partner(row: dict[str, Any]) -> bytes:
    content = (row["partner"] or {}).get("bytes")
    if content is None:
        raise NoPartnerError("it has no partner")
    found: bytes = content
    return found


def _partner(job: Job, row: dict[str, Any]) -> list[Picture]:
    """The partner, and the maps that join it."""
    contents = [_content_of_partner(row), *(row["maps"] if job.maps else [])]
    try:
        return [_decoded(job, content).picture for content in contents]
    except UndecodableError as reason:
        raise NoPartnerError(f"its partner: {reason}") from None


def _makers(job: Job, row: dict[str, Any]) -> frozenset[Mark]:
    """The marks in the files of a row's partner and maps."""
    contents = [row["partner"]["bytes"], *(row["maps"] if job.maps else [])] if job.paired else []
    return frozenset(mark for content in contents if (mark := mark_in(content)) is not None)


def _stored(job: Job, samples: list[Any]) -> Images:
    """Pictures, or samples `[C,*S]` of another medium, as they are stored: `[N,C,*S]`."""
    if job.medium.of_pictures:
        return tensors(samples, job.params.channels)
    return compact(np.ascontiguousarray(np.stack(samples), np.float32))


def _joined(parts: list[Images]) -> Images:
    """Pictures `[N,C,H,W]` joined along their channels; levels if all are levels."""
    in_levels = {part.dtype for part in parts} == {np.dtype(np.uint8)}
    joined: Images = np.concatenate(parts if in_levels else [floats(part) for part in parts], 1)
    return joined


def _tables(job: Job, normal: list[Normal]) -> tuple[pa.Table, Mask, pa.Table]:
    """The images as rows of their table, which of them are in the holdout, and their figures."""
    images = _stored(job, [one.image for one in normal])
    origins = [one.origin for one in normal]
    partners: Images | None = None
    if normal[0].beside:
        partners = _joined([_stored(job, list(alike)) for alike in zip(*(one.beside for one in normal), strict=True)])
    elif job.params.partner is not None:
        partners = made(job.params, floats(images), [one.ticket for one in normal])
    labels, keys = [origin.label for origin in origins], [origin.key for origin in origins]
    attributes = [one.attributes for one in normal if one.attributes is not None]
    named = None if job.attributes is None else (job.attributes, attributes)
    damage = damage_by_chance(job.params)
    domains = None if job.domains is None else (job.domains, [origin.domain or 0 for origin in origins])
    table = tensor_table(
        images, labels, keys, job.classes, partners=partners, damage=damage, attributes=named, domains=domains,
        alphabet=job.medium.alphabet,
    )  # fmt: skip
    figures = stats_table(
        images, job.medium, origins, partners, attributes if named else None, domains=domains is not None
    )
    return table, np.array([origin.held_out for origin in origins]), figures
