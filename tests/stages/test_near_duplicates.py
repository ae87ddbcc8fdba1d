"""Near-duplicates: every copy is found and nothing else, in photographs and in plain drawings."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from stages.common.levels import FloatImages
from stages.images.near import Hashes, Indices, Near, Pictures, candidates, near_pairs
from stages.images.perceptual import difference_hash, gray_cells
from tests.stages.photographs import brighter, encoded_again, from_bytes, photographs

DISTANCE, LIKENESS = 3, 0.998


def cells_of(images: FloatImages) -> Callable[[Indices], Pictures]:
    side = min(16, images.shape[2])
    return lambda asked: np.rint(gray_cells(images[asked], side, side)).astype(np.uint8)


def near(images: FloatImages) -> Near:
    return near_pairs(difference_hash(images), DISTANCE, LIKENESS, cells_of(images))


def by_force(hashes: Hashes, distance: int) -> list[tuple[int, int]]:
    """All with all."""
    differing = np.triu(np.bitwise_count(hashes[:, None] ^ hashes) <= distance, 1)
    return [(int(i), int(j)) for i, j in np.argwhere(differing)]


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), distance=st.integers(0, 8), centers=st.integers(1, 30), flips=st.integers(0, 8))
def test_the_candidates_are_those_of_comparing_all_with_all(seed: int, distance: int, centers: int, flips: int) -> None:
    random = np.random.default_rng(seed)
    hashes = random.choice(random.integers(0, 2**64, centers, dtype=np.uint64), 80)
    for _ in range(flips):
        hashes = hashes ^ np.left_shift(np.uint64(1), random.integers(0, 64, 80, dtype=np.uint64))
    found = candidates(hashes, distance)
    assert found.complete
    assert sorted(map(tuple, found.pairs.tolist())) == by_force(hashes, distance)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("encoded again", lambda images: encoded_again(images, quality=90)),
        ("darker", lambda images: brighter(images, 0.9)),
        ("brighter", lambda images: brighter(images, 1.05)),
    ],
)
def test_of_photographs_the_copies_are_found_and_no_other_image(
    name: str, changed: Callable[[FloatImages], FloatImages]
) -> None:
    images = photographs()
    assert near(images).pairs.tolist() == []
    pairs = near(np.concatenate([images, changed(images)])).pairs
    assert (pairs[:, 1] - pairs[:, 0] == len(images)).all(), f"{name}: two different images are taken for one"
    assert (pairs[:, 0] < 40).sum() >= 38  # those that are no plain sky


def test_no_two_of_the_digits_are_taken_for_one_though_hundreds_share_a_hash_and_a_brighter_one_is_found() -> None:
    images = from_bytes(np.rint(load_digits().images[:, None] * 255 / 16))
    assert len(candidates(difference_hash(images), DISTANCE).pairs) > 1000
    assert near(images).pairs.tolist() == []
    pairs = near(np.concatenate([images, brighter(images[:50], 0.9)])).pairs
    assert pairs.tolist() == [[n, 1797 + n] for n in range(50)]


def test_a_flat_image_is_near_nothing() -> None:
    assert near(np.zeros((4, 1, 8, 8), np.float32)).pairs.tolist() == []


def test_of_more_candidates_than_can_be_looked_at_it_is_said_that_some_are_missing() -> None:
    hashes = np.zeros(300, np.uint64)
    assert len(candidates(hashes, 3).pairs) == 300 * 299 // 2
    found = candidates(hashes, 3, most=1000)
    assert len(found.pairs) == 1000
    assert not found.complete


def test_a_hundred_thousand_hashes_are_not_compared_all_with_all() -> None:
    hashes = np.random.default_rng(0).integers(0, 2**64, 100_000, dtype=np.uint64)
    hashes[-1] = hashes[0] ^ np.uint64(0b10101)
    hashes[-2] = hashes[1] ^ np.uint64(0b1111)
    found = candidates(hashes, DISTANCE)
    assert (found.pairs.tolist(), found.complete) == ([[0, 99_999]], True)


@pytest.mark.parametrize(("count", "shown"), [(100, False), (20_000, True)])
def test_a_search_that_takes_seconds_says_how_far_it_is(
    count: int, shown: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    hashes = np.random.default_rng(0).integers(0, 2**64, count, dtype=np.uint64)
    near_pairs(hashes, DISTANCE, LIKENESS, lambda asked: np.zeros((len(asked), 2, 2), np.uint8))
    assert ("near-duplicates: 100%" in capsys.readouterr().err) == shown
