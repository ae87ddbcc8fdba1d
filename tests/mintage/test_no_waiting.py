"""No turn waits for the device: proven without a GPU, on torch's device `meta`, whose tensors have no values to read.

What lies on the host stays real. So every `item`, `tolist`, `nonzero` or branch on what is on the device raises, and
so does every copy from it, as well as one to it that would wait.
"""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from mintage.families import FAMILIES
from mintage.trainer import Trainer, first_not_finite
from tests.mintage.golden import SHAPES
from tests.mintage.helpers import play, tiny_trainer

META = torch.device("meta")


class NoWaiting(TorchDispatchMode):
    """Within, a copy between host and device that waits raises."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if func.name().startswith(("aten::_to_copy", "aten::copy_")):
            source = args[1] if func.name().startswith("aten::copy_") else args[0]
            waits = not ((kwargs or {}).get("non_blocking") or (len(args) > 2 and args[2]))
            assert source.device == made.device or (made.device == META and not waits), f"{func.name()} waits"
        return made


def on_meta(self: Tensor, memo: dict[int, Any]) -> Tensor:
    """In the place of `Tensor.__deepcopy__`: a tensor like it on the device without values."""
    if id(self) not in memo:
        made = torch.empty_like(self, device=META)
        weight = isinstance(self, nn.Parameter)
        memo[id(self)] = nn.Parameter(made, self.requires_grad) if weight else made.requires_grad_(self.requires_grad)
    copied: Tensor = memo[id(self)]
    return copied


def moved(trainer: Trainer) -> Trainer:
    """The trainer after a turn, which fills what is made once, moved to `meta` and set back to its first image."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tensor, "__deepcopy__", on_meta)
        patch.setattr(nn.Parameter, "__deepcopy__", on_meta)
        patch.setitem(copy._deepcopy_dispatch, torch.device, lambda *_: META)  # type: ignore[attr-defined]
        made = copy.deepcopy(play(trainer, 1))
    made.images_seen = 0
    return made


@pytest.mark.parametrize("family", FAMILIES)
def test_a_turn_of_every_family_reads_nothing_back_from_the_device(family: str) -> None:
    trainer = moved(tiny_trainer(family, shape=SHAPES.get(family, (1, 8, 8))))
    with NoWaiting():
        play(trainer, 2)
    assert all(tensor.device == META for tensor in trainer.engine.state().values())


def test_what_an_optimizer_keeps_on_the_host_is_checked_in_one_reading_with_what_is_on_the_device() -> None:
    with pytest.raises(NotImplementedError, match="no data"):  # it comes as far as that reading
        first_not_finite({"step": torch.zeros(()), "square_avg": torch.zeros(4, device=META)})
    assert first_not_finite({"step": torch.zeros(()), "square_avg": torch.full((4,), torch.inf)}) == "square_avg"


def test_what_reads_the_device_or_waits_for_it_is_found() -> None:
    trainer = moved(tiny_trainer("vae_gan"))
    with pytest.raises(RuntimeError, match="meta"):
        bool(trainer.engine.game.waits("discriminator"))
    with NoWaiting(), pytest.raises(AssertionError, match="waits"):
        torch.zeros(2).to(META)
    with NoWaiting():
        torch.zeros(2).to(META, non_blocking=True)
