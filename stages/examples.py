"""Examples: `examples/NAME.yaml` says what to run, on which data, what to look at, and which figures are expected."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PrivateAttr, field_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from mintage.nearest import nearest
from stages.common.errors import UserError
from stages.common.params import Params
from stages.common.sections import SHA256, Finite, Positive, Section, validated, yaml_problem
from stages.selection.metrics import METRICS

FOLDER = "examples/"
"""Of the files, and of the channels that examples publish to."""
_NAME = r"[a-z0-9][a-z0-9_]{0,39}"
Text = Annotated[str, Field(min_length=1)]


class Source(Section):
    """Where the images come from."""

    name: Text
    licence: Text
    origin: Text
    """A package, a page, or how they are drawn."""
    command: Text | None = None
    """What brings the files into its working directory, by `sh`; null where a package of Mintage's own has them."""
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
    """Its place in the museum."""
    title: Text
    paper: Text
    figure: Text
    """Of the paper: what the pictures stand for."""
    decks: list[Text] = Field(default_factory=list)
    """The lectures that teach it, by who gave them."""
    idea: Annotated[list[Text], Field(min_length=3, max_length=3)]
    """In three sentences."""
    formula: Text
    """The loss, in Unicode, with `_` and `^` for indices."""
    look_at: Text
    minutes: Positive
    """On two cores."""
    data: Source
    after: Text | None = None
    """The example that runs before, and whose release is then `train.first`."""
    params: dict[str, Any]
    """What is other than in params.yaml, by section."""
    expected: dict[str, Annotated[list[Finite], Field(min_length=2, max_length=2)]] = Field(default_factory=dict)
    """The least and the most of each figure, by metric; empty where nobody has run it yet."""
    measured: Text | None = None
    """On what machine, and when, the expected figures were seen."""
    _name: str = PrivateAttr("")
    _text: str = PrivateAttr("")

    @property
    def name(self) -> str:
        return self._name

    @property
    def text(self) -> str:
        """The file's own."""
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
        """`values` of params.yaml with those of the example in their place.

        `first` is the address of the release that it stands on; None, while there is none yet: the channel, which is to
        lead there. Raises UserError where an example names a key that params.yaml has not.
        """
        changed = _over(values, self.params)
        if self.after:
            changed = _over(changed, {"train": {"first": first or f"published/channels/{FOLDER}{self.after}"}})
        validated(Params, changed, f"{FOLDER}{self.name}.yaml: params")
        return changed

    def misses(self, figures: dict[str, Any]) -> list[str]:
        """A sentence for each figure of `metrics/selection.json` that is out of the range that the file states."""
        return [
            f"{name} = {figure_text(figures.get(name))} is not within {least:g} to {most:g}"
            for name, (least, most) in self.expected.items()
            if not isinstance(value := figures.get(name), int | float) or not least <= value <= most
        ]


def figure_text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else "nothing"


def load(path: Path) -> Example:
    """Raises UserError that names each thing wrong in the file, with the nearest right name."""
    if not re.fullmatch(_NAME, path.stem):
        raise UserError(
            "example-name-invalid", f"{path}: {path.stem!r} is no name for an example: use small letters, digits and _"
        )
    try:
        text = path.read_text()
        values = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError("example-invalid", f"{path} is not valid YAML{yaml_problem(error)}") from None
    if not isinstance(values, dict):
        raise UserError("example-invalid", f"{path} has no keys: copy one of its neighbors")
    example = validated(Example, values, path, listed="docs/gallery.md lists")
    example._name, example._text = path.stem, text
    return example


def load_all(folder: Path) -> list[Example]:
    """The examples in a folder, in the order of the museum; none where there is no such folder."""
    found = [load(path) for path in sorted(folder.glob("*.yaml"))]
    return sorted(found, key=lambda example: (example.chapter, example.name))


def choose(found: Sequence[Example], names: Sequence[str]) -> list[Example]:
    """The examples that are named, or all; a UserError names the nearest to a name that none has."""
    known = {example.name: example for example in found}
    for name in names:
        if name not in known:
            raise UserError("example-unknown", f"there is no example {name!r}{nearest(name, list(known))}")
    return [known[name] for name in names] if names else list(found)


def behind_firsts(chosen: Sequence[Example], found: Sequence[Example]) -> list[Example]:
    """Each behind the one of `found` that it stands on, which comes along; a UserError where there is none."""
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
        for key, other in others.items()
    }
