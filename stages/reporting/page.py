"""The parts of the page, from what the stages wrote. Metrics: measures.py, charts: curves.py, pictures: sheets.py."""

import json
import re
from dataclasses import dataclass
from typing import Any, Literal

from mintage.metrics import number
from stages.common.yaml_files import as_yaml
from stages.reporting import measures, sheets
from stages.reporting.curves import players_of, quality_charts, training_charts
from stages.reporting.facts import Made
from stages.reporting.inputs import Inputs, Picture
from stages.reporting.selection import ClassMeasures, Selection
from stages.reporting.truncation import truncation_charts, truncation_table
from stages.reporting.words import count
from stages.selection.metrics import METRICS
from stages.selection.verdicts import floors_above_chance

_CLASSES = 20  # classes that are shown; the rest is collapsed
_HEADLINE, _CHARTS = 3, 6  # figures on the first screen, charts that are shown; the rest is collapsed
_SECTIONS = {
    "samples": "Samples",
    "choice": "Why this checkpoint",
    "quality": "Quality over the training",
    "classes": "Class by class",
    "latent": "Latent space",
    "training": "Training",
    "previous": "Since the last release",
    "data": "Data and gate",
    "evaluator": "What judged it",
    "provenance": "Provenance",
}
"""The page's sections in order: the name of each template, and its title in the table of contents."""
_LONG = 160  # characters of an observed value


@dataclass(frozen=True)
class ClassRow:
    """All facts of a class; the widths are shares of the largest class."""

    name: str
    train: int
    holdout: int
    train_width: float
    holdout_width: float
    measured: ClassMeasures | None
    picture: Picture | None


@dataclass(frozen=True)
class Verdict:
    """A verdict in words; `plain` is neither good nor bad."""

    title: str
    sentence: str
    level: Literal["good", "fair", "poor", "plain"]

    @property
    def mark(self) -> str:
        """A sign for the level, beside its color."""
        return {"good": "✓", "fair": "~", "poor": "✗", "plain": "·"}[self.level]


def build_page(inputs: Inputs, title: str) -> dict[str, Any]:
    """All values of the template, by name."""
    manifest, classes = inputs.manifest, class_rows(inputs)
    return measured(inputs) | {
        "title": title,
        "sections": list(_SECTIONS.items()),
        "inputs": inputs,
        "kind": manifest.medium.describe(manifest.shape),
        "words": manifest.medium.words,
        "plots": manifest.medium.plots,
        "train": inputs.made_by("train"),
        "sample": inputs.made_by("sample"),
        "stopped_early": stopped_early(inputs),
        "players": players_of(inputs.curves),
        "training_charts": training_charts(inputs.curves),
        "samples": sheets.samples_sheet(inputs),
        "caption": caption(inputs),
        "nearest": sheets.nearest_sheet(inputs),
        "latent": [(one, sheets.sheet_of(inputs, picture, one.rows)) for one, picture in inputs.latent],
        "truncation_charts": truncation_charts(inputs),
        "truncation_table": truncation_table(inputs),
        "by_category": any(one.file == "categories.png" for one, _ in inputs.latent),
        "frames": sheets.frames(inputs),
        "classes": classes[:_CLASSES],
        "more_classes": classes[_CLASSES:],
        "same_data": same_data(inputs),
        "unclean": [made.stage for made in inputs.made if made.git.clean is False],
        "commits": sorted({made.git.commit for made in inputs.made if made.git.commit}),
        "seconds": sum(made.seconds for made in inputs.made),
        "params": params_as_yaml(inputs.made),
    }


def measured(inputs: Inputs) -> dict[str, Any]:
    """The values of the template that were measured and selected."""
    selection = inputs.selection
    charts = quality_charts(selection, inputs.checkpoints)
    figures = measures.headline(selection)
    previous = inputs.previous.selection if inputs.previous else None
    return {
        "verdict": selection.verdict,
        "verdicts": verdicts(inputs),
        "shortened": shortened(inputs),
        "figures": figures[:_HEADLINE],
        "more_figures": len(figures) - _HEADLINE,
        "floor_above": floors_above_chance(selection.value),
        "absent_figures": measures.absent(selection, inputs.manifest.medium),
        "quality_charts": charts[:_CHARTS],
        "more_charts": charts[_CHARTS:],
        "choice": measures.choice_table(selection),
        "direction_table": measures.direction_table(selection),
        "others": measures.others(selection),
        "table": measures.checkpoint_table(inputs),
        "cost": measures.cost_of_the_last(selection),
        "by_class": any(one.figures_known for one in selection.classes or []),
        "since": [] if previous is None else measures.since(previous, selection),
        "itself": previous == selection,
        "incomparable": incomparable(inputs),
    }


