"""Bad models planted among real images: no metric that a checkpoint may be chosen by prefers one of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from mintage.metrics.density_coverage import density_coverage
from mintage.metrics.modes import mode_figures
from mintage.mixture import Mixture
from stages.common.files import write_json
from stages.common.models import read_evaluator
from stages.common.params import Evaluator, Select, load_section
from stages.common.shards import shard_path, tensor_table
from stages.common.split import Split
from stages.evaluator import evaluator
from stages.media.images import Images
from stages.media.medium import Words
from stages.selection.extraction import Extraction, Judge
from stages.selection.features import feature_network
from stages.selection.figures import MEASUREMENTS
from stages.selection.measure import Measured, floors
from stages.selection.metrics import METRICS, SELECTABLE
from stages.selection.quality import Subject, verdict
from stages.selection.reference import Reference, reference
from stages.selection.rows import row_of
from stages.selection.verdicts import collapse, copying
from tests.refusals import refused
from tests.stages.tiny_data import CLASSES, ROOT, write_params
from tests.stages.tiny_models import SMALL, select_params

CPU = torch.device("cpu")
TRAIN = 1297
OF_IMAGES = [name for name, metric in METRICS.items() if metric.needs is None]


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits split by chance (those that the package lists last are of other writers), and a good evaluator."""
    root, digits = tmp_path_factory.mktemp("planted"), load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    for name, rows in (("train", order[:TRAIN]), ("holdout", order[TRAIN:])):
        (root / "data/normalized" / name).mkdir(parents=True)
        images = (digits.images[rows] / 8 - 1).astype(np.float32)[:, None]
        table = tensor_table(images, digits.target[rows].tolist(), [str(row) for row in rows], CLASSES)
        pq.write_table(table, shard_path(root / "data/normalized" / name, 0))
    write_json(root / "data/normalized/manifest.json", {"fingerprint": "digits"})
    write_json(root / "reports/validation.json", {"success": True})
    write_params(root, SMALL | {"evaluator.images": 40_000})
    evaluator(load_section(Evaluator, root / "params.yaml"), root)
    return root


@pytest.fixture(scope="module", params=["domain", "pixels"])
def real(folder: Path, request: pytest.FixtureRequest) -> Reference:
    network, sha256 = read_evaluator(folder / "models/evaluator", CPU)
    params = select_params(folder, samples=2000, features=request.param)
    judge = Judge(network, feature_network(params, network, sha256, CPU, Words()), Images(), sha256)
    train, holdout = (Split(folder / "data/normalized" / name) for name in ("train", "holdout"))
    return reference(judge, train, holdout, params, condition="label", cache=folder / request.param)


