"""A stage's device and arithmetic, as params name them.

`python -m stages.common.device PRECISION DEVICE` says by its exit code whether this machine has them.
"""

import torch

from mintage.devices import choose_device, choose_precision
from mintage.networks.parts import Shape
from stages.common.errors import UserError, run_stage
from stages.common.stage import parser_of


def device_for(name: str) -> torch.device:
    """A stage's device; raises UserError if this machine does not have it."""
    try:
        return choose_device(name)
    except ValueError as error:
        raise UserError("device-missing", f"{error}: set the stage's device to auto or cpu") from None


def steady_device_for(name: str) -> torch.device:
    """`device_for`, with torch on one CPU thread.

    So the bits do not depend on the number of cores, and other busy programs cost no more than their share: beside one,
    two threads that wait for each other were 20 times slower than one thread.
    """
    device = device_for(name)
    torch.set_num_threads(1)
    return device


def precision_for(name: str, device: torch.device, image_shape: Shape | None = None) -> torch.dtype:
    """The arithmetic to train in; raises UserError if the device does not have it."""
    try:
        return choose_precision(name, device, image_shape)
    except ValueError as error:
        raise UserError("precision-unsuitable", f"train.{error}: set train.precision to auto") from None


def main() -> None:
    parser = parser_of("stages.common.device", __doc__)
    parser.add_argument("precision", help="as train.precision")
    parser.add_argument("device", help="as train.device")
    asked = parser.parse_args()
    print(precision_for(asked.precision, device_for(asked.device)))


if __name__ == "__main__":
    run_stage(main)
