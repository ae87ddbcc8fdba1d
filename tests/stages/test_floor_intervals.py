"""Between which two figures a floor lies by chance."""

from pathlib import Path

import pytest
import torch

from mintage.metrics.frechet import frechet_distance
from mintage.metrics.pixels import histogram, histogram_distance, histograms
from mintage.metrics.spectrum import ring_power, ring_powers, spectral_distance
from stages.common.models import read_evaluator
from stages.common.split import Split
from stages.media.images import Images
from stages.media.medium import Words
from stages.selection.extraction import Judge
from stages.selection.features import feature_network
from stages.selection.intervals import INTERVALS, _sums, resplits
from stages.selection.measure import floors
from stages.selection.metrics import METRICS
from stages.selection.reference import Reference, reference
from tests.stages.tiny_data import CLASSES
from tests.stages.tiny_models import select_params, write_run

CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=[CLASSES, None])
def real(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Reference:
    """150 held-out digits, and 300 drawn of 400 to train on."""
    folder = write_run(tmp_path_factory.mktemp("run"), request.param, evaluator__images=3000)
    network, sha256 = read_evaluator(folder / "models/evaluator", CPU)
    params = select_params(folder, samples=300)
    judge = Judge(network, feature_network(params, network, sha256, CPU, Words()), Images(), sha256)
    train, holdout = (Split(folder / "data/normalized" / name) for name in ("train", "holdout"))
    condition = None if request.param is None else "label"
    return reference(judge, train, holdout, params, condition=condition, cache=Path(folder / "cache"))


def test_each_split_holds_out_as_many_and_as_many_of_each_class_and_others_each_time(real: Reference) -> None:
    splits = resplits(real)
    assert splits.shape == (40, 450)
    assert (splits.sum(1) == 150).all()
    assert len(torch.unique(splits, dim=0)) == 40
    assert (splits.double().mean(0) - 1 / 3).abs().max() < 0.45, "every image is now here, now there"
    if real.holdout_labels is not None:
        labels = torch.cat([real.holdout_labels, torch.from_numpy(real.train_split.labels)[real.chosen]])
        counts = torch.stack([torch.bincount(labels[held_out], minlength=10) for held_out in splits])
        assert (counts == torch.bincount(real.holdout_labels, minlength=10)).all()


def test_figures_of_images_are_those_of_each_side_of_each_split(real: Reference) -> None:
    images = torch.cat([torch.from_numpy(real.holdout_split.images()), torch.from_numpy(real.train_split.images())])
    images = torch.cat([images[:150], images[150:][real.chosen]])
    levels, power = _sums(real, histograms), _sums(real, ring_powers)
    for number, held_out in enumerate(resplits(real)[:3]):
        for side, chosen in enumerate((images[held_out], images[~held_out])):
            assert torch.equal(levels[side][number].long(), histogram(chosen))
            assert torch.allclose(power[side][number], ring_power(chosen))


def test_the_interval_holds_nine_of_ten_distances_between_new_halves_and_no_bad_model(real: Reference) -> None:
    found, features = floors(real).figures, torch.cat([real.holdout.features, real.train_sample.features])
    low, high = found["frechet_floor_low"], found["frechet_floor_high"]
    distances = [frechet_distance(features[held_out], features[~held_out]) for held_out in resplits(real)]
    assert sum(low <= distance <= high for distance in distances) == 36
    assert frechet_distance(real.holdout.features, real.train_sample.features[:1].expand(300, -1)) > 2 * high


def test_few_images_leave_a_spectral_floor_of_which_one_draw_says_little(real: Reference) -> None:
    found = floors(real).figures
    assert 0 < 2 * found["spectral_floor_low"] < found["spectral_floor_high"]
    assert 0 < found["pixel_floor_low"] < found["pixel_floor_high"]


def test_every_metric_that_varies_has_its_two_columns(real: Reference) -> None:
    columns = {column for columns in INTERVALS.values() for column in columns}
    assert columns == {column for metric in METRICS.values() for column in metric.interval}
    absent = set() if real.holdout_labels is not None else set(METRICS["class_frechet_distance"].interval)
    assert columns - set(floors(real).figures) == absent


def test_sums_over_images_are_those_of_all_at_once() -> None:
    images = torch.rand(9, 3, 12, 10) * 2 - 1
    assert torch.equal(histograms(images).sum(0), histogram(images))
    assert torch.allclose(ring_powers(images).sum(0), ring_power(images))
    assert histogram_distance(histograms(images)[0], histogram(images[:1])) == 0
    assert spectral_distance(ring_powers(images)[0], ring_power(images[:1])) == pytest.approx(0, abs=1e-9)


def test_a_floor_is_read_with_its_interval_where_it_has_one() -> None:
    metric = METRICS["spectral_distance"]
    row = {"spectral_floor": 0.0638, "spectral_floor_low": 0.022, "spectral_floor_high": 0.139}
    assert metric.of_real(row) == "0.0638 (0.0220 to 0.139)"
    assert metric.of_real({"spectral_floor": 0.0638}) == "0.0638"
    assert metric.of_real(row | {"spectral_floor": 0.0151}) == "0.0151 (0.0151 to 0.139)"
