"""The evaluator in files; apart from the generator, so that training does not depend on it."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from mintage.evaluator import Evaluator, EvaluatorConfig, build_evaluator
from stages.common.errors import UserError
from stages.common.files import read_json, sha256_of
from stages.common.weights import MISFITS, misfit, write_weights


def write_evaluator(folder: Path, evaluator: Evaluator) -> str:
    """`evaluator.safetensors`, and `config.json` with the SHA-256 of it, which is returned."""
    write_weights(folder / "evaluator.safetensors", evaluator)
    sha256 = sha256_of(folder / "evaluator.safetensors")
    config = asdict(evaluator.config) | {"sha256": sha256}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    return sha256


def read_evaluator(folder: str | Path, device: torch.device) -> tuple[Evaluator, str]:
    """The evaluator in a folder and its SHA-256; UserError where weights are damaged or do not fit."""
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
