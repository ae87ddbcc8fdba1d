"""Releases whose generators a browser can run: small, with weights that are drawn, and pictures of noise."""

import functools
import io
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from mintage.model_config import ModelConfig
from mintage.players import Generator, build_players
from mintage.sampling import generate
from stages.common.files import read_json
from stages.common.levels import Levels, to_uint8
from stages.common.marks import Mark
from stages.common.models import read_generator, write_generator
from stages.common.pictures import TRANSLATED, encode_png, grid, grid_scale, rows_of_translations, with_names
from stages.export import export
from stages.gallery import runtime
from stages.media.images import Images
from stages.media.medium import Medium
from stages.releases.content import as_json
from stages.sampling.heard import Heard, Row, write_heard
from tests.stages.exporter import know_operators
from tests.stages.gallery_sites import Gallery

IMAGES = Images()
CLASSES = ("bag", "boot", "שרוול")
SIZE = (1, 8, 8)
NOISE = ModelConfig("dcgan", 8, SIZE, None, 12, "normal")
OF_CLASSES = ModelConfig("dcgan", 8, SIZE, CLASSES, 12, "normal", "concat")
OF_ATTRIBUTES = ModelConfig(
    "dcgan", 8, (3, 8, 8), None, 12, "uniform", "concat", attributes=("glasses", "hair=red", "hair=black")
)
OF_CODES = ModelConfig("infogan", 8, SIZE, None, 12, "normal", code_categories=3, code_continuous=2)
OF_EDGES = ModelConfig("unet", 8, (3, 8, 8), None, 0, "normal", "source", "instance", source_shape=SIZE)
OF_DOMAINS = ModelConfig(
    "encoder_decoder", 8, SIZE, None, 0, "normal", "source", "instance", source_shape=SIZE, domains=("photo", "drawing")
)
OF_SMALL = ModelConfig("srresnet", 8, (1, 16, 16), None, 0, "normal", "source", "batch", source_shape=SIZE)
OF_HOLES = ModelConfig("unet", 8, SIZE, None, 0, "normal", "source", "instance", source_shape=(2, 8, 8))


@dataclass
class Explorable:
    """A release and its generator."""

    release: str
    generator: Generator

    def levels(self, latents: Tensor, conditions: Tensor | None = None) -> Levels:
        """What Python makes: `[N,C,H,W]`."""
        made = to_uint8(generate(self.generator, latents, conditions).numpy())
        assert made.std() > 20, "a picture of one gray would be like any other"
        return made


def publish_model(
    gallery: Gallery, folder: Path, config: ModelConfig, channel: str = "latest", medium: Medium = IMAGES
) -> Explorable:
    """A release of a generator of this config, under `folder` before it is in the store."""
    folder.mkdir()
    for name, content in written(config).items():
        (folder / name).write_bytes(content)
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".onnx", ".json")}
    shape = (config.image_shape[0], *medium.cell(config.image_shape))
    names = rows_of_translations(config.image_shape, config.source_shape or config.image_shape, medium.joins)
    earlier = [name for name in names if name == medium.joins]
    files |= {"plots/samples.png": sheet_of(shape, [*TRANSLATED[:3], *earlier]), "plots/nearest.png": sheet_of(shape)}
    files |= {f"plots/heard/{path.name}": path.read_bytes() for path in heard_in(folder, config, medium)}
    files["provenance.json"] = as_json({"medium": medium.to_json()})
    release = gallery.publish(channel, family=config.network, classes=list(config.classes or ()), files=files)
    return Explorable(release, read_generator(folder, torch.device("cpu")))


@functools.cache
def written(config: ModelConfig) -> dict[str, bytes]:
    """The files of its generator and what is exported of it, by name: the same each time."""
    know_operators()
    made, _ = build_players(config, 0)
    louder(made)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_generator(folder, made)
        export(folder, folder / "generator.onnx", 18)
        return {path.name: path.read_bytes() for path in folder.iterdir()}


def heard_in(folder: Path, config: ModelConfig, medium: Medium) -> list[Path]:
    """Three pairs of noise to listen to, of a medium that can be heard; behind a source what is made of it."""
    if not medium.plays:
        return []
    (folder / "heard").mkdir()
    columns = TRANSLATED[:3] if config.source_shape else ["held out", "generated"]
    noise = np.random.default_rng(0).uniform(-1, 1, (3, len(columns), *config.image_shape)).astype(np.float32)
    rows = [Row(f"number {number}", [*pair]) for number, pair in enumerate(noise)]
    write_heard(folder / "heard", medium, Heard(columns, rows), Mark())
    return [*(folder / "heard").iterdir()]


def louder(generator: Generator) -> None:
    """Give it larger weights: with those that it begins with all its pictures are nearly gray."""
    random = torch.Generator().manual_seed(0)
    for weight in generator.parameters():
        if weight.ndim > 1:
            torch.nn.init.kaiming_normal_(weight, generator=random)


def sheet_of(shape: Sequence[int], names: Sequence[str] = ()) -> bytes:
    """Rows of ten pictures of noise, with names as plots/samples.png has them, or three as plots/nearest.png has."""
    sheet = grid(noise_of(shape, len(names) or 3), 10, grid_scale(*shape[1:]))
    return encode_png(with_names(sheet, names) if names else sheet)


def noise_of(shape: Sequence[int], rows: int = 3) -> Levels:
    return np.random.default_rng(0).integers(0, 255, (10 * rows, *shape), dtype=np.uint8)


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive in the place of npm's: what is tried with it opens no generator."""
    archive = folder / runtime.ARCHIVE
    with tarfile.open(archive, "w:gz") as members:
        for name in runtime.MEMBERS:
            member = tarfile.TarInfo(name)
            member.size = len(name)
            members.addfile(member, io.BytesIO(name.encode()))
    monkeypatch.setattr(runtime, "SHA512", runtime.digest_of(archive.read_bytes()))
    return archive


def entry_of(gallery: Gallery, release: str) -> dict[str, object]:
    found: dict[str, object] = read_json(gallery.site / "releases" / release / "entry.json")
    return found
