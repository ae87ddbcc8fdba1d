"""Sample: images of the selected generator, seeded, into Parquet and pictures.

Reads models/selected; of a model that translates also data/normalized/holdout, whose sources it translates, or of two
domains whose images, each into the other; of one with an encoder the images that it encodes and makes again. One that
makes an image of each of two domains makes both of each latent.
Writes samples/, plots/samples.png, plots/latent/, plots/heard/, metrics/latent.json, provenance/sample.json.
Image i is the same bits whatever the count and the batch size. Rows, and pictures of the latent space: stages/sampling.
"""

import json
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa

from mintage.model_config import ModelConfig
from mintage.players import Generator
from mintage.sampling import samples
from stages.common.device import steady_device_for
from stages.common.errors import run_stage
from stages.common.files import read_json, replacing, replacing_directory, write_json
from stages.common.mapping import MapShards, map_shards, one_by_one
from stages.common.marks import Mark, with_mark
from stages.common.params import Data, Sample, load_section
from stages.common.provenance import recorded
from stages.common.raw_shards import ATTRIBUTES
from stages.common.shards import IMAGE, encoded_schema, write_encoded
from stages.common.stage import parser_of
from stages.media import medium_of
from stages.media.drawings import draw_translations, drawings_of, rows_of_grid
from stages.media.medium import Medium
from stages.sampling.heard import Heard, heard_beside, heard_translations, write_heard
from stages.sampling.latent import JUDGED, pictures, write_pictures
from stages.sampling.rows import Job, rows

SHARD_IMAGES = 20_000
TEXT = pa.string()
LATENT = "metrics/latent.json"
_LINES = 40
"""Lines of text that pages show."""


def main() -> None:
    parser_of("stages.sample", __doc__).parse_args()
    params, data = load_section(Sample), load_section(Data)
    with recorded("sample", params) as facts:
        count = sample(params, Path(), map_shards(data.workers, data.runner))
        facts["machine"]["device"] = str(steady_device_for(params.device))
        facts["images"] = count
    many = medium_of(read_json(Path("models/selected/provenance.json"))).words.many
    print(f"{count:,} {many} with seed {params.seed}: samples/, plots/samples.png, plots/latent/")


def sample(params: Sample, root: Path, over_shards: MapShards = one_by_one) -> int:
    """Write the images and pictures under `root`, all or none; return how many images.

    Images are made a piece at a time, by `over_shards`.
    Raises UserError if the model is missing or damaged, or has no such classes.
    """
    job = Job(params, root)
    generator, medium, mark = job.generator, job.medium, job.mark
    drawings, labels, asked = drawings_of(medium), job.labels, job.asked
    found = pictures(generator, params, labels, medium, None if generator.encoder is None else job.holdout)
    with ExitStack() as outputs:
        folder, latent, played = (
            outputs.enter_context(replacing_directory(root / name))
            for name in ("samples", "plots/latent", "plots/heard")
        )
        sheet, facts = (outputs.enter_context(replacing(root / name)) for name in ("plots/samples.png", LATENT))
        if not generator.config.translates:
            counted = {"latent": pa.int64()} if generator.config.couples else {}
            schema = schema_of(generator.config, medium, mark, **counted)
            names = row_names(generator.config, labels)
            drawn = drawings.draw_samples(generator, params.seed, asked, names=names)
        else:
            more = {"domain": TEXT} if job.holdout.domains else {}
            schema = schema_of(generator.config, medium, mark, source=IMAGE, key=TEXT, **more)
            drawn = draw_translations(medium, generator, params.seed, job.holdout, judged=JUDGED)
        count = write_encoded(folder, rows(job, over_shards), schema, SHARD_IMAGES, params.batch_size)
        sheet.write_bytes(with_mark(drawn, mark))
        write_json(facts, write_pictures(latent, found, drawings, mark) | lines_of(generator, params.seed, medium))
        write_heard(played, medium, heard(job), mark)
    return count


def heard(job: Job) -> Heard:
    """Sounds to listen to; none for a medium without sound, or for two domains, whose samples have no truth."""
    generator, seed = job.generator, job.params.seed
    if not job.medium.plays or generator.directions:
        return Heard([], [])
    if generator.config.translates:
        return heard_translations(generator, seed, job.holdout)
    return heard_beside(generator, seed, job.labels, job.holdout)


def schema_of(config: ModelConfig, medium: Medium, mark: Mark, **extra: pa.DataType) -> pa.Schema:
    """The schema of samples; its metadata also have the mark of the images."""
    extra |= (ATTRIBUTES if config.attributes else {}) | ({"text": TEXT} if medium.is_text else {})
    columns = {"index": pa.int64(), "seed": pa.int64(), **extra}
    schema = encoded_schema(class_names(config), columns, shown_as=medium.shown_as)
    named = {"attributes": json.dumps(config.attributes)} if config.attributes else {}
    return schema.with_metadata({**schema.metadata, **named, **mark.texts()})


def class_names(config: ModelConfig) -> list[str] | None:
    return list(config.classes or ()) if config.conditional else None


def row_names(config: ModelConfig, labels: list[int] | None) -> list[str]:
    """The names beside the rows of the sample grid; empty if rows are neither classes nor categories."""
    names = class_names(config)
    return [names[row] if names else f"category {row}" for row in rows_of_grid(config, labels)]


def lines_of(generator: Generator, seed: int, medium: Medium) -> dict[str, list[str]]:
    """The first samples as text, for a medium of text."""
    if not medium.is_text:
        return {}
    made = (images for images, _ in samples(generator, _LINES, seed, None))
    return {"lines": [medium.encode(image)[0].decode() for some in made for image in some.numpy()]}


if __name__ == "__main__":
    run_stage(main)
