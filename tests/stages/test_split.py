"""A split of the normalized images: any part of it, as it would be in memory."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from mintage.evaluator import EvaluatorConfig, features_of
from mintage.learning import build_evaluator
from mintage.quality import explained_variance
from stages.common.params import Select, load_section
from stages.common.reading import batches_of
from stages.common.shards import shard_path, tensor_table
from stages.common.split import BATCH, Split
from stages.media.images import Images
from stages.media.medium import Words
from stages.selection.extraction import Judge
from stages.selection.features import feature_network
from tests.refusals import refused
from tests.stages.tiny_data import ROOT

COUNT, SHAPE = 1300, (3, 9, 11)
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, *SHAPE), np.uint8)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Split:
    """In row groups and shards that no batch is a multiple of."""
    folder = tmp_path_factory.mktemp("split")
    for index, start in enumerate(range(0, COUNT, 470)):
        rows = range(start, min(start + 470, COUNT))
        table = tensor_table(IMAGES[rows.start : rows.stop], [i % 3 for i in rows], [f"{i}" for i in rows], list("abc"))
        pq.write_table(table, shard_path(folder, index), row_group_size=97)
    return Split(folder)


def test_labels_keys_and_batches_are_those_of_the_whole(split: Split) -> None:
    assert (len(split), split.shape, split.classes) == (COUNT, SHAPE, ["a", "b", "c"])
    assert split.keys == [str(number) for number in range(COUNT)]
    assert split.labels is not None
    assert split.labels.tolist() == [number % 3 for number in range(COUNT)]
    batches = list(split.batches())
    assert [len(batch) for batch in batches] == [BATCH, BATCH, COUNT - 2 * BATCH]
    np.testing.assert_array_equal(np.concatenate(batches), split.images())
    np.testing.assert_array_equal(split.images(), IMAGES / np.float32(127.5) - np.float32(1))


def test_a_few_are_found_by_their_numbers_and_many_come_in_order(split: Split) -> None:
    chosen = np.array([1299, 0, 96, 97, 0, 600])
    np.testing.assert_array_equal(split.take(chosen), split.images()[chosen])
    assert split.take(chosen[:0]).shape == (0, *SHAPE)
    many = np.random.default_rng(1).permutation(COUNT)[:700]
    batches = list(split.batches(many))
    assert [len(batch) for batch in batches] == [BATCH, 700 - BATCH]
    np.testing.assert_array_equal(np.concatenate(batches), split.images()[np.sort(many)])


def test_features_and_figures_are_those_of_images_in_memory_to_the_bit(split: Split) -> None:
    whole, evaluator = (
        torch.from_numpy(split.images()),
        build_evaluator(EvaluatorConfig(SHAPE, tuple("abc"), 8), 0).eval(),
    )
    streamed = torch.cat([features_of(evaluator, images) for images in batches_of(split)])
    assert torch.equal(streamed, features_of(evaluator, whole))
    judge = Judge(
        evaluator,
        feature_network(load_section(Select, ROOT / "params.yaml"), evaluator, "", CPU, Words()),
        Images(),
        "",
    )
    seen, expected = (
        judge.extract(images, None).tensors() for images in (batches_of(split), torch.split(whole, BATCH))
    )
    assert {"features", "pixels", "logits", "power", "thumbnails"} == set(seen)
    assert all(torch.equal(seen[name], expected[name]) for name in seen)


def test_the_variance_explained_is_that_of_all_images(split: Split) -> None:
    whole, autoencoder = torch.from_numpy(split.images()), build_evaluator(EvaluatorConfig(SHAPE, None, 8), 0).eval()
    with torch.inference_mode():
        error = (autoencoder(whole) - whole).double().square().sum() / (whole - whole.mean(0)).double().square().sum()
    assert explained_variance(autoencoder, batches_of(split)) == pytest.approx(1 - error.item(), rel=1e-5)


def test_a_shard_that_is_gone_is_one_sentence(tmp_path: Path) -> None:
    pq.write_table(tensor_table(IMAGES[:5], [0] * 5, list("vwxyz"), ["a"]), shard_path(tmp_path, 0))
    lost = Split(tmp_path)
    shard_path(tmp_path, 0).unlink()
    with refused("output-damaged", "part-00000.parquet cannot be read"):
        list(lost.batches())
