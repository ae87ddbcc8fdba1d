"""Torch's exporter, for tests that export many small models."""

import functools
import importlib
from typing import Any


def parse_operators_once() -> None:
    """It parses the source of its 500 operators for each model, which takes as long as a small model itself."""
    operators: Any = importlib.import_module("torch.onnx._internal._lazy_import").onnxscript_apis
    parse = operators.get_torchlib_ops
    if not hasattr(parse, "cache_info"):
        operators._module.get_torchlib_ops = functools.cache(parse)
