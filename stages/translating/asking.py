"""The attributes that the command line asks for beside a source: NAME=VALUE, each name once."""

from mintage.attribute_names import asked_values
from mintage.attributes import with_changes
from mintage.model import Model
from stages.common.errors import UserError, quoted


def ask(model: Model, given: list[str]) -> dict[str, float]:
    """Let the model make everything with these attributes; returns each bit's value in [-1,1] by its name.

    Raises UserError if it takes no attributes, or not these, or if an argument is no NAME=VALUE or repeats a name.
    """
    examples, names = model.generator.examples, model.attributes
    if given and (examples is None or names is None):
        raise UserError("attribute-unknown", f"--ask {given[0]}: the model is told no attributes: leave it out")
    asked = _read(given)
    if examples is None or names is None:
        return {}
    try:
        examples.copy_(with_changes(examples, names, asked))
        return {names[place]: value for place, value in asked_values(names, asked).items()}
    except ValueError as error:
        raise UserError("attribute-unknown", f"--ask: {error}") from None


def _read(given: list[str]) -> dict[str, bool | float | str]:
    found: dict[str, bool | float | str] = {}
    for one in given:
        name, equals, word = one.partition("=")
        if not name or not equals or not word:
            raise UserError("option-invalid", f"--ask {quoted(one)} is no NAME=VALUE: write such as --ask root=C")
        if name in found:
            raise UserError("option-invalid", f"--ask names {quoted(name)} twice: ask for one value of it")
        found[name] = _value_of(word)
    return found


def _value_of(word: str) -> bool | float | str:
    if word in ("true", "false"):
        return word == "true"
    try:
        return float(word)
    except ValueError:
        return word
