"""Which device and which arithmetic to train with."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch.nn import Module

from mintage.nearest import not_one_of
from mintage.networks.parts import SMALLEST_IMAGE, Shape

_CPU_BFLOAT16 = ("amx_bf16", "avx512_bf16", "avx10_2", "bf16", "sve_bf16")
"""Torch's names of processor features that multiply in bfloat16; without them it is imitated, 28 times slower."""
_FAST_BFLOAT16 = ("amx_bf16", "avx512_bf16")
"""Those with which training was measured to be faster than in float32: docs/benchmarks.md."""

_DEVICE = re.compile(r"cpu|cuda(:\d+)?")
_PRECISIONS = ("auto", "float32", "bfloat16")
CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}
"""The fastest layout for convolutions, by the number of dimensions of images or of weights."""


def move(module: Module, device: torch.device) -> Module:
    """The module on a device, with convolution weights in their fastest layout.

    No module has weights for both pictures and volumes.
    """
    deepest = max((tensor.ndim for tensor in module.state_dict().values()), default=0)
    return module.to(device, memory_format=CHANNELS_LAST.get(deepest, torch.channels_last))  # type: ignore[call-overload]


def choose_device(name: str) -> torch.device:
    """`auto` is a CUDA device if there is one, else the CPU. Raises ValueError if there is no such device."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not _DEVICE.fullmatch(name):
        raise ValueError(f"there is no device {name!r}: give auto, cpu, cuda or cuda:N")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"device '{name}' is not on this machine, which has {torch.cuda.device_count()} CUDA devices")
    return device


def choose_precision(name: str, device: torch.device, image_shape: Shape | None = None) -> torch.dtype:
    """`auto` is bfloat16 if the device is faster in it, else float32.

    Points need float32: bfloat16's eight bits are too few for coordinates. On a CPU it is also float32 for volumes,
    whose convolutions are no faster in bfloat16, and for pictures more than twice as high as wide: torch 2.13 with AMX
    reads uninitialized memory if a strided convolution in bfloat16 leaves a single column. Raises ValueError if there
    is no such precision, or the device has no bfloat16 arithmetic: a processor without it took 28 times as long.
    """
    if name not in _PRECISIONS:
        raise ValueError(f"precision = {name!r}{not_one_of(name, _PRECISIONS)}")
    if name == "bfloat16" and not computes_in_bfloat16(device):
        raise ValueError(
            f"precision 'bfloat16' would be far slower than float32 on this {device.type.upper()}, "
            "which has no such arithmetic"
        )
    if name != "auto":
        return torch.bfloat16 if name == "bfloat16" else torch.float32
    if image_shape is not None and min(image_shape[1:]) < SMALLEST_IMAGE:
        return torch.float32
    if image_shape is not None and device.type == "cpu" and (len(image_shape) > 3 or _is_tall(image_shape)):
        return torch.float32
    if device.type == "cuda":
        return torch.bfloat16 if computes_in_bfloat16(device) else torch.float32
    return torch.bfloat16 if any(map((_capabilities() or {}).get, _FAST_BFLOAT16)) else torch.float32


def _is_tall(image_shape: Shape) -> bool:
    return len(image_shape) == 3 and image_shape[1] > 2 * image_shape[2]


def computes_in_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16; True if torch does not know."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = _capabilities()
    return capabilities is None or any(map(capabilities.get, _CPU_BFLOAT16))


def _capabilities() -> Mapping[str, object] | None:
    """The processor's features, by torch's names; None before torch 2.12, which does not know them."""
    tell = getattr(torch.cpu, "get_capabilities", None)
    return None if tell is None else tell()


@contextmanager
def thread_count(count: int | None) -> Iterator[None]:
    """Within the block, torch computes in `count` threads of the CPU; None changes nothing."""
    before = torch.get_num_threads()
    torch.set_num_threads(before if count is None else count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def make_deterministic(device: torch.device, deterministic: bool) -> None:
    """On CUDA: the same bits each run, or (the default) the fastest kernels, which may add in another order."""
    if device.type == "cuda":
        if deterministic:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS refuses
        torch.use_deterministic_algorithms(deterministic)
        torch.backends.cudnn.benchmark = not deterministic
