"""Which device and which arithmetic to train with."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch.nn import Module

from mintage.nearest import listed
from mintage.networks.parts import SMALLEST_IMAGE, ImageShape

_CPU_BFLOAT16 = ("amx_bf16", "avx512_bf16", "avx10_2", "bf16", "sve_bf16")
"""Capabilities of processors, as torch names them, that multiply in bfloat16; others imitate it, 28 times slower."""

_DEVICE = re.compile(r"cpu|cuda(:\d+)?")
_PRECISIONS = ("auto", "float32", "bfloat16")
CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}
"""By the dimensions of images or of weights, the layout in which convolutions run fastest."""


def move(module: Module, device: torch.device) -> Module:
    """The module on a device, its weights in the layout in which convolutions run fastest; it means nothing to others.

    No module has weights of pictures beside those of volumes.
    """
    deepest = max((tensor.ndim for tensor in module.state_dict().values()), default=0)
    return module.to(device, memory_format=CHANNELS_LAST.get(deepest, torch.channels_last))  # type: ignore[call-overload, no-any-return]


def choose_device(name: str) -> torch.device:
    """`auto` is a CUDA device where there is one, else the CPU. Raises ValueError where there is no such one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not _DEVICE.fullmatch(name):
        raise ValueError(f"there is no device {name!r}: give auto, cpu, cuda or cuda:N")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"device '{name}' is not on this machine, which has {torch.cuda.device_count()} CUDA devices")
    return device


def choose_precision(name: str, device: torch.device, image_shape: ImageShape | None = None) -> torch.dtype:
    """`auto` is bfloat16 where the device multiplies matrices in it, which is faster, else float32.

    For points it is float32: bfloat16's eight bits are too few for their coordinates; and on a CPU for volumes, whose
    convolutions are no faster in bfloat16, and for pictures more than twice as high as wide, since torch 2.13 with AMX
    reads what nobody wrote where a strided convolution in bfloat16 leaves a single column. Raises ValueError where
    there is no such precision, and where bfloat16 is asked of a device without such arithmetic: a processor without it
    took 28 times as long.
    """
    if name not in _PRECISIONS:
        raise ValueError(f"precision = {name!r} is not one of {listed(name, _PRECISIONS)}")
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
    return torch.bfloat16 if (_capabilities() or {}).get("amx_bf16") else torch.float32


def _is_tall(image_shape: ImageShape) -> bool:
    return len(image_shape) == 3 and image_shape[1] > 2 * image_shape[2]


def computes_in_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for it; True where torch cannot tell."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = _capabilities()
    return capabilities is None or any(capabilities.get(name) for name in _CPU_BFLOAT16)


def _capabilities() -> Mapping[str, object] | None:
    """What the processor can, by torch's names; None before torch 2.12, which cannot tell."""
    tell = getattr(torch.cpu, "get_capabilities", None)
    return None if tell is None else tell()


@contextmanager
def thread_count(count: int | None) -> Iterator[None]:
    """Within, torch computes in so many threads of the CPU; None leaves it as it is."""
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
