from typing import Any

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from mintage.augment import random_shift
from mintage.data import RealImages
from mintage.errors import DivergedError
from mintage.evaluator import Evaluator, EvaluatorConfig, classify, features_of
from mintage.learning import Schedule, build_evaluator, train_evaluator
from mintage.metrics.frechet import frechet_distance
from mintage.quality import explained_variance, quality

CPU = torch.device("cpu")
DIGITS = tuple("0123456789")
Split = tuple[Tensor, Tensor]


def digits() -> tuple[Split, Split]:
    """Train and holdout, images and labels."""
    data = load_digits()
    images, labels = torch.from_numpy(data.images / 8 - 1).float().unsqueeze(1), torch.from_numpy(data.target)
    return (images[:1400], labels[:1400]), (images[1400:], labels[1400:])


def trained(classes: tuple[str, ...] | None = DIGITS, seed: int = 0, **schedule: Any) -> Evaluator:
    (images, labels), _ = digits()
    plan = Schedule(**({"images": 40_000, "batch_size": 64, "learning_rate": 0.002, "seed": seed} | schedule))
    config = EvaluatorConfig((1, 8, 8), classes, features=32)
    return train_evaluator(config, RealImages(images, labels if classes else None, plan.seed, CPU), plan)


@pytest.fixture(scope="module")
def classifier() -> Evaluator:
    return trained()


@pytest.fixture(scope="module")
def autoencoder() -> Evaluator:
    return trained(classes=None)


def test_a_classifier_learns_the_digits(classifier: Evaluator) -> None:
    _, (images, labels) = digits()
    assert quality(classifier, [images], labels) >= 0.95  # the last pages are the harder writers'
    predicted = classify(classifier, features_of(classifier, images))
    assert (predicted == labels).double().mean().item() == pytest.approx(quality(classifier, [images], labels))


def test_an_autoencoder_learns_to_rebuild_what_it_never_saw(autoencoder: Evaluator) -> None:
    _, (images, _) = digits()
    assert autoencoder.config.kind == "autoencoder"
    assert 0.7 < quality(autoencoder, [images], None) < 1


class MeanImage(nn.Module):
    """Rebuilds every image as one and the same."""

    def __init__(self, mean: Tensor) -> None:
        super().__init__()
        self.mean = nn.Parameter(mean)

    def forward(self, images: Tensor) -> Tensor:
        return self.mean.expand_as(images)

    def view(self, images: Tensor) -> Tensor:
        return images


def test_the_mean_image_explains_no_variance() -> None:
    (images, _), _ = digits()
    evaluator: Any = MeanImage(images.mean(0))
    assert explained_variance(evaluator, torch.split(images, 100)) == pytest.approx(0, abs=1e-5)
    assert explained_variance(evaluator, [images[:1].repeat(3, 1, 1, 1)]) == 0


def test_the_same_seed_gives_the_same_bits_and_another_seed_others() -> None:
    first, again, other = (trained(images=1000, seed=seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["project.weight"], other["project.weight"])


def test_training_leaves_the_global_random_state_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    trained(images=200)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 13), (1, 28, 28), (3, 48, 80)])
@pytest.mark.parametrize("classes", [("a", "b"), None])
def test_any_shape_of_image_has_features_and_an_answer(
    shape: tuple[int, int, int], classes: tuple[str, ...] | None
) -> None:
    evaluator = build_evaluator(EvaluatorConfig(shape, classes, features=7), seed=0).eval()
    images = torch.rand(3, *shape) * 2 - 1
    assert features_of(evaluator, images).shape == (3, 7)
    assert evaluator(images).shape == ((3, 2) if classes else (3, *shape))


def test_one_class_is_nothing_to_tell_apart() -> None:
    assert EvaluatorConfig((1, 8, 8), ("only",), 4).kind == "autoencoder"


