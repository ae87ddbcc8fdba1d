"""Generative adversarial networks on arrays in memory: train, sample, measure, load. Needs torch, numpy, safetensors.

The pipeline (`stages/`, `flows/`) is built on it. It knows no DVC and no Prefect.

Example:
    >>> import torch, mintage
    >>> data = mintage.Dataset(image=torch.rand(64, 1, 8, 8) * 2 - 1, label=torch.arange(64) % 2)
    >>> run = mintage.train(data, "cgan", images=640, recipe={"width": 8}, progress=False)
    >>> run.model.sample(4, seed=0, label="1").shape
    torch.Size([4, 1, 8, 8])
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mintage.damage import Damage
    from mintage.dataset import Dataset
    from mintage.detection import Detector, load_detector
    from mintage.errors import CheckpointError, DivergedError
    from mintage.measuring import Figure, measure
    from mintage.model import Model, load
    from mintage.release import ReleaseError
    from mintage.training import Run, train

__all__ = [
    "CheckpointError",
    "Damage",
    "Dataset",
    "Detector",
    "DivergedError",
    "Figure",
    "Model",
    "ReleaseError",
    "Run",
    "load",
    "load_detector",
    "measure",
    "train",
]
_HOMES = {
    "CheckpointError": "errors",
    "Damage": "damage",
    "Dataset": "dataset",
    "Detector": "detection",
    "DivergedError": "errors",
    "Figure": "measuring",
    "Model": "model",
    "ReleaseError": "release",
    "Run": "training",
    "load": "model",
    "load_detector": "detection",
    "measure": "measuring",
    "train": "training",
}
"""The module of each name. None is imported before it is used: torch takes seconds."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mintage' has no attribute {name!r}")
    return getattr(import_module(f"mintage.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
