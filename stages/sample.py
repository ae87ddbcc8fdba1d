"""Sample: images of the selected generator, seeded, into Parquet and two pictures.

Reads models/selected. Writes samples/, plots/samples.png, plots/walk.png, provenance/sample.json.
Image i is the same bits whatever the count and the batch size.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch

from gan.latents import draw, path
from gan.players import Generator, ModelConfig
from gan.randomness import stream
from gan.sampling import generate, samples
from stages.common.device import steady_device_for
from stages.common.drawings import drawn
from stages.common.errors import UserError, run_stage
from stages.common.files import read_json, replacing, replacing_directory
from stages.common.model import read_generator
from stages.common.params import Sample, load_section
from stages.common.pictures import Pixels, encode_pfm, encode_png, grid, grid_scale, to_uint8
from stages.common.points import in_units
from stages.common.progress import progress_bar
from stages.common.provenance import recorded
from stages.common.shards import FloatImages, encoded_schema, write_encoded
from stages.common.truth import Truth, truth_in

SHARD_IMAGES = 20_000
WALKS = 4
MOST_WALKS = 10
MOST_NAMED = 20


def main() -> None:
    params = load_section(Sample)
    with recorded("sample", params) as facts:
        count = sample(params, Path())
        facts["machine"]["device"] = str(steady_device_for(params.device))
        facts["images"] = count
    print(f"{count:,} images with seed {params.seed}: samples/, plots/samples.png, plots/walk.png")


def sample(params: Sample, root: Path) -> int:
    """Write the images and pictures under `root`, all or none; return how many images.

    Raises UserError where the model is missing or damaged, or has no such classes.
    """
    generator = read_generator(root / "models/selected", steady_device_for(params.device))
    truth = truth_in(read_json(root / "models/selected/provenance.json"))
    labels = labels_for(params.classes, generator.config)
    schema = encoded_schema(class_names(generator.config), {"index": pa.int64(), "seed": pa.int64()})
    with ExitStack() as outputs:
        folder = outputs.enter_context(replacing_directory(root / "samples"))
        pictures = [outputs.enter_context(replacing(root / "plots" / name)) for name in ("samples.png", "walk.png")]
        made = rows(generator, params, labels, exact=truth is not None)
        count = write_encoded(folder, made, schema, SHARD_IMAGES, params.batch_size)
        pictures[0].write_bytes(drawn(generator, params.seed, truth, labels))
        pictures[1].write_bytes(walk_drawn(generator, params, labels, truth))
    return count


def labels_for(classes: list[int], config: ModelConfig) -> list[int] | None:
    """The labels to generate in turn: those asked for, or all; None where the model takes none."""
    if not config.conditional:
        if classes:
            raise UserError(f"sample.classes = {classes}, and the model is unconditional: set it to []")
        return None
    names = config.classes or ()
    for label in classes:
        if label >= len(names):
            known = ", ".join(f"{index} ({name})" for index, name in enumerate(names[:MOST_NAMED]))
            known += f", up to {len(names) - 1} ({names[-1]})" if len(names) > MOST_NAMED else ""
            raise UserError(f"sample.classes has {label}, which is not a label of the model: known are {known}")
    return classes or list(range(len(names)))


def class_names(config: ModelConfig) -> list[str] | None:
    return list(config.classes or ()) if config.conditional else None


def rows(
    generator: Generator, params: Sample, labels: list[int] | None, exact: bool = False
) -> Iterator[dict[str, Any]]:
    """A row an image, made when it is asked for: a PNG, or with every bit where `exact` (of points)."""
    index = 0
    with progress_bar("sample", params.count) as bar:
        for images, asked in samples(generator, params.count, params.seed, labels):
            of_images = [None] * len(images) if asked is None else asked.tolist()
            for values, label in zip(images.numpy(), of_images, strict=True):
                content, kind = encoded(values, exact)
                image = {"bytes": content, "path": f"{index:06d}.{kind}"}
                yield {"image": image, "label": label, "index": index, "seed": params.seed}
                index += 1
            bar.update(len(images))


def encoded(image: FloatImages, exact: bool) -> tuple[bytes, str]:
    """An image `[C,H,W]` in [-1,1] as a file's content and suffix."""
    return (encode_pfm((image[0] + 1) / 2), "pfm") if exact else (encode_png(to_uint8(image)), "png")


def walks(generator: Generator, params: Sample, labels: list[int] | None) -> list[torch.Tensor]:
    """Walks of `params.walk_steps` images between two latents, each of one class where there are classes."""
    config = generator.config
    walked = [None] * WALKS if labels is None else list(dict.fromkeys(labels))[:MOST_WALKS]
    found = []
    for number, label in enumerate(walked):
        random = stream(params.seed, "walk", number)
        start, end = draw(config, 2, random)
        latents = path(config, start, end, params.walk_steps)
        asked = None if label is None else torch.full((params.walk_steps,), label)
        found.append(generate(generator, latents, asked))
    return found


def walk(generator: Generator, params: Sample, labels: list[int] | None) -> Pixels:
    """A row is a walk."""
    images = to_uint8(torch.cat(walks(generator, params, labels)).numpy())
    return grid(images, params.walk_steps, grid_scale(*images.shape[2:]))


def walk_drawn(generator: Generator, params: Sample, labels: list[int] | None, truth: Truth | None) -> bytes:
    """The walks as PNG; of points, a line a walk."""
    if truth is None:
        return encode_png(walk(generator, params, labels))
    from stages.common.plots import walks_plot

    return walks_plot(torch.stack([in_units(found, truth) for found in walks(generator, params, labels)]), truth)


if __name__ == "__main__":
    run_stage(main)
