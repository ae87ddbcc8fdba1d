"""An image drawn in two stages: coarsely, and what differs; of a picture and a map of where things are to be."""

import pytest
import torch
from torch import Tensor

import mintage
from mintage.metrics.pairs import absolute_error
from tests.mintage.helpers import assert_goes_on, changed, copies, step, tiny_trainer


def moved(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Squares of a color on black `[N,3,8,8]`, and of each another place of it with a white map of the right one."""
    random = torch.Generator().manual_seed(seed)
    colors = torch.rand(count, 3, generator=random) * 1.4 - 0.4
    images, elsewhere, maps = (torch.full((count, 3, 8, 8), -0.9) for _ in range(3))
    for number, color in enumerate(colors):
        (top, left), (other, aside) = torch.randint(5, (2, 2), generator=random).tolist()
        images[number, :, top : top + 3, left : left + 3] = color[:, None, None]
        elsewhere[number, :, other : other + 3, aside : aside + 3] = color[:, None, None]
        maps[number, :, top : top + 3, left : left + 3] = 0.9
    return images, torch.cat([elsewhere, maps], 1)


def test_each_stage_learns_in_its_own_time_and_the_discriminator_in_the_second() -> None:
    trainer = tiny_trainer("pg2", pretrain_images=16)
    stages = {name: getattr(trainer.game.generator.network, name) for name in ("coarse", "fine")}
    players = {**stages, "discriminator": trainer.game.discriminator}

    def weights() -> dict[str, Tensor]:
        return copies({f"{name}.{key}": one for name, player in players.items() for key, one in
                       player.named_parameters()})  # fmt: skip

    start = weights()
    step(trainer, 0, "discriminator", "generator")
    before = weights()
    step(trainer, 16, "discriminator", "generator")
    assert changed(start, before) == {"coarse"}
    assert changed(before, weights()) == {"fine", "discriminator"}


def test_the_second_stage_begins_as_what_the_first_one_drew() -> None:
    generator = tiny_trainer("pg2", shape=(3, 8, 8)).game.generator.eval()
    source, latents = moved(4, 0)[1][:, :3], torch.zeros(4, 6)
    made, drawn = generator(latents, source), generator.draft(latents, source)
    assert (made - drawn).abs().max() < 0.02
    assert not torch.equal(made, drawn)


@pytest.mark.parametrize("stop", [2, 4])
def test_stopped_in_either_stage_and_gone_on_it_ends_in_the_same_bits(stop: int) -> None:
    assert_goes_on(lambda: tiny_trainer("pg2", pretrain_images=24), turns=6, stop=stop)


def test_what_a_source_shows_is_drawn_where_its_map_says() -> None:
    (images, sources), (truths, held_out) = moved(400, 0), moved(60, 1)
    recipe = {
        "width": 4,
        "pretrain_images": 2_500.0,
        "ema_half_life": 200.0,
        "generator": {"learning_rate": 5e-3},
    }
    data = mintage.Dataset(image=images, source=sources)
    model = mintage.train(data, "pg2", images=3_500, recipe=recipe, progress=False).model
    made, copied = (absolute_error(shown, truths).mean() for shown in (model.translate(held_out), held_out[:, :3]))
    swapped = torch.cat([held_out[:, :3], held_out[:, 3:].roll(1, 0)], 1)
    assert made < 0.4 * copied
    assert absolute_error(model.translate(swapped), truths).mean() > 2 * made
