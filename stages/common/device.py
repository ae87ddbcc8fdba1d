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


def steady_device_for(name: str) -> torch.device:
    """`device_for`, with torch on one CPU thread.

    So the bits are those of a machine with any number of cores, and busy neighbours cost no more than
    their share: two threads that wait for each other were 20 times slower than one, beside a busy program.
    """
    device = device_for(name)
    torch.set_num_threads(1)
    return device
