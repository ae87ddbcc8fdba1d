"""Sample: images of the selected generator, seeded, into Parquet and pictures.

Reads models/selected; of a model that translates also data/normalized/holdout, whose sources it translates, or of two
domains whose images, each into the other. One that makes an image of each of two domains makes both of each latent.
Writes samples/, plots/samples.png, plots/latent/, plots/heard/, metrics/latent.json, provenance/sample.json.
Image i is the same bits whatever the count and the batch size. Pictures of the latent space: stages/sampling.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from math import ceil
from pathlib import Path
from typing import Any

import pyarrow as pa
from torch import Tensor

from mintage.attributes import with_changes
from mintage.players import Generator, ModelConfig
from mintage.sampling import Rows, asked_rows, samples
from mintage.sources import visible
from stages.common.device import steady_device_for
from stages.common.errors import UserError, run_stage
from stages.common.files import read_json, replacing, replacing_directory, write_json
from stages.common.levels import FloatImages
from stages.common.marks import Mark, mark_of, with_mark
from stages.common.models import read_generator
from stages.common.params import Sample, load_section
from stages.common.provenance import recorded
from stages.common.raw_shards import ATTRIBUTES
from stages.common.reading import Chosen, Sources, attributes_of
from stages.common.shards import IMAGE, encoded_schema, write_encoded
from stages.common.split import JoinedSplit, Split
from stages.common.stage import parser_of, progress_bar
from stages.media import medium_of
from stages.media.drawings import draw_translations, drawings_of, rows_of_grid
from stages.media.medium import Medium
from stages.sampling.heard import Heard, heard_beside, heard_translations, write_heard
from stages.sampling.latent import pictures, write_pictures

SHARD_IMAGES = 20_000
TEXT = pa.string()
LATENT = "metrics/latent.json"
MOST_NAMED = 20
JUDGED = 256
"""Pairs among which the best and the worst translations are looked for."""
_LINES = 40
"""That pages show."""


def main() -> None:
    parser_of("stages.sample", __doc__).parse_args()
    params = load_section(Sample)
    with recorded("sample", params) as facts:
        count = sample(params, Path())
        facts["machine"]["device"] = str(steady_device_for(params.device))
        facts["images"] = count
    many = medium_of(read_json(Path("models/selected/provenance.json"))).words.many
    print(f"{count:,} {many} with seed {params.seed}: samples/, plots/samples.png, plots/latent/")


def sample(params: Sample, root: Path) -> int:
    """Write the images and pictures under `root`, all or none; return how many images.

    Raises UserError where the model is missing or damaged, or has no such classes.
    """
    generator = read_generator(root / "models/selected", steady_device_for(params.device))
    medium = medium_of(read_json(root / "models/selected/provenance.json"))
    drawings, mark = drawings_of(medium), mark_of(root / "models/selected")
    labels = labels_for(params.classes, generator.config)
    holdout = held_out_for(params, generator, root) if generator.config.translates else None
    attributes = attributes_for(params, generator)
    asked = labels if attributes is None else attributes
    found = pictures(generator, params, labels, medium)
    with ExitStack() as outputs:
        folder, latent, played = (
            outputs.enter_context(replacing_directory(root / name))
            for name in ("samples", "plots/latent", "plots/heard")
        )
        sheet, facts = (outputs.enter_context(replacing(root / name)) for name in ("plots/samples.png", LATENT))
        if holdout is None:
            counted = {"latent": pa.int64()} if generator.config.couples else {}
            made = rows(generator, params, asked, medium, mark)
            schema = schema_of(generator.config, medium, mark, **counted)
            names = row_names(generator.config, labels)
            drawn = drawings.draw_samples(generator, params.seed, asked, names=names)
        else:
            made = translations(generator, params, holdout, medium, mark)
            more = {"domain": TEXT} if holdout.domains else {}
            schema = schema_of(generator.config, medium, mark, source=IMAGE, key=TEXT, **more)
            drawn = draw_translations(medium, generator, params.seed, holdout, judged=JUDGED)
        count = write_encoded(folder, made, schema, SHARD_IMAGES, params.batch_size)
        sheet.write_bytes(with_mark(drawn, mark))
        write_json(facts, write_pictures(latent, found, drawings, mark) | lines_of(generator, params.seed, medium))
        write_heard(played, medium, heard(generator, params, labels, medium, root), mark)
    return count


def heard(generator: Generator, params: Sample, labels: list[int] | None, medium: Medium, root: Path) -> Heard:
    """What to listen to; nothing of a medium without a sound, and of two domains, whose samples have no truth."""
    if not medium.plays or generator.directions:
        return Heard([], [])
    holdout = held_out_for(params, generator, root)
    if generator.config.translates:
        return heard_translations(generator, params.seed, holdout)
    return heard_beside(generator, params.seed, labels, holdout)


def held_out_for(params: Sample, generator: Generator, root: Path) -> Split:
    """Held-out images; where their sources tell attributes, these are as params ask for them."""
    holdout, names = Split(root / "data/normalized/holdout"), generator.config.attributes
    own = attributes_of(holdout)
    if not generator.config.joins_attributes or own is None or names is None:
        return holdout
    return holdout.with_attributes(with_changes(own, names, params.attributes).numpy())


def schema_of(config: ModelConfig, medium: Medium, mark: Mark, **extra: pa.DataType) -> pa.Schema:
    """That of samples; its metadata have the mark of each image once more."""
    extra |= (ATTRIBUTES if config.attributes else {}) | ({"text": TEXT} if medium.is_text else {})
    columns = {"index": pa.int64(), "seed": pa.int64(), **extra}
    schema = encoded_schema(class_names(config), columns, shown_as=medium.shown_as)
    named = {"attributes": json.dumps(config.attributes)} if config.attributes else {}
    return schema.with_metadata({**schema.metadata, **named, **mark.texts()})


def attributes_for(params: Sample, generator: Generator) -> Tensor | None:
    """The attributes `[N,K]` to ask for in turn; None where the model takes none."""
    examples, names = generator.examples, generator.config.attributes
    if examples is None or names is None:
        if params.attributes:
            raise UserError(
                "sample-attributes-unknown",
                f"sample.attributes = {params.attributes}, and the model takes none: set it to {{}}",
            )
        return None
    try:
        return with_changes(examples.cpu(), names, params.attributes)
    except ValueError as error:
        raise UserError("sample-attributes-unknown", f"sample.attributes: {error}") from None


def labels_for(classes: list[int], config: ModelConfig) -> list[int] | None:
    """The labels to generate in turn: those asked for, or all; None where the model takes none."""
    if not config.conditional:
        if classes:
            raise UserError(
                "sample-classes-unknown", f"sample.classes = {classes}, and the model is unconditional: set it to []"
            )
        return None
    names = config.classes or ()
    for label in classes:
        if label >= len(names):
            known = ", ".join(f"{index} ({name})" for index, name in enumerate(names[:MOST_NAMED]))
            known += f", up to {len(names) - 1} ({names[-1]})" if len(names) > MOST_NAMED else ""
            raise UserError(
                "sample-classes-unknown",
                f"sample.classes has {label}, which is not a label of the model: known are {known}",
            )
    return classes or list(range(len(names)))


def class_names(config: ModelConfig) -> list[str] | None:
    return list(config.classes or ()) if config.conditional else None


def row_names(config: ModelConfig, labels: list[int] | None) -> list[str]:
    """What stands beside the rows of the sample grid; nothing where they are of no class and of no category."""
    names = class_names(config)
    return [names[row] if names else f"category {row}" for row in rows_of_grid(config, labels)]


def rows(
    generator: Generator, params: Sample, wanted: list[int] | Tensor | None, medium: Medium, mark: Mark
) -> Iterator[dict[str, Any]]:
    """A row an image, made when it is asked for, encoded as its medium is."""
    if generator.config.couples and isinstance(wanted, list):
        yield from pairs(generator, params, wanted, medium, mark)
        return
    index, column = 0, "attributes" if generator.config.attributes else "label"
    with progress_bar("sample", params.count) as bar:
        for images, asked in samples(generator, params.count, params.seed, wanted):
            of_images = [None] * len(images) if asked is None else asked.tolist()
            for values, condition in zip(images.numpy(), of_images, strict=True):
                image = encoded(medium, values, index, mark)
                text = {"text": image["bytes"].decode()} if medium.is_text else {}
                yield {"image": image, "label": None, "index": index, "seed": params.seed, column: condition} | text
                index += 1
            bar.update(len(images))


def pairs(
    generator: Generator, params: Sample, wanted: list[int], medium: Medium, mark: Mark
) -> Iterator[dict[str, Any]]:
    """A row an image: of each latent, which `latent` counts, those of all the domains that are wanted."""
    latents = ceil(params.count / len(wanted))
    made = [(images for images, _ in samples(generator, latents, params.seed, [domain])) for domain in wanted]
    of_each = zip(*((image for images in one for image in images.numpy()) for one in made), strict=True)
    with progress_bar("sample", params.count) as bar:
        for latent, images in enumerate(of_each):
            first = latent * len(wanted)
            for index, image in zip(range(first, params.count), images, strict=False):
                facts = {"label": wanted[index - first], "index": index, "latent": latent, "seed": params.seed}
                yield {"image": encoded(medium, image, index, mark)} | facts
                bar.update(1)


def lines_of(generator: Generator, seed: int, medium: Medium) -> dict[str, list[str]]:
    """The first samples as text, where they are text."""
    if not medium.is_text:
        return {}
    made = (images for images, _ in samples(generator, _LINES, seed, None))
    return {"lines": [medium.encode(image)[0].decode() for some in made for image in some.numpy()]}


def translations(
    generator: Generator, params: Sample, holdout: Split, medium: Medium, mark: Mark
) -> Iterator[dict[str, Any]]:
    """A row a held-out source, each once: what it becomes, marked, beside itself, with its key.

    Of two domains half of the rows are of either direction; `domain` is the one that is made.
    """
    ways: list[tuple[str | None, Generator, Split]]
    ways = [(to, one, holdout.of_other_domain(to)) for to, one in generator.directions.items()]
    first = 0
    for to, direction, split in ways or [(None, generator, holdout)]:
        count = min(ceil(params.count / max(1, len(ways))), len(split))
        numbers, keys = asked_rows(len(split), count, params.seed), split.keys
        asked = Sources(split, numbers) if to is None else Chosen(split, numbers)
        facts = {"label": None, "seed": params.seed} | ({} if to is None else {"domain": to})
        attributes = split.asked[numbers.numpy()].tolist() if isinstance(split, JoinedSplit) else []
        with progress_bar("sample" if to is None else f"sample {to}", count) as bar:
            for number, (image, source) in enumerate(_each(direction, count, params.seed, asked, holdout.shape)):
                index = first + number
                both = {"image": encoded(medium, image, index, mark), "source": encoded(medium, source, index)}
                asked_for = {"attributes": attributes[number]} if attributes else {}
                yield both | facts | asked_for | {"index": index, "key": keys[int(numbers[number])]}
                bar.update(1)
        first += count


def _each(
    generator: Generator, count: int, seed: int, asked: Rows, shape: tuple[int, ...]
) -> Iterator[tuple[FloatImages, FloatImages]]:
    """Translations `[C,H,W]`, each with what there is to see of its source."""
    for images, sources in samples(generator, count, seed, asked):
        assert sources is not None
        yield from zip(images.numpy(), visible(generator.config.bare(sources), shape).numpy(), strict=True)


def encoded(medium: Medium, values: FloatImages, index: int, mark: Mark | None = None) -> dict[str, Any]:
    """A sample as the `image` of a row, marked where it was generated."""
    content, kind = medium.encode(values)
    return {"bytes": content if mark is None else with_mark(content, mark), "path": f"{index:06d}.{kind}"}


if __name__ == "__main__":
    run_stage(main)
