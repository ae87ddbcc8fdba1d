import pytest
import torch

from mintage import catalog
from mintage.augment import augment
from mintage.randomness import stream

IMAGES = torch.rand(40, 3, 12, 12, generator=torch.Generator().manual_seed(0)) * 2 - 1
ALL = tuple(catalog.BUILT_IN["augment"])


@pytest.mark.parametrize("name", catalog.BUILT_IN["augment"])
def test_a_change_keeps_the_shape_repeats_by_its_stream_and_differs_by_image(name: str) -> None:
    changed = augment(IMAGES, [name], stream(0, "test"))
    assert changed.shape == IMAGES.shape
    assert torch.equal(changed, augment(IMAGES, [name], stream(0, "test")))
    assert not torch.equal(changed, augment(IMAGES, [name], stream(1, "test")))
    same = augment(IMAGES[:1].expand_as(IMAGES), [name], stream(0, "test"))
    assert len(torch.unique(same.flatten(1), dim=0)) >= {"turns": 4, "mirrors": 2}.get(name, 6)


@pytest.mark.parametrize("names", [*([name] for name in catalog.BUILT_IN["augment"]), ALL], ids=str)
def test_a_change_passes_gradients_on_to_the_generator(names: list[str]) -> None:
    images = IMAGES.clone().requires_grad_(True)
    torch.autograd.backward(augment(images, names, stream(0, "test")).sum())
    assert images.grad is not None
    assert images.grad.isfinite().all()
    assert (images.grad.flatten(1).abs().sum(1) > 0).all()


def test_no_change_gives_the_images_themselves() -> None:
    assert augment(IMAGES, [], stream(0, "test")) is IMAGES


def test_translation_moves_each_image_whole_by_up_to_an_eighth() -> None:
    ramp = torch.arange(1.0, 16 * 16 + 1).view(1, 1, 16, 16).expand(200, -1, -1, -1)
    moved = augment(ramp, ["translation"], stream(0, "test"))
    shifts = {
        (rows, columns)
        for image in moved[:, 0]
        for rows, columns in [divmod(int(image[8, 8].item()) - 1 - (8 * 16 + 8), 16)]
        for rows, columns in [(rows, columns) if columns <= 2 else (rows + 1, columns - 16)]
    }
    assert shifts == {(rows, columns) for rows in range(-2, 3) for columns in range(-2, 3)}
    assert ((moved == 0) | (moved[:, :, 8:9, 8:9] - ramp[:, :, 8:9, 8:9] == moved - ramp)).all()


def test_cutout_blanks_at_most_a_quarter_of_an_image_and_changes_nothing_else() -> None:
    ones = torch.ones(300, 1, 12, 8)
    cut = augment(ones, ["cutout"], stream(0, "test"))
    gone = (cut == 0).flatten(1).sum(1)
    assert gone.max() == 6 * 4
    assert gone.min() >= 3 * 2  # a corner of the rectangle where its center lies in the image's corner
    assert ((cut == 0) | (cut == 1)).all()


def test_color_moves_brightness_saturation_and_contrast_within_their_ranges() -> None:
    gray = torch.full((500, 3, 4, 4), 0.2)
    shift = (augment(gray, ["color"], stream(0, "test")) - 0.2)[:, 0, 0, 0]
    assert shift.abs().max() <= 0.5
    assert shift.std().item() == pytest.approx(12**-0.5, rel=0.1)
    changed = augment(IMAGES, ["color"], stream(0, "test"))
    contrast = changed.mean(1).flatten(1).std(1) / IMAGES.mean(1).flatten(1).std(1)
    assert 0.5 <= contrast.min() < 0.6
    assert 1.4 < contrast.max() <= 1.5
