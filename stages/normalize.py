"""Normalize: every image to one shape, in [-1,1], in a train and a holdout split.

Reads data/raw. Writes data/normalized/{train,holdout}, data/normalized/stats.parquet (a row an image),
data/normalized/manifest.json, provenance/normalize.json. The work on pixels is in stages/images, a raw shard at a time;
what is finished of a killed run is in .resume/normalize.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from stages.common.energy import Meter, Pieces
from stages.common.errors import UserError, counted, run_stage
from stages.common.files import fingerprint_of, link_or_copy, read_json, replacing, replacing_directory, write_json
from stages.common.identity import code_of
from stages.common.mapping import MapShards, map_shards, one_by_one
from stages.common.params import Data, Normalize, load_section
from stages.common.provenance import recorded
from stages.common.stage import explain_interrupt, parser_of, progress_bar
from stages.images.extent import Extent, ExtentOf
from stages.images.near import LEAST_SIDE
from stages.images.partners import partner_shape
from stages.images.raw import Deciding, RawSet, read_deciding, read_raw_set
from stages.images.sides import Sides, gather, require_images
from stages.images.split import Mask, random_split, tied
from stages.images.together import find_alike
from stages.images.work import (
    LISTED,
    SIDES,
    STATS,
    Broken,
    Finished,
    Job,
    Shard,
    broken_in,
    normalize_shard,
    with_reasons,
)
from stages.media import medium_of
from stages.media.settings import require_settings

RAW = Path("data/raw")
NORMALIZED = Path("data/normalized")
RESUME = Path(".resume/normalize")
_UPSCALE = "normalize.upscale"


def main() -> None:
    params, data = load_section(Normalize), load_section(Data)
    root = Path.cwd() if data.runner == "dask" else Path()  # Dask's workers are in other folders
    over_shards, meter = map_shards(data.workers, data.runner), Meter()
    with recorded("normalize", params, meter) as facts:
        manifest = normalize(params, root / RAW, root / NORMALIZED, root / RESUME, over_shards, meter=meter)
        facts["images"] = manifest["counts"]["read"]
    print("\n".join([*summary(manifest), f"written to {NORMALIZED}"]))


def normalize(
    params: Normalize,
    raw: Path,
    output: Path,
    resume: Path,
    over_shards: MapShards = one_by_one,
    *,
    meter: Meter | None = None,
) -> dict[str, Any]:
    """Write the normalized images of `raw` into `output`, all files or none; return the manifest.

    It reads twice: labels and hashes, to decide the split; then images, a shard of `raw` at a time by `over_shards`.
    Finished shards are kept in `resume` until all are finished: a killed run resumes from them, to the same bytes.
    Raises UserError if too many images are broken, or a split would be empty.
    """
    known = read_raw_set(raw)
    require_settings(known.medium, params)
    if known.domains and params.partner is not None:
        raise UserError(
            "domains-with-partners",
            f"normalize.partner = {params.partner!r} makes pairs, and these images are of two domains without pairs: "
            "set it to null, or ingest.domains",
        )
    params = _with_levels(params, known, over_shards)
    deciding = read_deciding(known, params.split_seed)
    job = Job(
        params,
        classes=known.classes,
        max_pixels=known.max_pixels,
        paired=known.paired,
        maps=_maps(params, known),
        attributes=known.attributes,
        domains=known.domains,
        most_broken=int(params.max_broken * len(deciding.labels)),
        folder=_begin(resume, params, known),
        medium=known.medium,
    )
    finish = partial(_finish, job, over_shards, Pieces(job.folder, meter))
    with explain_interrupt(lambda: f"finished shards are kept in {job.folder}; the same command goes on from there"):
        split, finished = _split_and_finish(job, known, deciding, finish)
    manifest = _write(params, known, split, finished, output)
    shutil.rmtree(resume)
    return manifest


def _maps(params: Normalize, known: RawSet) -> int:
    """How many maps join each partner. Raises UserError if they would be taken for something else."""
    maps = known.maps if params.partner is None else 0
    if known.medium.row and params.channels == 1 and maps in (1, 2):
        taken = "a picture and its mask" if maps == 1 else "one in color"
        raise UserError(
            "past-unclear",
            f"{1 + maps} gray frames would be taken for {taken}: set ingest.scenes.past to 1, or 4 or more",
        )
    if maps and params.channels != 3 and not known.medium.row:
        raise UserError(
            "maps-need-color",
            f"ingest.pairs names {2 + maps} folders, and maps go with pictures in color: set normalize.channels to 3",
        )
    return maps


def _with_levels(params: Normalize, known: RawSet, over_shards: MapShards) -> Normalize:
    """`params` with numbers for black and white, found in the images if params ask for it."""
    if "auto" not in (params.black, params.white):
        return params
    with progress_bar("levels", sum(known.counts.values())) as bar:
        extent = Extent()
        for path, one in zip(known.counts, over_shards(ExtentOf(known.max_pixels), list(known.counts)), strict=True):
            extent = extent.joined(one)
            bar.update(known.counts[path])
    return params.model_copy(update=extent.levels(params.black, params.white))


def _split_and_finish(
    job: Job, known: RawSet, deciding: Deciding, finish: Callable[[list[Shard]], list[Finished]]
) -> tuple[dict[str, Any], list[Finished]]:
    """The manifest's facts about the split, and all finished shards.

    A random split that separates near-copies is drawn again, with these tied; shards that it changes are done again.
    """
    params = job.params
    about: dict[str, Any] = {"kind": "random", "holdout": params.holdout, "seed": params.split_seed}
    if params.split == "auto" and deciding.official is not None:
        across = {"torn_groups": deciding.torn_groups} if known.grouped else {}
        return about | {"kind": "source"} | across, finish(_shards(known, deciding.official))
    held_out = random_split(deciding.tickets, deciding.labels, params.holdout)
    redrawn = job.folder / f"split-{fingerprint_of({'first': held_out.tobytes().hex()})[:16]}.json"
    if not redrawn.exists():
        shards = _shards(known, held_out)
        finished = finish(shards)
        if known.medium.recurs and known.grouped:
            return about, finished
        has_looks = known.medium.has_looks and min(params.height, params.width) >= LEAST_SIDE
        near = params.near_copies if has_looks else None
        alike = find_alike(finished, shards, near)
        about |= {} if alike.complete else {"complete": False}
        if not (torn := alike.torn(held_out)):
            return about, finished
        about["torn"] = torn
        held_out = random_split(tied(deciding.tickets, alike.pairs), deciding.labels, params.holdout)
        write_json(redrawn, {"about": about, "held_out": np.packbits(held_out).tobytes().hex()})
    decided = read_json(redrawn)
    bits = np.frombuffer(bytes.fromhex(decided["held_out"]), np.uint8)
    held_out = np.unpackbits(bits, count=len(held_out)).astype(np.bool_)
    return decided["about"], finish(_shards(known, held_out))


def _shards(known: RawSet, held_out: Mask) -> list[Shard]:
    """Each raw shard with its part of the split."""
    parts = np.split(held_out, np.cumsum(list(known.counts.values()))[:-1])
    return [Shard(number, path, part) for number, (path, part) in enumerate(zip(known.counts, parts, strict=True))]


def _begin(resume: Path, params: Normalize, known: RawSet) -> Path:
    """The folder of shards that are finished with these params, this code and these classes."""
    about = {
        "params": params.model_dump(exclude={"max_broken"}),  # it changes no shard, only whether the stage stops
        "code": code_of("normalize", medium=known.medium.name),
        "known": [known.classes, known.max_pixels, *filter(None, (known.attributes, known.domains, known.maps))],
    }
    folder = resume / fingerprint_of(about)[:16]
    folder.mkdir(parents=True, exist_ok=True)
    for other in resume.iterdir():
        if other != folder:
            shutil.rmtree(other)
    if there := len(list(folder.glob("[0-9]*"))):
        print(f"going on: {there} of {len(known.counts)} shards are there from a run that was ended")
    return folder


def _finish(job: Job, over_shards: MapShards, pieces: Pieces, shards: list[Shard]) -> list[Finished]:
    """All finished shards; raises UserError if they have more broken images than the job allows."""
    total, finished = sum(len(shard.held_out) for shard in shards), list[Finished]()
    with progress_bar("normalize", total) as bar:
        for one in over_shards(partial(normalize_shard, job), shards):
            finished.append(one)
            pieces.note()
            bar.update(one.images)
            count, first = broken_in(finished)
            if count > job.most_broken:
                raise UserError(
                    "images-broken",
                    f"{count} of the {total} {job.medium.words.many} cannot be used and there may be more, over "
                    f"normalize.max_broken; the first are {with_reasons(first)}: {_advice(first, job.medium.sides)}",
                )
    return finished


def _advice(broken: list[Broken], sides: Sequence[str]) -> str:
    """Advice on broken images: if all reasons ask for a setting, or a larger size, the files are not at fault."""
    settings = all("ingest.options." in image.reason for image in broken)
    small = [_UPSCALE in image.reason for image in broken]
    if not any(small):
        return f"{'set what they ask for' if settings else 'mend or remove them'}, or raise that limit"
    allow = f"set {_UPSCALE} to allow, or lower normalize.{' and '.join(sides)}"
    others = " for those that are too small; mend or remove the others, or raise that limit"
    return allow if all(small) else f"{allow}{others}"


def _write(
    params: Normalize, known: RawSet, split: dict[str, Any], finished: list[Finished], output: Path
) -> dict[str, Any]:
    """Put the parts of all shards into the output, with one table of figures; return the manifest."""
    with ExitStack() as outputs:
        folders = {name: outputs.enter_context(replacing_directory(output / name)) for name in SIDES}
        stats_path = outputs.enter_context(replacing(output / STATS))
        manifest_path = outputs.enter_context(replacing(output / "manifest.json"))
        for one in finished:
            for name, folder in folders.items():
                for part in (one.folder / name).iterdir():
                    link_or_copy(part, folder / part.name)
        sides = gather([one.folder / STATS for one in finished], stats_path)
        require_images(sides, finished, split["kind"])
        manifest = _manifest(params, known, split, sides, finished)
        write_json(manifest_path, manifest)
    return manifest


def _manifest(
    params: Normalize, known: RawSet, split: dict[str, Any], sides: Sides, finished: list[Finished]
) -> dict[str, Any]:
    broken, first_broken = broken_in(finished)
    shape = list(params.shape_of(known.medium.sides))
    counts = {name: side.labels.total() for name, side in sides.items()}
    names = [known.classes, *filter(None, (known.attributes, known.domains))]
    partners = params.partner or ("its own" if known.paired else None)
    sources = None if partners is None else list(partner_shape(params, known.medium.sides, _maps(params, known)))
    parts = [shape, *names, *([] if sources in (None, shape) else [{"partner_shape": sources}])]
    content = json.dumps([*parts, {name: side.digest.hexdigest() for name, side in sides.items()}])
    return {
        "shape": shape,
        "range": [-1, 1],
        "classes": known.classes,
        "attributes": known.attributes,
        "domains": known.domains,
        "counts": {**counts, "read": sum(counts.values()) + broken, "broken": broken},
        "class_counts": _counts_of(known.classes, {name: side.labels for name, side in sides.items()}),
        "domain_counts": _counts_of(known.domains, {name: side.domains for name, side in sides.items()}),
        "broken": [asdict(image) for image in first_broken],
        "split": split,
        "levels": {"black": params.black, "white": params.white},
        "fit": params.fit,
        "partner": partners,
        "partner_shape": sources,
        "partners_made_by": [
            asdict(mark) for mark in sorted({mark for one in finished for mark in one.makers}, key=str)
        ],
        "source": known.source,
        "medium": known.medium.to_json(),
        "fingerprint": hashlib.sha256(content.encode()).hexdigest(),
    }


def _counts_of(names: list[str] | None, sides: Mapping[str, Mapping[Any, int]]) -> dict[str, dict[str, int]] | None:
    """Numbers of images by split and by name, of classes or domains; None without names."""
    if names is None:
        return None
    return {side: {name: found[number] for number, name in enumerate(names)} for side, found in sides.items()}


def summary(manifest: dict[str, Any]) -> list[str]:
    """What was made, in a few lines, with the names of broken images."""
    counts, shape = manifest["counts"], " x ".join(map(str, manifest["shape"]))
    split, levels = manifest["split"], manifest["levels"]
    by = " and ".join(what for what, names in (("domain", "domains"), ("class", "classes")) if manifest[names])
    random = f"at random, by {by}" if by else "at random"
    how = "the source's own test set" if split["kind"] == "source" else random
    lines = [
        f"normalized {counts['train'] + counts['holdout']} {medium_of(manifest).words.many} to {shape} in [-1,1]: "
        f"{counts['train']} train, {counts['holdout']} holdout ({how})"
    ]
    if manifest["domains"]:
        both = [
            f"{name} {' + '.join(str(manifest['domain_counts'][side][name]) for side in SIDES)}"
            for name in manifest["domains"]
        ]
        lines.append(f"of two domains, train + holdout: {', '.join(both)}")
    if levels["black"] is not None or levels["white"] is not None:
        named = ", ".join(f"{name} {value:g}" for name, value in levels.items() if value is not None)
        lines.append(
            f"values of the images: {named}; what lies beyond is clipped, and other types of file keep their own"
        )
    if split.get("torn"):
        lines.append(
            f"{counted(split['torn'], 'held-out image')} nearly repeated one to train on, so the split was drawn again "
            "for these: near-copies are on one side"
        )
    if split.get("torn_groups"):
        lines.append(
            f"{counted(split['torn_groups'], 'group')} of images on either side of that split, so held-out images are "
            "not unseen ones: set normalize.split to random, which keeps groups together"
        )
    if not split.get("complete", True):
        lines.append("so many images share a perceptual hash that not all near-copies could be looked for")
    if counts["broken"]:
        are, were = ("is", "was") if counts["broken"] == 1 else ("are", "were")
        lines.append(f"{counts['broken']} of {counts['read']} images {are} broken and {were} left out:")
        lines += [f"  {image['key']!r}: {image['reason']}" for image in manifest["broken"]]
    if counts["broken"] > LISTED:
        lines.append(f"  and {counts['broken'] - LISTED} more")
    return lines


if __name__ == "__main__":
    parser_of("stages.normalize", __doc__).parse_args()
    run_stage(main)
