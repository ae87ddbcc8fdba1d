"""Models in files: the generator that was selected, and devices as params name them."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from gan.devices import choose_device
from gan.players import Generator, build_generator
from gan.sampling import samples
from stages.common.errors import UserError
from stages.common.files import read_json
from stages.common.pictures import Pixels, grid, grid_scale, to_uint8

_GRID_COLUMNS = 10
_GRID_ROWS = 10


def device_for(name: str) -> torch.device:
    """A stage's device; UserError where this machine has none such."""
    try:
        return choose_device(name)
    except ValueError as error:
        raise UserError(f"{error}: set the stage's device to auto or cpu") from None


def write_generator(folder: Path, generator: Generator) -> None:
    """`generator.safetensors` and `config.json`, from which `gan.players.build_generator` makes it again."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in generator.state_dict().items()}
    (folder / "generator.safetensors").write_bytes(save(weights))
    (folder / "config.json").write_text(json.dumps(asdict(generator.config), indent=2) + "\n")


def read_generator(folder: str | Path, device: torch.device) -> Generator:
    """The generator in a folder such as models/selected; UserError where weights are damaged or do not fit."""
    config: dict[str, Any] = read_json(Path(folder) / "config.json")
    weights = Path(folder) / "generator.safetensors"
    try:
        return build_generator(config, load_file(weights)).to(device)
    except FileNotFoundError:
        raise UserError(f"{weights} is missing: run `dvc repro select`") from None
    except (RuntimeError, KeyError, TypeError, ValueError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        what = f"{weights} does not fit {folder}/config.json ({reason})"
        raise UserError(f"{what}: remove {folder} and run `dvc repro select`") from None


def sample_grid(generator: Generator, seed: int) -> Pixels:
    """A picture of the same latents each time, ten columns; a row is a class where the model has classes."""
    config = generator.config
    classes = range(min(len(config.classes or ()), _GRID_ROWS)) if config.conditional else range(0)
    labels = [label for label in classes for _ in range(_GRID_COLUMNS)]
    count = len(labels) or _GRID_COLUMNS * 6
    images = torch.cat([images for images, _ in samples(generator, count, seed, labels or None)])
    return grid(to_uint8(images.numpy()), _GRID_COLUMNS, grid_scale(*config.image_shape[1:]))
