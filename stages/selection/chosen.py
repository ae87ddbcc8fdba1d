"""Measures of the chosen checkpoint alone: they would cost too much for all checkpoints."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.common.files import sha256_of
from stages.common.params import Select
from stages.selection.budget import SHORT, left_out, within_budget
from stages.selection.cache import Cache
from stages.selection.checkpoints import loaded
from stages.selection.classifiers import classification_scores
from stages.selection.detector import carried_detector
from stages.selection.discriminator import classifier_figures
from stages.selection.pairs import pairs_told_apart
from stages.selection.reconstruction import reconstruction_figures
from stages.selection.reference import COUPLED, TRANSLATED, Reference
from stages.selection.rule import Row
from stages.selection.truncation import facts_of, truncation_curve


@dataclass(frozen=True)
class ChosenFigures:
    """The measures of the chosen checkpoint."""

    figures: dict[str, Any]
    """By key of selection.json; None for what was not measured."""
    absent: dict[str, str] = field(default_factory=dict)
    """The reasons why figures are missing, by key."""
    curve: list[Row] = field(default_factory=list)
    """The rows of truncation.tsv."""
    detector: dict[str, bytes] = field(default_factory=dict)
    """The files of the detector that a release carries, by name."""
    left_out: str | None = None
    """A sentence on what was reduced or left out because the training was short; None if nothing was."""

    @property
    def sentences(self) -> list[str]:
        sentences = [found["sentence"] for found in self.figures.values() if found is not None]
        return sentences + ([self.left_out] if self.left_out else [])


def measure_chosen(path: Path, real: Reference, cache: Path, trained: dict[str, Any], params: Select) -> ChosenFigures:
    """Measure the classification accuracy score, the discriminator as a classifier and on pairs, a detector,
    reconstructions, and the truncation curve.
    """
    known, generator, training = Cache(cache, sha256_of(path)), loaded(path, real), length_of(trained)
    asked, params = params, within_budget(params, training)
    measures: dict[str, Callable[[], Any]] = {
        "classification_accuracy_score": lambda: classification_scores(generator, real, known, params),
        "classifier": lambda: classifier_figures(path, real, known, trained, params),
        "pairs_told_apart": lambda: pairs_told_apart(path, real, generator, known, trained),
        "detector": lambda: carried_detector(generator, real, known, params),
        "reconstruction": lambda: reconstruction_figures(generator, real, known),
        "truncation": lambda: truncation_curve(generator, real, known, params),
    }
    figures, absent = dict[str, Any](), dict[str, str]()
    for name, measure in measures.items():
        try:
            figures[name] = measure()
        except ValueError as error:
            figures[name], absent[name] = None, str(error)
    detector, curve = figures["detector"], figures["truncation"]
    figures |= {"detector": detector and detector.facts, "truncation": facts_of(curve) if curve else None}
    scored = real.conditional and real.kind == "classifier"
    noise = real.condition not in (*TRANSLATED, COUPLED) and generator.config.latent_distribution == "normal"
    cut = noise and "truncation" not in real.medium.lacks
    less = left_out(asked, training, classifiers=scored or "labels" in (figures["classifier"] or {}), truncation=cut)
    if training < SHORT and scored and asked.classifier_images is None:
        absent["classification_accuracy_score"] = "too short a training, see select.classifier_images"
    if training < SHORT and cut and asked.truncation is None:
        absent["truncation"] = "too short a training, see select.truncation"
    return ChosenFigures(figures, absent, curve or [], detector.files if detector else {}, less)


def length_of(trained: dict[str, Any]) -> int:
    """How many images a training was asked to see, by `provenance/train.json`, even if it stopped early."""
    asked: int = trained.get("params", {}).get("images") or trained["images"]
    return asked
