"""Images that are read a window at a time: each once an epoch, well mixed, in an order that positions decide."""

import threading

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mintage.data import RealImages
from mintage.streaming import Blocks, StreamedImages, open_images
from mintage.trainer import Trainer
from tests.mintage.helpers import assert_goes_on, tiny_trainer

CPU = torch.device("cpu")


def numbered(sizes: list[int], window: int, seed: int = 0) -> StreamedImages:
    """Images whose one value is their number, with their number as label."""
    starts = torch.tensor([0, *sizes]).cumsum(0).tolist()

    def read(block: int) -> Tensor:
        return torch.arange(starts[block], starts[block + 1]).float().view(-1, 1, 1, 1).expand(-1, 1, 4, 4)

    return StreamedImages(Blocks(sizes, read), torch.arange(sum(sizes)), window, seed, CPU)


sizes = st.lists(st.integers(1, 9), min_size=1, max_size=7)


@given(sizes=sizes, window=st.integers(1, 30), size=st.integers(1, 60), start=st.integers(0, 100))
def test_a_batch_depends_on_its_position_alone(sizes: list[int], window: int, size: int, start: int) -> None:
    fresh, used = numbered(sizes, window), numbered(sizes, window)
    for position in range(0, start, size):
        used.batch(position, size)
    expected, _ = fresh.batch(start, size)
    found, labels = used.batch(start, size)
    assert found.shape == (size, 1, 4, 4)
    assert torch.equal(found, expected)
    assert labels is not None
    assert torch.equal(found[:, 0, 0, 0].long(), labels)


@given(sizes=sizes, window=st.integers(1, 30), epochs=st.integers(1, 3))
def test_each_epoch_shows_every_image_once(sizes: list[int], window: int, epochs: int) -> None:
    real = numbered(sizes, window)
    count = sum(sizes)
    shown = torch.cat([real.batch(i, 1)[0][:, 0, 0, 0] for i in range(epochs * count)]).view(epochs, count)
    assert all(epoch.sort().values.tolist() == list(range(count)) for epoch in shown)


