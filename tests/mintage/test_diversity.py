from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from mintage.data import RealImages
from mintage.diversity import Diversity, mean_pixel_distance
from tests.mintage.helpers import CPU, play, tiny_trainer

LABELS = torch.tensor([0, 0, 1, 1])


def test_the_distance_is_the_mean_over_pairs_and_with_labels_over_pairs_of_a_class() -> None:
    images = torch.tensor([0.0, 3.0, 10.0, 11.0]).view(4, 1, 1, 1).expand(4, 1, 2, 2)  # distances twice as large
    assert mean_pixel_distance(images) == pytest.approx(2 * (3 + 10 + 11 + 7 + 8 + 1) / 6)
    assert mean_pixel_distance(images, LABELS) == pytest.approx(2 * (3 + 1) / 2)


@pytest.mark.parametrize("family", ["gan", "cgan", "infogan", "modern_conditional"])
def test_real_images_are_as_diverse_as_themselves_and_a_constant_generator_is_not_at_all(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = tiny_trainer(family)
    judge = Diversity(trainer.average, trainer.real, 0)
    monkeypatch.setattr("mintage.diversity.generate", lambda *_: torch.full((256, 1, 8, 8), 0.3))
    assert judge.measure(trainer.average) == 0
    judge.labels = None if judge.labels is None else trainer.real.conditions
    monkeypatch.setattr("mintage.diversity.generate", lambda *_: trainer.real.images)
    assert judge.measure(trainer.average) == pytest.approx(1)


def test_real_images_that_are_all_one_tell_nothing() -> None:
    same = RealImages(torch.zeros(20, 1, 8, 8), None, 0, CPU)
    assert Diversity(tiny_trainer("gan").average, same, 0).measure(tiny_trainer("gan").average) is None


def test_measuring_changes_nothing_of_the_training() -> None:
    measured, left = play(tiny_trainer(), 1), play(tiny_trainer(), 1)
    assert measured.diversity() == measured.diversity()
    tensors = play(left, 2).state()[0]
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in play(measured, 2).state()[0].items())


def test_of_many_classes_those_looked_at_are_drawn_by_the_seed() -> None:
    trainer = tiny_trainer()
    config = replace(trainer.average.config, classes=tuple(str(label) for label in range(100)))
    average, labels = SimpleNamespace(config=config), torch.arange(300) % 100
    real = RealImages(torch.rand(300, 1, 8, 8), labels, 0, CPU)
    judges = [Diversity(average, real, seed) for seed in (0, 0, 1)]  # type: ignore[arg-type]
    classes = [torch.unique(judge.labels).tolist() for judge in judges]
    assert [len(one) for one in classes] == [16] * 3
    assert classes[0] == classes[1] != classes[2]
    assert all(judge.real > 0 for judge in judges)
