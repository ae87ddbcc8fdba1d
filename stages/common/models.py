"""The generator and the evaluator in files, each a folder with weights and the config from which it is built."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from mintage.checkpoint import weights_of
from mintage.evaluator import Evaluator, EvaluatorConfig
from mintage.learning import build_evaluator
from mintage.players import Generator, build_generator
from stages.common.errors import UserError, one_line
from stages.common.files import fingerprint_of, read_json, sha256_of

MISFITS = (RuntimeError, KeyError, TypeError, ValueError, AttributeError, SafetensorError)
"""Errors from building a network with a wrong config, or from loading wrong weights."""


def write_weights(path: Path, module: nn.Module) -> None:
    """Write a network's tensors as a safetensors file, the same bytes each time."""
    path.write_bytes(weights_of(module))


def misfit(weights: Path, error: Exception, stage: str) -> UserError:
    """The error if weights do not fit the config beside them."""
    folder = weights.parent
    what = f"{weights} does not fit {folder}/config.json ({one_line(error, 200)})"
    return UserError("weights-unusable", f"{what}: remove {folder} and run `dvc repro {stage}`")


def write_generator(folder: Path, generator: Generator) -> None:
    """Write `generator.safetensors` and `config.json`, for `mintage.players.build_generator`."""
    write_weights(folder / "generator.safetensors", generator)
    (folder / "config.json").write_text(json.dumps(asdict(generator.config), indent=2) + "\n")


def read_generator(folder: str | Path, device: torch.device) -> Generator:
    """The generator in a folder such as models/selected; UserError if weights are damaged or do not fit."""
    config: dict[str, Any] = read_json(Path(folder) / "config.json")
    weights = Path(folder) / "generator.safetensors"
    try:
        return build_generator(config, load_file(weights)).to(device)
    except FileNotFoundError:
        raise UserError("output-missing", f"{weights} is missing: run `dvc repro select`") from None
    except MISFITS as error:
        raise misfit(weights, error, "select") from None


def write_evaluator(folder: Path, evaluator: Evaluator) -> str:
    """Write `evaluator.safetensors`, and `config.json` with its SHA-256, which is returned."""
    write_weights(folder / "evaluator.safetensors", evaluator)
    sha256 = sha256_of(folder / "evaluator.safetensors")
    config = asdict(evaluator.config) | {"sha256": sha256}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    return sha256


def of_both(digests: list[str]) -> str:
    """A digest for the evaluators of two domains, from the SHA-256 of each."""
    return fingerprint_of({"evaluators": digests})


def read_evaluator(folder: str | Path, device: torch.device) -> tuple[Evaluator, str]:
    """The evaluator in a folder and its SHA-256; UserError if weights are damaged or do not fit."""
    config: dict[str, Any] = read_json(Path(folder) / "config.json")
    weights = Path(folder) / "evaluator.safetensors"
    try:
        if sha256_of(weights) != config["sha256"]:
            raise ValueError("its SHA-256 is not the one it was saved with")
        evaluator = build_evaluator(EvaluatorConfig.from_json(config), seed=0)
        evaluator.load_state_dict(load_file(weights))
    except FileNotFoundError:
        raise UserError("output-missing", f"{weights} is missing: run `dvc repro evaluator`") from None
    except MISFITS as error:
        raise misfit(weights, error, "evaluator") from None
    evaluator.to(device).requires_grad_(False).eval()
    return evaluator, config["sha256"]