@pytest.mark.parametrize("kind", ["classifier", "autoencoder"])
def test_each_feature_has_mean_0_and_variance_1_over_the_images_of_its_training(
    kind: str, request: pytest.FixtureRequest
) -> None:
    (images, _), _ = digits()
    shown = random_shift(images, torch.Generator().manual_seed(0))
    features = features_of(request.getfixturevalue(kind), shown)
    assert features.mean(0).abs().max() < 0.2
    assert features.std(0).min() > 0.8
    assert features.std(0).max() < 1.2


def test_an_image_s_features_do_not_depend_on_the_images_beside_it(classifier: Evaluator) -> None:
    (images, _), _ = digits()
    together = features_of(classifier, images[:700])
    alone = torch.cat([features_of(classifier, image.unsqueeze(0)) for image in images[:20]])
    assert torch.allclose(together[:20], alone, atol=1e-5)


@pytest.mark.parametrize("kind", ["classifier", "autoencoder"])
def test_worse_images_are_farther_away(kind: str, request: pytest.FixtureRequest) -> None:
    (images, labels), (held_out, _) = digits()
    evaluator = request.getfixturevalue(kind)
    real = features_of(evaluator, held_out)

    def distance(made: Tensor) -> float:
        return frechet_distance(real, features_of(evaluator, made))

    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    blurred = nn.functional.avg_pool2d(images, 3, stride=1, padding=1, count_include_pad=False)
    floor = distance(images)
    assert floor < distance((images + 0.2 * noise).clamp(-1, 1)) < distance((images + 0.5 * noise).clamp(-1, 1))
    assert distance(blurred) > 2 * floor
    assert floor < distance(images[labels != 0]) < distance(images[labels < 5])  # classes left out
    assert distance(images[:10].repeat(100, 1, 1, 1)) > 2 * floor  # the same few again and again


@pytest.mark.parametrize(("side", "reach"), [(8, 1), (15, 1), (16, 2)])
def test_a_shift_moves_an_image_by_a_few_pixels_and_repeats_its_edge(side: int, reach: int) -> None:
    places = torch.arange(side * side).float().view(1, 1, side, side).repeat(400, 2, 1, 1)
    shifted = random_shift(places, torch.Generator().manual_seed(0))
    moves = set()
    for image in shifted:
        middle = int(image[0, side // 2, side // 2])
        down, right = middle // side - side // 2, middle % side - side // 2
        rows, columns = ((torch.arange(side) + move).clamp(0, side - 1) for move in (down, right))
        assert torch.equal(image, places[0][:, rows][:, :, columns])
        moves.add((down, right))
    assert len(moves) == (2 * reach + 1) ** 2
    assert max(max(abs(down), abs(right)) for down, right in moves) == reach


def test_along_a_side_that_is_still_nothing_is_moved() -> None:
    places = torch.arange(16 * 24).float().view(1, 1, 16, 24).repeat(64, 1, 1, 1)
    shifted = random_shift(places, torch.Generator().manual_seed(0), still=(1,))
    assert (shifted % 24 == torch.arange(24)).all()
    assert len({int(image[0, 8, 0]) // 24 for image in shifted}) == 5


def test_of_points_no_one_is_of_a_class_that_has_no_images() -> None:
    config = EvaluatorConfig((2, 1, 1), ("left", "right", "none"), 2)
    points = torch.tensor([[-1.0, 0.0], [1.0, 0.0]])[:, :, None, None]
    real = RealImages(points, torch.tensor([0, 1]), 0, torch.device("cpu"))
    evaluator = train_evaluator(config, real, Schedule(1, 1, 1.0, 0))
    seen = points.repeat(20, 1, 1, 1) / 2
    assert classify(evaluator, features_of(evaluator, seen)).tolist() == [0, 1] * 20
    assert evaluator(seen).softmax(1)[:, 2].tolist() == [0.0] * 40


def test_a_training_that_diverges_says_so() -> None:
    with pytest.raises(DivergedError, match="not finite"):
        trained(classes=None, images=1000, learning_rate=1e30)
