"""Pictures of the latent space: what each holds, and what is said where a model has none."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mintage.model_config import ModelConfig
from mintage.players import Generator, build_players
from mintage.sampling import samples
from stages.common.files import read_json, write_json
from stages.common.models import write_generator
from stages.common.params import Sample
from stages.media.drawings import drawings_of
from stages.media.images import Images
from stages.sample import sample
from stages.sampling.latent import Absent, Picture, codes, pictures, sums, truncation, walks
from stages.sources.ring import MEDIUM as RING
from tests.refusals import refused
from tests.stages.tiny_data import ROOT, write_params
from tests.stages.tiny_models import SMALL, sample_params

NAMES = ("zero", "one", "two", "three")


def generator_of(distribution: str = "normal", **changes: Any) -> Generator:
    config = ModelConfig("mlp", 8, (3, 9, 7), changes.pop("classes", None), 5, distribution, **changes)
    generator = build_players(config, seed=0)[0].eval().requires_grad_(False)
    for weights in generator.conditioning.parameters():
        torch.nn.init.normal_(weights, generator=torch.Generator().manual_seed(0))
    return generator


def conditional(**changes: Any) -> Generator:
    return generator_of(classes=NAMES, generator_conditioning="concat", **changes)


def params(**changes: Any) -> Sample:
    return sample_params(ROOT, **changes)


def picture(found: Picture | Absent) -> Picture:
    assert isinstance(found, Picture), found.reason
    assert len(found.rows) == len(found.images)
    return found


def reason(found: Picture | Absent) -> str:
    assert isinstance(found, Absent)
    return found.reason


def first(generator: Generator, count: int, labels: list[int] | None) -> torch.Tensor:
    return torch.cat([images for images, _ in samples(generator, count, 0, labels)])


def test_a_walk_is_a_row_of_steps_for_each_class_asked_for_or_four_rows() -> None:
    walked = walks(conditional(), params(walk_steps=6), [3, 1, 3])
    assert (walked.rows, walked.images.shape[:2]) == (["three", "one"], (2, 6))
    assert walks(generator_of("uniform"), params(walk_steps=3), None).images.shape[:2] == (4, 3)


def test_the_way_of_a_walk_follows_the_latents_unless_it_is_told() -> None:
    generator = generator_of()
    arc, line = (walks(generator, params(walk=walk), None).images for walk in ("spherical", "linear"))
    assert torch.equal(walks(generator, params(), None).images, arc)
    assert torch.equal(arc[:, 0], line[:, 0])
    assert not torch.equal(arc[:, 5], line[:, 5])
    uniform = generator_of("uniform")
    walked = walks(uniform, params(walk="linear"), None).images
    assert torch.equal(walks(uniform, params(), None).images, walked)


def test_a_truncation_sweep_ends_with_the_first_samples_and_begins_with_images_more_alike() -> None:
    generator = conditional()
    swept = picture(truncation(generator, params(truncation=[0.01, 1.0]), [2]))
    assert swept.rows == ["at most 0.01", "at most 1", "no limit"]
    assert torch.equal(swept.images[-1], first(generator, 10, [2]))
    spread = [row.std(0).mean().item() for row in swept.images]
    assert spread[0] < 0.05 * spread[1] < spread[2]


def test_classes_are_summed_beside_the_same_latents() -> None:
    generator = conditional()
    found = picture(sums(generator, params(arithmetic=[[1], [1], [3]])))
    assert found.rows == ["A: one", "B: one", "C: three", "A − B + C"]
    assert torch.allclose(found.images[3], found.images[2], atol=1e-5)
    z_of_samples = first(generator, 10, [3])
    assert torch.allclose(found.images[2], z_of_samples, atol=1e-5)
    several = picture(sums(generator, params(arithmetic=[[0, 1], [2], [3]])))
    assert several.rows[0] == "A: zero and one"
    assert picture(sums(generator, params())).rows[:3] == ["A: zero", "B: one", "C: two"]


def test_samples_named_by_hand_are_shown_beside_their_mean_and_summed() -> None:
    generator = generator_of()
    found = picture(sums(generator, params(arithmetic=[[3], [3], [70, 1, 2]])))
    images = first(generator, 71, None)
    assert torch.allclose(found.images[2, 1:], images[[70, 1, 2]], atol=1e-5), "another row may round the last bit"
    assert torch.allclose(found.images[3, 0], found.images[2, 0], atol=1e-5), "3 less 3 plus C is the mean of C"
    assert found.images[0, 2:].isnan().all()
    with Image.open(io.BytesIO(drawings_of(Images()).draw_rows(found.images))) as sheet:
        assert (np.asarray(sheet)[-9:, :7] != 255).any()
    assert not torch.equal(found.images[3, 0], found.images[3, 1])


def test_of_a_code_the_categories_and_each_number_are_shown() -> None:
    generator = generator_of(code_categories=3, code_continuous=2)
    found = [picture(one) for one in codes(generator, params(walk_steps=5), None)]
    assert [one.name for one in found] == ["categories", "code-1", "code-2"]
    assert [one.images.shape[:2] for one in found] == [(3, 10), (3, 5), (3, 5)]
    assert torch.equal(found[1].images[:, 2].flatten(1).std(1) > 0, torch.ones(3, dtype=torch.bool))
    assert "from −2 to 2" in found[1].caption
    many = codes(generator_of(code_continuous=7), params(), None)
    assert [isinstance(one, Picture) for one in many] == [True] * 4 + [False]
    assert reason(many[-1]) == "the first 4 are enough for a page"


def test_what_a_model_lacks_is_absent_with_a_reason() -> None:
    assert "uniform" in reason(truncation(generator_of("uniform"), params(), None))
    assert "is empty" in reason(truncation(generator_of(), params(truncation=[]), None))
    assert "takes no class" in reason(sums(generator_of(), params()))
    assert "three classes" in reason(sums(generator_of(classes=("a", "b"), generator_conditioning="concat"), params()))
    assert "infogan" in reason(codes(generator_of(), params(), None)[0])
    of_points = pictures(generator_of(), params(), None, RING)
    assert [isinstance(one, Picture) for one in of_points] == [True, False, False, False]


@pytest.mark.parametrize(
    ("generator", "changes", "code", "sentence"),
    [
        (generator_of("uniform"), {"walk": "spherical"}, "walk-leaves-latents", "set it to linear or null"),
        (conditional(), {"arithmetic": [[0], [1], [4]]}, "sample-classes-unknown", "label 4"),
        (generator_of(), {"arithmetic": [[0], [999], [1000]]}, "sample-classes-unknown", "sample 1000"),
    ],
)
def test_what_the_model_cannot_do_is_refused_in_a_sentence(
    generator: Generator, changes: dict[str, Any], code: str, sentence: str
) -> None:
    with refused(code, "sample.", sentence):
        pictures(generator, params(**changes), [0] if generator.config.conditional else None, Images())


@pytest.mark.parametrize(
    ("key", "value"),
    [("arithmetic", [[1], [2]]), ("arithmetic", [[1], [], [2]]), ("truncation", [0.0]), ("walk", "bent"),
     ("code_reach", -1.0), ("arithmetic", [[1], [-2], [2]])],
)  # fmt: skip
def test_params_that_mean_nothing_are_refused_in_a_sentence(tmp_path: Path, key: str, value: Any) -> None:
    write_params(tmp_path, {f"sample.{key}": value})
    with refused("params-invalid", f"sample.{key}"):
        sample_params(tmp_path)


def selected(folder: Path, generator: Generator) -> Path:
    (folder / "models/selected").mkdir(parents=True)
    write_generator(folder / "models/selected", generator)
    write_json(folder / "models/selected/provenance.json", {"medium": {"name": "images"}})
    write_params(folder, SMALL)
    return folder


def test_the_files_are_those_that_the_stage_tells_of_and_earlier_ones_are_gone(tmp_path: Path) -> None:
    folder = selected(tmp_path, generator_of(code_categories=3))
    (folder / "plots/latent").mkdir(parents=True)
    (folder / "plots/latent/code-9.png").write_bytes(b"of an earlier run")
    sample(sample_params(folder), folder)
    facts = read_json(folder / "metrics/latent.json")
    assert {one["file"] for one in facts["pictures"]} == {path.name for path in (folder / "plots/latent").iterdir()}
    assert [one["title"] for one in facts["absent"]] == ["Latent arithmetic"]
    for one in facts["pictures"]:
        with Image.open(folder / "plots/latent" / one["file"]) as image:
            scale = 96 // 9
            assert image.height == (len(one["rows"]) * 10 - 1) * scale
