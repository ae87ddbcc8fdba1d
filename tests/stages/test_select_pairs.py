"""Which one is real? A discriminator is asked about pairs of a held-out sample and a generated one."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mintage.conditioning.heads import Judgment
from mintage.model_config import ModelConfig
from stages.common.files import read_json
from stages.common.split import Split
from stages.select import select
from stages.selection.discriminator import read_discriminator
from tests.stages.tiny_models import select_params, write_run

ASKED = "stages.selection.pairs.read_discriminator"


@pytest.fixture(scope="module")
def run(digits_selected: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(digits_selected, tmp_path_factory.mktemp("pairs") / "run"))


class Oracle(nn.Module):
    """It knows the held-out images by heart: `right` of the first ones it calls real, of the others the made ones."""

    def __init__(self, folder: Path, right: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        split = Split(folder / "data/normalized/holdout")
        images = torch.cat([torch.from_numpy(images) for images in split.batches()])
        self.known = {image.numpy().tobytes(): number for number, image in enumerate(images)}
        self.labels = torch.from_numpy(split.labels) if split.labels is not None else None
        self.right, self.seen = right, 0

    def forward(self, images: Tensor, condition: Tensor | None = None) -> Judgment:
        numbers = [self.known.get(image.numpy().tobytes()) for image in images]
        if numbers[0] is not None and self.labels is not None:
            assert condition is not None
            assert condition.tolist() == self.labels[numbers].tolist()
        logits = torch.zeros(len(images))
        for place, number in enumerate(numbers):
            if number is not None:
                logits[place] = 1.0 if self.seen < self.right else -1.0
                self.seen += 1
        return Judgment(logits, images.flatten(1))


def selected(folder: Path, target: Path, monkeypatch: pytest.MonkeyPatch, judge: Any) -> dict[str, Any]:
    copy = Path(shutil.copytree(folder, target))
    monkeypatch.setattr(ASKED, lambda path, device: (judge, read_discriminator(path, device)[1]))
    for known in (copy / ".measure").rglob("pairs-*"):
        known.unlink()
    return select(select_params(copy), copy)


@pytest.mark.parametrize("right", [0, 111, 150])
def test_the_share_is_that_of_the_pairs_in_which_the_real_one_is_found(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, right: int
) -> None:
    found = selected(run, tmp_path / "copy", monkeypatch, Oracle(run, right))["pairs_told_apart"]
    assert (found["pairs"], found["share"]) == (150, pytest.approx(right / 150, abs=1e-6))
    assert found["error"] == pytest.approx(((right + 2) / 154 * (152 - right) / 154 / 154) ** 0.5, abs=1e-6)
    assert f"in {100 * right / 150:.1f}%" in found["sentence"]


def test_who_says_the_same_of_all_finds_half(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Same(Oracle):
        def forward(self, images: Tensor, condition: Tensor | None = None) -> Judgment:
            return Judgment(torch.zeros(len(images)), images.flatten(1))

    assert selected(run, tmp_path / "copy", monkeypatch, Same(run, 0))["pairs_told_apart"]["share"] == 0.5


def test_a_trained_discriminator_is_asked_and_the_answer_is_kept(run: Path) -> None:
    found = read_json(run / "metrics/selection.json")["pairs_told_apart"]
    assert found["pairs"] == 150
    assert 0.5 < found["share"] <= 1
    assert found["sentence"] in (run / "models/selected/README.md").read_text()
    (known,) = (run / ".measure").rglob("pairs-*")
    before = known.stat().st_ino
    assert select(select_params(run), run)["pairs_told_apart"] == found
    assert known.stat().st_ino == before


@pytest.mark.parametrize(
    "case",
    [
        (None, {}, "it learned without a discriminator"),
        (nn.Identity(), {"packing": 2}, "judges several together"),
        (nn.Identity(), {"minibatch_stddev": 4}, "judges several together"),
    ],
)
def test_where_no_discriminator_judges_single_ones_the_reason_is_told(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: tuple[Any, dict[str, Any], str]
) -> None:
    judge, changes, reason = case

    def config(path: Path, device: torch.device) -> tuple[Any, ModelConfig]:
        return judge, ModelConfig("dcgan", 8, (1, 8, 8), None, 12, "normal", **changes)

    monkeypatch.setattr(ASKED, config)
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    selection = select(select_params(copy), copy)
    assert selection["pairs_told_apart"] is None
    assert reason in selection["absent"]["pairs_told_apart"]


def test_a_discriminator_that_never_learned_is_not_asked(tmp_path: Path) -> None:
    run = write_run(tmp_path, None, train__family="vae")
    selection = select(select_params(run), run)
    assert selection["pairs_told_apart"] is None
    assert selection["absent"]["pairs_told_apart"] == "it learned without a discriminator"
