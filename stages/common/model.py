"""The generator in files."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from mintage.players import Generator, build_generator
from stages.common.errors import UserError
from stages.common.files import read_json
from stages.common.weights import MISFITS, misfit, write_weights


def write_generator(folder: Path, generator: Generator) -> None:
    """`generator.safetensors` and `config.json`, from which `mintage.players.build_generator` makes it again."""
    write_weights(folder / "generator.safetensors", generator)
    (folder / "config.json").write_text(json.dumps(asdict(generator.config), indent=2) + "\n")


def read_generator(folder: str | Path, device: torch.device) -> Generator:
    """The generator in a folder such as models/selected; UserError where weights are damaged or do not fit."""
    config: dict[str, Any] = read_json(Path(folder) / "config.json")
    weights = Path(folder) / "generator.safetensors"
    try:
        return build_generator(config, load_file(weights)).to(device)
    except FileNotFoundError:
        raise UserError("output-missing", f"{weights} is missing: run `dvc repro select`") from None
    except MISFITS as error:
        raise misfit(weights, error, "select") from None
