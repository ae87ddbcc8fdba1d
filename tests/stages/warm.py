"""Loaded before the stages are forked: what they import late, and what torch's exporter builds at its first use."""

import logging
import warnings

import great_expectations  # noqa: F401
import matplotlib.figure  # noqa: F401
import onnxruntime  # noqa: F401
import torch

from tests.stages.exporter import know_operators

logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns of packages that are not needed
know_operators()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torch.onnx.export(torch.nn.Linear(1, 1), (torch.zeros(2, 1),), dynamo=True, verbose=False)