def verdicts(inputs: Inputs) -> list[Verdict]:
    """Answers to a reader's first questions: are the data sound, has the generator collapsed, does it copy?

    A poor generator gets no tick for variety or originality: noise has both. One that was not judged gets none either:
    both are measured in the same features.
    """
    gate, collapse, copying = inputs.validation, inputs.selection.collapse, inputs.selection.copying
    judgment = inputs.selection.verdict
    no_tick = judgment is not None and judgment.level in ("poor", "unknown")
    warned = any(not one.success for one in inputs.expectations)
    found = [Verdict("Data", _gate(inputs), "poor" if not gate.success else "fair" if warned else "good")]
    for title, of, bad in (
        ("Variety", collapse, collapse and collapse.collapsed),
        ("Originality", copying, copying and copying.copied),
    ):
        if of:
            found.append(Verdict(title, of.sentence, "poor" if bad else "plain" if no_tick or not of.known else "good"))
    return found


def caption(inputs: Inputs) -> str:
    """What the picture on the first screen shows."""
    if inputs.translates:
        return "Rows are named below: sources, and what the generator made of them."
    pairs = ": below each other, of one latent, one of each domain" if inputs.couples else ""
    return f"These images were made by the generator{pairs}."


def shortened(inputs: Inputs) -> list[str]:
    """Sentences on what a short training gets less of than a usual one."""
    return [note for note in (inputs.evaluator.turned_down, inputs.selection.left_out) if note]


def _gate(inputs: Inputs) -> str:
    failed = [one for one in inputs.expectations if not one.success]
    if not failed:
        return "Every expectation of the gate holds."
    does = "warns" if inputs.validation.success else "stops"
    found = (f"expected: {one.name}; found: {judged(one.observed, one.unit)}" for one in failed)
    return f"The gate {does}. {'. '.join(each[:1].upper() + each[1:] for each in found)}."


def stopped_early(inputs: Inputs) -> str | None:
    """A sentence if training ended early; else None."""
    train = inputs.made_by("train")
    early = train.stopped_early if train else None
    if early is None:
        return None
    title = METRICS[early.metric].title if early.metric in METRICS else early.metric
    since = f"and no better for {count(early.images - early.best_images)} more"
    return (
        f"Training stopped early, at {count(early.images)} images: by its own measure, {title} was "
        f"{number(early.best)} at {count(early.best_images)} images, {since}."
    )


def incomparable(inputs: Inputs) -> list[str]:
    """How measuring differs from the last release, so that figures are not comparable."""
    previous = inputs.previous
    if previous is None or previous.selection is None:
        return []
    mine = (inputs.manifest.fingerprint, *_measured_by(inputs.selection))
    others = (previous.data_fingerprint, *_measured_by(previous.selection))
    names = ("the data", "the features", "the number of samples")
    return [name for name, one, other in zip(names, mine, others, strict=True) if one != other]


def _measured_by(selection: Selection) -> tuple[str | None, int]:
    return (selection.features.sha256 if selection.features else None, selection.samples)


def class_rows(inputs: Inputs) -> list[ClassRow]:
    """A row for each class, in the order of the labels; empty without classes."""
    manifest = inputs.manifest
    if manifest.classes is None or manifest.class_counts is None:
        return []
    train, holdout = (manifest.class_counts.get(split, {}) for split in ("train", "holdout"))
    found = {one.label: one for one in inputs.selection.classes or []}
    pictures = {} if manifest.medium.plots else sheets.class_pictures(inputs)
    most = max((train.get(name, 0) + holdout.get(name, 0) for name in manifest.classes), default=0) or 1
    return [
        ClassRow(
            name,
            train.get(name, 0),
            holdout.get(name, 0),
            round(100 * train.get(name, 0) / most, 2),
            round(100 * holdout.get(name, 0) / most, 2),
            found.get(label),
            pictures.get(name),
        )
        for label, name in enumerate(manifest.classes)
    ]


def same_data(inputs: Inputs) -> bool | None:
    """Whether the training used the data of the manifest; None if it did not record this."""
    train = inputs.made_by("train")
    if train is None or train.data_fingerprint is None:
        return None
    return train.data_fingerprint == inputs.manifest.fingerprint


def params_as_yaml(made: list[Made]) -> str:
    """The params that each stage recorded, as in `params.yaml`."""
    return without_secrets(as_yaml({one.stage: one.params for one in made}))


def without_secrets(text: str) -> str:
    """A text with URLs without credentials: a user's name and password, a signed query."""
    text = re.sub(r"(\w+://)[^/@\s]*@", r"\1(hidden)@", text)
    return re.sub(r"(\w+://[^\s?]*)\?\S+", r"\1?(hidden)", text)


def judged(value: Any, unit: str | None) -> str:
    """A value that the gate observed, or its limit, in its unit."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return plain(value)
    if unit == "share":
        return f"{number(100 * value)}%"
    if unit == "exceptions":
        return f"{count(int(value))} exception{'' if value == 1 else 's'}" if value else "no exceptions"
    return plain(value)


def plain(value: Any) -> str:
    """An observed value or a limit in a few words; any JSON."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float):
        return number(value)
    if isinstance(value, list):
        text = ", ".join(plain(item) for item in value)
    elif isinstance(value, dict):
        text = ", ".join(f"{key}: {plain(item)}" for key, item in value.items())
    else:
        text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _LONG else text[: _LONG - 1] + "…"
