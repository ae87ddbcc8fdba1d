import torch
from hypothesis import given
from hypothesis import strategies as st

from mintage.data import RealImages


def numbered(count: int, seed: int = 0) -> RealImages:
    """Images whose one value is their number, with their number as label."""
    images = torch.arange(count).float().view(-1, 1, 1, 1).expand(-1, 1, 8, 8)
    return RealImages(images, torch.arange(count), seed, torch.device("cpu"))


@given(count=st.integers(2, 40), size=st.integers(1, 100), start=st.integers(0, 200))
def test_a_batch_depends_on_its_position_alone(count: int, size: int, start: int) -> None:
    fresh, used = numbered(count), numbered(count)
    used.batch(0, size)
    expected, _ = fresh.batch(start, size)
    found, labels = used.batch(start, size)
    assert torch.equal(found, expected)
    assert labels is not None
    assert torch.equal(found[:, 0, 0, 0].long(), labels)


@given(count=st.integers(2, 40), epochs=st.integers(1, 4))
def test_each_epoch_shows_every_image_once_in_a_new_order(count: int, epochs: int) -> None:
    real = numbered(count)
    shown = torch.cat([real.batch(i, 1)[0][:, 0, 0, 0] for i in range(epochs * count)]).view(epochs, count)
    assert all(epoch.sort().values.tolist() == list(range(count)) for epoch in shown)
    if count > 10:
        assert len({tuple(epoch.tolist()) for epoch in shown}) == epochs


def test_another_seed_is_another_order() -> None:
    assert not torch.equal(numbered(50, seed=0).batch(0, 50)[0], numbered(50, seed=1).batch(0, 50)[0])
