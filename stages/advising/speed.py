"""How fast a family learns images of a size on this machine: measured for some seconds, on noise."""

import time
from typing import Any

from mintage.attribute_names import groups_of
from mintage.families import recipe_of
from stages.advising.looks import Looks, Sides
from stages.common.foresight import changes_for
from stages.common.params import Params
from stages.images.partners import damage_by_chance, partner_shape

SECONDS = 2.0
"""How long to measure after a warm-up."""


def changes_of(family: str, shape: Sides) -> dict[str, list[str]]:
    """The changes of `train.recipe` for samples of that shape."""
    return changes_for(recipe_of(family, {}), shape)


def images_per_second(family: str, params: Params, looks: Looks, sides: Sides) -> float:
    """How many images of noise of that size a second the family trains on, on this machine now."""
    import torch

    from mintage.devices import choose_device, thread_count
    from mintage.training import make_trainer

    data = _noise(looks, params, sides)
    device = choose_device(params.train.device)
    trainer = make_trainer(
        data, family, dict(changes_of(family, data.shape)), 0, device=device, precision=params.train.precision
    )
    with thread_count(params.train.threads):
        trainer.turn()
        begun, before = time.monotonic(), trainer.images_seen
        while time.monotonic() - begun < SECONDS:
            trainer.turn()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    return (trainer.images_seen - before) / (time.monotonic() - begun)


def _noise(looks: Looks, params: Params, sides: Sides) -> Any:
    """Random images with the same kinds of conditions."""
    import torch

    from mintage.damage import Damage
    from mintage.dataset import Dataset

    known = looks.known
    shape = (known.shape[0], *sides)
    named = dict(zip(known.medium.sides, sides, strict=True)) if known.medium.shape is None else {}
    to = params.normalize.model_copy(update={"channels": shape[0], **named})
    count, random = 512, torch.Generator().manual_seed(0)
    number = torch.arange(count)
    given: dict[str, Any] = {"image": torch.rand(count, *shape, generator=random) * 2 - 1}
    if known.classes:
        given |= {"label": number % known.classes, "classes": [str(label) for label in range(known.classes)]}
    if known.attributes:
        given["attributes"] = {
            name: [known.attribute_names[places[n % len(places)]].partition("=")[2] for n in range(count)]
            if len(places) > 1
            else number % 2 == 0
            for name, places in groups_of(known.attribute_names).items()
        }
    if known.paired:
        beside, by_chance = partner_shape(to, known.medium.sides, known.maps), damage_by_chance(to)
        drawn = torch.rand(count, *beside, generator=random) * 2 - 1
        given["source"] = drawn if by_chance is None else Damage(*by_chance)
    if known.domains:
        given["domain"] = number % 2
    data = Dataset(**given, rank=len(shape) - 1)
    data.vocabulary = known.medium.alphabet
    return data
