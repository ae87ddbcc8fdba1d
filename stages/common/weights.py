"""A network's weights in a file, beside the config from which it is built."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save
from torch import nn

from stages.common.errors import UserError

MISFITS = (RuntimeError, KeyError, TypeError, ValueError, AttributeError, SafetensorError)
"""What building a network from a wrong config, or loading wrong weights into it, raises."""


def write_weights(path: Path, module: nn.Module) -> None:
    """A network's tensors as safetensors."""
    path.write_bytes(save({name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}))


def misfit(weights: Path, error: Exception, stage: str) -> UserError:
    """What to raise where weights and the config beside them do not fit."""
    reason = " ".join(str(error).split())[:200]
    folder = weights.parent
    what = f"{weights} does not fit {folder}/config.json ({reason})"
    return UserError("weights-unusable", f"{what}: remove {folder} and run `dvc repro {stage}`")
