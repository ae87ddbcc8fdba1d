"""Examples: `examples/NAME.yaml` says what to run, on which data, what to look at, and which figures are expected."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PrivateAttr, field_validator
from ruamel.yaml.error import YAMLError

from mintage.nearest import nearest
from mintage.spelling import american_keys
from stages.common.errors import UserError
from stages.common.params import Params
from stages.common.sections import SHA256, Finite, Positive, Section, validated, yaml_problem
from stages.common.yaml_files import parse_yaml
from stages.selection.metrics import METRICS

FOLDER = "examples/"
"""The folder of the files, and the prefix of the channels to which examples publish."""
_NAME = r"[a-z0-9][a-z0-9_]{0,39}"
Text = Annotated[str, Field(min_length=1)]


class Source(Section):
    """Where the images of an example come from."""

    name: Text
    license: Text
    origin: Text
    """A package, a page, or how they are drawn."""
    command: Text | None = None
    """A command, for `sh`, that gets the files into its working directory; null if an installed package has them."""
    files: dict[Text, Annotated[str, Field(pattern=SHA256)]] = Field(default_factory=dict)
    """SHA-256 of each file that the run reads."""

    @field_validator("files")
    @classmethod
    def _below(cls, files: dict[str, str]) -> dict[str, str]:
        if outside := [name for name in files if name.startswith("/") or ".." in Path(name).parts]:
            raise ValueError(f"{outside[0]!r} leads out of the folder of the data")
        return files


class Example(Section):
    chapter: Annotated[int, Field(ge=1)]
    """Its place in the order of examples."""
    title: Text
    paper: Text
    figure: Text
    """The paper's figure that the pictures correspond to."""
    decks: list[Text] = Field(default_factory=list)
    """The lectures that teach it, by lecturer."""
    idea: Annotated[list[Text], Field(min_length=3, max_length=3)]
    """The idea in three sentences."""
    formula: Text
    """The loss, in Unicode, with `_` and `^` for indices."""
    look_at: Text
    minutes: Positive
    """Its time on two cores."""
    data: Source
    after: Text | None = None
    """The example that runs before it; its release is then `train.first`."""
    params: dict[str, Any]
    """Changes to params.yaml, by section."""
    expected: dict[str, Annotated[list[Finite], Field(min_length=2, max_length=2)]] = Field(default_factory=dict)
    """The least and the largest expected value of each metric; empty if nobody has run it yet."""
    measured: Text | None = None
    """On which machine, and when, the expected figures were measured."""
    _name: str = PrivateAttr("")
    _text: str = PrivateAttr("")

    @property
    def name(self) -> str:
        return self._name

    @property
    def text(self) -> str:
        """The content of the file."""
        return self._text

    @property
    def channel(self) -> str:
        return f"{FOLDER}{self.name}"

    @field_validator("expected")
    @classmethod
    def _of_metrics(cls, expected: dict[str, list[float]]) -> dict[str, list[float]]:
        for name, (least, most) in expected.items():
            if name not in METRICS:
                raise ValueError(f"{name!r} is no metric: they are {', '.join(METRICS)}")
            if least > most:
                raise ValueError(f"{name} from {least:g} to {most:g} is no range")
        return expected

    def applied(self, values: dict[str, Any], first: str | None = None) -> dict[str, Any]:
        """`values` of params.yaml with the example's changes.

        `first` is the address of the release that it builds on; if it is None, since there is no release yet, the
        channel is used that will point there. Raises UserError if an example names a key that params.yaml lacks.
        """
        changed = _over(values, self.params)
        if self.after:
            changed = _over(changed, {"train": {"first": first or f"published/channels/{FOLDER}{self.after}"}})
        validated(Params, changed, f"{FOLDER}{self.name}.yaml: params")
        return changed

    def misses(self, figures: dict[str, Any]) -> list[str]:
        """A sentence for each figure of `metrics/selection.json` outside the file's expected range."""
        return [
            f"{name} = {figure_text(figures.get(name))} is not within {least:g} to {most:g}"
            for name, (least, most) in self.expected.items()
            if not isinstance(value := figures.get(name), int | float) or not least <= value <= most
        ]


def figure_text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else "nothing"


def load(path: Path) -> Example:
    """The example in a file. Raises a UserError that names each error in it, with the nearest right name."""
    if not re.fullmatch(_NAME, path.stem):
        raise UserError(
            "example-name-invalid", f"{path}: {path.stem!r} is no name for an example: use small letters, digits and _"
        )
    try:
        text = path.read_text()
        values = parse_yaml(text.encode())
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError("example-invalid", f"{path} is not valid YAML{yaml_problem(error)}") from None
    if not isinstance(values, dict):
        raise UserError("example-invalid", f"{path} has no keys: copy one of its neighbors")
    example = validated(Example, values, path, listed="docs/gallery.md lists")
    example._name, example._text = path.stem, text
    return example


def load_all(folder: Path) -> list[Example]:
    """The examples in a folder, in the order of chapters; none if there is no such folder."""
    found = [load(path) for path in sorted(folder.glob("*.yaml"))]
    return sorted(found, key=lambda example: (example.chapter, example.name))


def choose(found: Sequence[Example], names: Sequence[str]) -> list[Example]:
    """The named examples, or all; a UserError for an unknown name has the nearest one."""
    known = {example.name: example for example in found}
    for name in names:
        if name not in known:
            raise UserError("example-unknown", f"there is no example {name!r}{nearest(name, list(known))}")
    return [known[name] for name in names] if names else list(found)


def behind_firsts(chosen: Sequence[Example], found: Sequence[Example]) -> list[Example]:
    """The chosen examples, each after the one of `found` that it builds on, which is added; UserError if missing."""
    known = {example.name: example for example in found}
    ordered: dict[str, Example] = {}
    for example in chosen:
        chain = [example]
        while after := chain[-1].after:
            key = f"{FOLDER}{chain[-1].name}.yaml: after = {after!r}"
            if after not in known:
                raise UserError("example-first-unknown", f"{key} is no example{nearest(after, list(known))}")
            if known[after] in chain:
                raise UserError("example-circle", f"{key} leads back to itself: take one `after` out")
            chain.append(known[after])
        ordered |= {one.name: one for one in reversed(chain)}
    return list(ordered.values())


def _over(values: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    return values | {
        key: _over(values[key], other) if isinstance(other, dict) and isinstance(values.get(key), dict) else other
        for key, other in american_keys(others, known=values).items()
    }
