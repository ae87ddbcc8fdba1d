"""Params for one run: `section.key=value`, the syntax of `dvc exp run -S`, checked before anything starts."""

import shutil
import tempfile
from pathlib import Path

from mintage.nearest import like
from stages.common.errors import UserError
from stages.common.nested import keys_of
from stages.common.params import Params, load_params
from stages.common.train_params import AXES
from stages.common.yaml_files import parse_yaml


def apply(params: Path, overrides: list[str]) -> tuple[bytes, Params]:
    """The content of params.yaml with the overrides in it, comments kept, and its values; the file is not touched.

    Raises UserError if an override has wrong syntax, names an unknown key, or makes params that the pipeline refuses.
    """
    from dvc.exceptions import DvcException
    from dvc.utils.hydra import apply_overrides

    load_params(params)
    given = [override.removeprefix(f"{params.name}:") for override in overrides]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / params.name
        shutil.copyfile(params, copy)  # not its mode: a file that only may be read
        try:
            apply_overrides(copy, given)
        except DvcException as error:
            raise UserError("override-refused", _refusal(given, params, error)) from None
        try:
            return copy.read_bytes(), load_params(copy)
        except UserError as error:
            sentence = f"with the overrides, {str(error).replace(str(copy), params.name)}"
            raise UserError(error.code, sentence) from None


def _refusal(overrides: list[str], params: Path, error: Exception) -> str:
    known = keys_of(parse_yaml(params.read_bytes()))
    for override in overrides:
        key, equals, _ = override.lstrip("+~").partition("=")
        if not equals:
            return f"override {override!r} is not of the form section.key=value"
        if key.startswith("train.") and key.split(".")[1] in AXES:
            moved = override.lstrip("+~").replace("train.", "+train.recipe.", 1)
            return f"override {override!r}: it is an axis of the recipe, added with a plus: '{moved}'"
        for free, what in (("ingest.options", "an option of the source"), ("train.recipe", "an axis of the recipe")):
            if key.startswith(f"{free}."):
                return f"override {override!r}: {what} is added with a plus: '+{override}'"
        if key not in known:
            close = like(key, known)
            hint = f": did you mean {close!r}?" if close else ""
            return f"override {override!r}: params.yaml has no key {key!r}{hint}"
    return f"overrides {overrides} are refused: {error.__cause__ or error}".replace("\n", " ")
