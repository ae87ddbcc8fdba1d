"""A stage's device, as params name it."""

import torch

from gan.devices import choose_device
from stages.common.errors import UserError


def device_for(name: str) -> torch.device:
    """A stage's device; UserError where this machine has none such."""
    try:
        return choose_device(name)
    except ValueError as error:
        raise UserError(f"{error}: set the stage's device to auto or cpu") from None
