"""The generator in ONNX's format: the same images as torch, for every way a generator is built."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from mintage import catalog
from mintage.model_config import ModelConfig
from mintage.players import build_players
from mintage.sampling import encode, generate
from stages import export as stage
from stages.common.models import read_generator, write_generator
from stages.export import LARGEST_DIFFERENCE, export, inputs_of, to_onnx
from stages.selection.card import latents_in_numpy
from tests.refusals import refused
from tests.stages.exporter import know_operators
from tests.stages.tiny_data import write_params

ROOT = Path(__file__).parents[2]
PLAIN = ModelConfig("mlp", 8, (1, 8, 8), None, 12, "normal")
CLASSES = ("a", "b", "c")
OF_IMAGES = {*catalog.BUILT_IN["network"]} - catalog.WRITING
TRANSLATORS = {name for name in catalog.BUILT_IN["network"] if catalog.load("network", name).translates}


def saved(folder: Path, config: ModelConfig) -> Path:
    know_operators()
    generator, _ = build_players(config, 0)
    write_generator(folder, generator)
    return folder


@pytest.mark.parametrize(
    ("network", "conditioning", "normalization"),
    [
        *((network, "shared_batch_norm", "batch") for network in sorted(OF_IMAGES - TRANSLATORS)),
        *(
            ("dcgan", one, "layer")
            for one in sorted({*catalog.BUILT_IN["generator_conditioning"]} - {"source", "domain"})
        ),
        *((network, "source", "instance") for network in sorted(TRANSLATORS)),
        ("unet", "source", "batch"),
        *((network, "none", "spectral_batch") for network in ("mlp", "biggan")),
    ],
)
def test_every_network_and_conditioning_makes_the_images_that_torch_makes(
    network: str, conditioning: str, normalization: str, tmp_path: Path
) -> None:
    shape = (1, 1, 2) if network == "points" else (3, 16, 12)
    classes = None if conditioning == "none" else CLASSES
    source = shape if conditioning == "source" else None
    config = ModelConfig(network, 4, shape, classes, 24, "normal", conditioning, normalization, source_shape=source)
    if catalog.load("network", network).stacks:
        config = replace(config, first=replace(config, network="dcgan", image_shape=(3, 8, 6)))
    assert export(saved(tmp_path, config), tmp_path / "out/generator.onnx", 18) < 5e-5


def test_both_directions_between_two_domains_are_written_one_after_the_other_each_with_its_own_weights_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = ModelConfig("encoder_decoder", 4, (1, 8, 8), None, 0, "normal", "source", "instance")
    config = replace(config, source_shape=(1, 8, 8), domains=("photo", "drawing"))
    generator, _ = build_players(config, 0)
    assert export(saved(tmp_path, config), tmp_path / "generator.onnx", 18) < 1e-5
    assert "export: 100%" in (said := capsys.readouterr().err)
    assert "3/3" in said
    sources, made = torch.rand(3, 1, 8, 8) * 2 - 1, []
    for name, direction in (("generator.onnx", generator), ("back.onnx", generator.back)):
        assert direction is not None
        session = onnxruntime.InferenceSession(tmp_path / name)
        made.append(session.run(None, {"sources": sources.numpy()})[0])
        expected = generate(direction.eval(), torch.empty(3, 0), sources).numpy()
        assert np.abs(made[-1] - expected).max() < 1e-5
    assert not np.allclose(*made)
    sizes = [(tmp_path / name).stat().st_size for name in ("generator.onnx", "back.onnx")]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.01)


def test_an_encoder_is_written_beside_its_generator_each_with_its_own_weights_alone(tmp_path: Path) -> None:
    alone = replace(PLAIN, network="dcgan", width=4, image_shape=(3, 16, 12))
    config = replace(alone, encodes=True)
    (tmp_path / "alone").mkdir()
    assert export(saved(tmp_path / "alone", alone), tmp_path / "alone/generator.onnx", 18) < 1e-5
    assert export(saved(tmp_path, config), tmp_path / "generator.onnx", 18) < 1e-4
    assert not (tmp_path / "alone/encoder.onnx").exists()
    assert (tmp_path / "generator.onnx").read_bytes() == (tmp_path / "alone/generator.onnx").read_bytes()
    images = torch.rand(3, 3, 16, 12) * 2 - 1
    session = onnxruntime.InferenceSession(tmp_path / "encoder.onnx")
    (latents,) = session.run(["latents"], {"images": images.numpy()})
    generator = read_generator(tmp_path, torch.device("cpu"))
    assert np.abs(latents - encode(generator, images).numpy()).max() < 1e-4


@pytest.mark.parametrize(
    ("network", "source", "residual"),
    [
        ("unet", (1, 16, 12), False),
        ("unet", (1, 16, 12), True),
        ("unet", (4, 16, 12), True),
        ("srresnet", (3, 4, 3), False),
        ("srresnet", (1, 8, 6), False),
    ],
)
def test_sources_of_a_shape_of_their_own_become_the_images_that_torch_makes(
    network: str, source: tuple[int, int, int], residual: bool, tmp_path: Path
) -> None:
    config = ModelConfig(network, 4, (3, 16, 12), None, 0, "normal", "source", "batch", source_shape=source)
    config = replace(config, residual=residual, blend=0.25 * residual)
    assert export(saved(tmp_path, config), tmp_path / "out/generator.onnx", 18) < 1e-5


@pytest.mark.parametrize("source", [None, (3, 16, 12)])
def test_joint_attributes_are_asked_for_one_by_one_and_become_what_torch_makes(
    source: tuple[int, int, int] | None, tmp_path: Path
) -> None:
    network, conditioning = ("melody_following", "source") if source else ("melody", "concat")
    config = ModelConfig(network, 4, (1, 16, 12), None, 24, "normal", conditioning, source_shape=source)
    config = replace(config, attributes=("minor", "louder"), joint_attributes=True)
    assert export(saved(tmp_path, config), tmp_path / "generator.onnx", 18) < 5e-5
    session = onnxruntime.InferenceSession(tmp_path / "generator.onnx")
    assert {one.name: one.shape[1:] for one in session.get_inputs()}["attributes"] == [2]


@pytest.mark.parametrize("shape", [(1, 40), (2, 9, 8, 10)])
def test_sound_and_volumes_become_what_torch_makes(shape: tuple[int, ...], tmp_path: Path) -> None:
    config = replace(PLAIN, network="dcgan", image_shape=shape)
    assert export(saved(tmp_path, config), tmp_path / "out/generator.onnx", 18) < 1e-5


def test_onnxruntime_tells_nobody_and_keeps_nothing_in_the_home(tmp_path: Path) -> None:
    """It was seen to call its makers through a proxy that counts."""
    export(saved(tmp_path, PLAIN), tmp_path / "generator.onnx", 18)
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "home")}
    (tmp_path / "home").mkdir()
    code = f"from stages.export import runtime; runtime().InferenceSession({str(tmp_path / 'generator.onnx')!r})"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True)
    assert list((tmp_path / "home").rglob("*onnx*")) == []


def test_it_takes_any_number_of_latents_by_the_documented_names(tmp_path: Path) -> None:
    config = replace(PLAIN, classes=CLASSES, generator_conditioning="concat")
    export(saved(tmp_path, config), tmp_path / "generator.onnx", 18)
    session = onnxruntime.InferenceSession(tmp_path / "generator.onnx")
    assert [(entry.name, entry.type) for entry in session.get_inputs()] == [
        ("latents", "tensor(float)"),
        ("labels", "tensor(int64)"),
    ]
    for count in (1, 5, 300):
        latents, labels = np.zeros((count, 12), np.float32), np.ones(count, np.int64)
        (images,) = session.run(["images"], {"latents": latents, "labels": labels})
        assert images.shape == (count, 1, 8, 8)


def test_the_same_generator_gives_the_same_bytes_which_name_no_folder_and_no_code(tmp_path: Path) -> None:
    saved(tmp_path, replace(PLAIN, network="resnet", image_shape=(1, 16, 16)))
    for name in ("one", "two"):
        export(tmp_path, tmp_path / name / "generator.onnx", 18)
    content = (tmp_path / "one/generator.onnx").read_bytes()
    assert content == (tmp_path / "two/generator.onnx").read_bytes()
    assert b".py" not in content
    assert str(Path(stage.__file__).parents[1]).encode() not in content
    onnx.checker.check_model(str(tmp_path / "one/generator.onnx"), full_check=True)


def test_the_version_of_the_operators_is_the_one_that_is_asked_for(tmp_path: Path) -> None:
    saved(tmp_path, PLAIN)
    for opset in (18, 20, 23):
        export(tmp_path, tmp_path / "generator.onnx", opset)
        found = onnx.load(tmp_path / "generator.onnx").opset_import
        assert [entry.version for entry in found if entry.domain == ""] == [opset]


def test_a_form_that_makes_other_images_is_refused_and_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(tmp_path, PLAIN)
    other, _ = build_players(PLAIN, 1)
    content = to_onnx(other.eval(), 18)
    monkeypatch.setattr(stage, "to_onnx", lambda generator, opset: content)
    with refused("onnx-differs"):
        export(tmp_path, tmp_path / "generator.onnx", 18)
    assert not (tmp_path / "generator.onnx").exists()
    assert LARGEST_DIFFERENCE < 2 / 255 / 4


@pytest.mark.parametrize(
    "config",
    [
        PLAIN,
        replace(PLAIN, latent_distribution="uniform"),
        replace(PLAIN, code_categories=5, code_continuous=2),
        replace(PLAIN, code_continuous=1, latent_distribution="uniform"),
    ],
)
def test_the_card_s_latents_have_the_shape_and_the_range_of_the_generator_s_own(config: ModelConfig) -> None:
    expression = latents_in_numpy(config)
    found = eval(expression, {"np": np})
    assert found.shape == (16, config.latent_size + config.code_size)
    assert found.dtype == np.float32
    generator, _ = build_players(config, 0)
    inputs = inputs_of(generator, 16)
    assert inputs["latents"].shape == found.shape
    assert generate(generator.eval(), torch.from_numpy(found), inputs.get("labels")).isfinite().all()
    if config.code_categories:
        code = found[:, config.latent_size : config.latent_size + config.code_categories]
        assert (code.sum(1) == 1).all()
    assert bool(re.search("standard_normal", expression)) == (config.latent_distribution == "normal")


def test_what_another_model_left_is_no_part_of_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("selected", "onnx"):
        (tmp_path / "models" / folder).mkdir(parents=True)
    saved(tmp_path / "models/selected", PLAIN)
    write_params(tmp_path, {})
    (tmp_path / "models/onnx/back.onnx").write_bytes(b"of two domains")
    monkeypatch.chdir(tmp_path)
    stage.main()
    assert [path.name for path in (tmp_path / "models/onnx").iterdir()] == ["generator.onnx"]