def test_images_stored_by_class_are_shown_mixed_in_another_order_each_epoch() -> None:
    """Classes one after the other in 1,000 blocks, of which a window holds 200: batches have nearly their shares."""
    real = numbered([5] * 1000, window=1000)
    shown = torch.cat([real.batch(position, 100)[0][:, 0, 0, 0] for position in range(0, 10_000, 100)])
    classes = (shown // 500).long().view(100, 100)
    counts = torch.stack([torch.bincount(batch, minlength=10) for batch in classes]).float()
    chi_squared = ((counts - 10) ** 2 / 10).sum(1)  # mean 9 where batches are drawn from all classes alike
    assert chi_squared.mean() < 9 + 6  # 100 images out of 200 blocks of one class each: 9 + 100 * 9 / 200 * 0.8
    assert (counts > 0).all()
    first, second = shown.view(2, 5000)
    assert not torch.equal(first, second)
    for epoch in (first, second):
        places = torch.corrcoef(torch.stack([torch.arange(5000.0), epoch]))[0, 1]
        assert abs(places) < 0.15, "where an image is stored says little about when it is shown"
        neighbors = (epoch[1:] - epoch[:-1]).abs()
        assert (neighbors == 1).float().mean() < 0.01


def test_a_window_that_two_large_blocks_would_fill_has_images_of_all_classes() -> None:
    """Small images, by class, in a block a class: before, batches were of two classes."""
    real = numbered([500] * 10, window=1000)
    shown = torch.cat([real.batch(position, 100)[0][:, 0, 0, 0] for position in range(0, 10_000, 100)])
    counts = torch.stack([torch.bincount(batch, minlength=10) for batch in (shown // 500).long().view(100, 100)])
    assert ((counts - 10.0) ** 2 / 10).sum(1).mean() < 9 + 1  # 9 where batches are drawn from all classes alike
    assert max(share.end - share.begin for share in real.plan(0)) <= 1000


def test_blocks_that_are_mixed_are_each_read_once_an_epoch() -> None:
    """Generated images are made when they are read."""
    reads = []

    def read(block: int) -> Tensor:
        reads.append(block)
        return torch.zeros(10, 1, 4, 4)

    real = StreamedImages(Blocks([10] * 6, read, mixed=True), None, 20, 0, CPU)
    for position in range(0, 60, 5):
        real.batch(position, 5)
    real._reader.shutdown()
    assert sorted(reads[:6]) == list(range(6))


def test_a_window_that_holds_everything_is_one_permutation() -> None:
    shown = numbered([10] * 10, window=100).batch(0, 100)[0][:, 0, 0, 0]
    assert len({tuple(part) for part in (shown.view(10, 10) // 10).tolist()}) == 10
    assert all(len(torch.unique(part // 10)) > 3 for part in shown.view(10, 10))


def test_no_more_than_two_windows_are_held_and_the_next_is_read_before_it_is_asked_for() -> None:
    reads, ready = [], threading.Event()

    def read(block: int) -> Tensor:
        reads.append(block)
        if len(reads) == 12:
            ready.set()
        return torch.zeros(10, 1, 4, 4)

    real = StreamedImages(Blocks([10] * 6, read), None, 10, 0, CPU)
    real.batch(0, 5)
    assert ready.wait(300), "the second window is read while the first is shown"
    for position in range(5, 120, 5):
        real.batch(position, 5)
        assert len(real._ahead) == 2


def test_images_are_found_by_their_numbers() -> None:
    numbers = torch.tensor([24, 0, 7, 7, 13])
    assert numbered([10, 3, 12], window=5).take(numbers)[:, 0, 0, 0].tolist() == numbers.tolist()


@pytest.mark.parametrize("window", [None, 25, 1000])
def test_a_window_that_holds_all_is_the_order_of_images_in_memory(window: int | None) -> None:
    images, labels = torch.randn(25, 3, 4, 4), torch.arange(25)
    parts = torch.split(images, 7)
    blocks = Blocks([len(part) for part in parts], lambda block: parts[block])
    real, expected = open_images(blocks, labels, window, 3, CPU), RealImages(images, labels, 3, CPU)
    for found, wanted in zip(real.batch(11, 40), expected.batch(11, 40), strict=True):
        assert torch.equal(found, wanted)  # type: ignore[arg-type]
    assert isinstance(open_images(blocks, labels, 24, 3, CPU), StreamedImages)


@pytest.mark.parametrize("window", [None, 8])
def test_the_same_images_can_have_other_labels_and_the_order_of_another_seed(window: int | None) -> None:
    images, labels = torch.randn(25, 1, 4, 4), torch.arange(25)
    parts = torch.split(images, 7)
    blocks = Blocks([len(part) for part in parts], lambda block: parts[block])
    other = open_images(blocks, None, window, 3, CPU).relabeled(labels, 4)
    for found, wanted in zip(other.batch(0, 30), open_images(blocks, labels, window, 4, CPU).batch(0, 30), strict=True):
        assert torch.equal(found, wanted)  # type: ignore[arg-type]


def test_an_error_of_the_reader_reaches_who_asks() -> None:
    def read(block: int) -> Tensor:
        raise ValueError("damaged")

    with pytest.raises(ValueError, match="damaged"):
        StreamedImages(Blocks([10, 10], read), None, 10, 0, CPU).batch(0, 5)


def test_a_training_that_goes_on_shows_the_same_images() -> None:
    def begin() -> Trainer:
        trainer = tiny_trainer()
        parts = torch.split(trainer.real.take(torch.arange(len(trainer.real))), 7)
        blocks = Blocks([len(part) for part in parts], lambda block: parts[block])
        trainer.real = StreamedImages(blocks, trainer.real.conditions, 20, 0, CPU)
        return trainer

    assert_goes_on(begin, turns=12, stop=5)