def planted(images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Images of bad models, as many as the real ones `[N,C,H,W]` and of their labels `[N]`."""
    noise = torch.randn(images.shape, generator=random(1))
    typical = torch.stack([images[labels == label].mean(0) for label in range(10)])[labels]
    apart = (images - typical).square().sum((1, 2, 3))
    nearest = [torch.where(labels == label, apart, torch.inf).argmin() for label in range(10)]
    pixels = torch.rand(images.shape, generator=random(2)).flatten(1).argsort(1)
    found = {f"noise of {width} around the images": images + width * noise for width in (0.5, 1.0, 3.0)}
    found |= {
        "noise": torch.rand(images.shape, generator=random()) * 2 - 1,
        "the mean image": images.mean(0, keepdim=True).expand_as(images),
        "one image": images[:1].expand_as(images),
        "one image a class": images[torch.stack(nearest)][labels],
        "pixels shuffled": images.flatten(1).gather(1, pixels).view_as(images),
        "halves exchanged": images.roll(images.shape[3] // 2, 3),
    }
    return {name: made.clamp(-1, 1) for name, made in found.items()}


def figures_of(drawn: Extraction, real: Reference) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for measurement in MEASUREMENTS:
        try:
            found |= measurement(drawn, real)
        except ValueError:
            continue  # no image of a class, say: never chosen
    return found


@pytest.fixture(scope="module")
def measured(real: Reference) -> dict[str, dict[str, Any]]:
    """What is measured of each planted model."""
    images, labels = torch.from_numpy(real.train_split.images()), real.train.labels
    assert labels is not None
    return {
        model: figures_of(real.judge.extract(torch.split(made, 512), labels), real)
        for model, made in planted(images, labels).items()
    }


@pytest.fixture(scope="module")
def scores(measured: dict[str, dict[str, Any]], real: Reference) -> dict[str, dict[str, float]]:
    """By planted model and metric, how much better it is than real images: 0 is as good, below is worse."""
    floor = floors(real).figures
    sign = {name: 1 if METRICS[name].direction == "max" else -1 for name in OF_IMAGES}
    return {
        model: {name: sign[name] * (figures[name] - floor[name]) for name in OF_IMAGES if name in figures}
        for model, figures in measured.items()
    }


def test_real_images_are_good_and_every_planted_model_is_poor_without_a_look_at_its_classes(
    measured: dict[str, dict[str, Any]], real: Reference
) -> None:
    about, of_real = Subject("gan", 200_000, TRAIN, held_out=500, chance=None, medium=Images()), floors(real)
    params = load_section(Select, ROOT / "params.yaml")

    def level(figures: dict[str, Any]) -> str:
        row = row_of(0, TRAIN, Measured(figures, {}), of_real)
        judged = {"collapse": collapse(row, params), "copying": copying(row, params, Images())}
        return str(verdict([row], row, judged, about)["level"])

    assert level(of_real.figures) == "good"
    levels = {model: level(figures) for model, figures in measured.items()}
    if real.judge.network.name == "pixels":
        assert levels.pop("noise of 0.5 around the images") == "fair"  # light noise moves pixels little
    assert levels == dict.fromkeys(levels, "poor")


@pytest.mark.parametrize("metric", [name for name in SELECTABLE if name in OF_IMAGES])
def test_no_metric_to_choose_by_prefers_a_bad_model_to_real_images(
    metric: str, scores: dict[str, dict[str, float]]
) -> None:
    for model, better in scores.items():
        assert better.get(metric, -1) < -0.01, model


@pytest.mark.parametrize("metric", [name for name in OF_IMAGES if METRICS[name].guard_only])
def test_a_metric_that_only_guards_finds_a_bad_model_as_good_as_real_images(
    metric: str, scores: dict[str, dict[str, float]], real: Reference
) -> None:
    if (metric, real.judge.network.name) == ("recall", "domain"):
        return  # noise in pixels does not spread in all of these features
    rounding = 1e-4
    assert [model for model, better in scores.items() if better.get(metric, -1) >= -rounding]


def ring(count: int, seed: int) -> tuple[Mixture, Tensor]:
    angles = torch.arange(8) * torch.pi / 4
    truth = Mixture(2 * torch.stack([angles.cos(), angles.sin()], 1), 0.02)
    modes = torch.randint(8, (count,), generator=random(seed))
    return truth, truth.centers[modes] + truth.std * torch.randn(count, 2, generator=random(seed + 1))


def test_figures_of_modes_only_guard_since_few_points_or_noise_score_as_real_ones() -> None:
    truth, points = ring(2000, 0)
    floor = mode_figures(points, truth)
    one, one_a_mode = points[:1].expand(2000, 2), truth.centers.repeat(250, 1)
    wide = points + 0.2 * torch.randn(points.shape, generator=random(5))
    assert mode_figures(one, truth).high_quality > floor.high_quality
    assert mode_figures(one_a_mode, truth).reverse_kl < floor.reverse_kl
    assert mode_figures(wide, truth).captured == floor.captured
    assert all(metric.guard_only for metric in METRICS.values() if metric.needs == "modes")
    _, held_out = ring(500, 10)
    reached = density_coverage(held_out, points)[1]
    assert all(density_coverage(held_out, bad)[1] < 0.8 * reached for bad in (one, one_a_mode, wide))


@pytest.mark.parametrize("metric", [name for name, about in METRICS.items() if about.guard_only])
def test_such_a_metric_is_refused_to_choose_by_with_its_reason_and_taken_as_a_guard(
    metric: str, tmp_path: Path
) -> None:
    write_params(tmp_path, {"select.metric": metric})
    with refused("params-invalid") as error:
        load_section(Select, tmp_path / "params.yaml")
    assert f"select.metric: '{metric}' can only be a guard, since {METRICS[metric].guard_only}" in str(error.value)
    assert f"set metric to {', '.join(SELECTABLE[:-1])} or {SELECTABLE[-1]}" in str(error.value)
    write_params(tmp_path, {"select.guards": [{"metric": metric, "at_least": 0.1}]})
    assert load_section(Select, tmp_path / "params.yaml").guards[0].metric == metric
