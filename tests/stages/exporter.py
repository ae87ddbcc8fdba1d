"""Torch's exporter, for tests that export many small models."""

import copy
import functools
import importlib
from typing import Any


@functools.cache
def know_operators() -> None:
    """Torch looks through its operators for each model, and parses the source of 500 of them again: longer than a small
    model takes itself. From now on it does so once a process."""
    utils: Any = importlib.import_module("torch._export.utils")
    known = functools.cache(utils._collect_all_valid_cia_ops)
    for module in ("torch.export.exported_program", "torch.export.decomp_utils"):
        setattr(importlib.import_module(module), "_collect_all_valid_cia_ops", known)  # noqa: B010  # it is private
    registration: Any = importlib.import_module("torch.onnx._internal.exporter._registration")
    registry = functools.cache(registration.ONNXRegistry.from_torchlib)

    def own(opset_version: int) -> Any:
        found = copy.copy(registry(opset_version))
        found.functions = {name: [*made] for name, made in found.functions.items()}
        return found

    registration.ONNXRegistry.from_torchlib = staticmethod(own)
