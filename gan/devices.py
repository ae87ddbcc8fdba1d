"""Which device and which arithmetic to train with."""

import os

import torch

from gan.networks.parts import SMALLEST_IMAGE, ImageShape


def choose_device(name: str) -> torch.device:
    """`auto` is a CUDA device where there is one, else the CPU. Raises ValueError where `name` is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"device '{name}' is not on this machine, which has {torch.cuda.device_count()} CUDA devices")
    return device


def choose_precision(name: str, device: torch.device, image_shape: ImageShape | None = None) -> torch.dtype:
    """`auto` is bfloat16 where the device multiplies matrices in it, which is faster, else float32.

    For points it is float32: bfloat16's eight bits are too few for their coordinates.
    """
    if name != "auto":
        return torch.bfloat16 if name == "bfloat16" else torch.float32
    if image_shape is not None and min(image_shape[1:]) < SMALLEST_IMAGE:
        return torch.float32
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # torch before 2.12 cannot tell
    return torch.bfloat16 if capabilities.get("amx_bf16") else torch.float32


def make_deterministic(device: torch.device, deterministic: bool) -> None:
    """On CUDA: the same bits each run, or (the default) the fastest kernels, which may add in another order."""
    if device.type == "cuda":
        if deterministic:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS refuses
        torch.use_deterministic_algorithms(deterministic)
        torch.backends.cudnn.benchmark = not deterministic
