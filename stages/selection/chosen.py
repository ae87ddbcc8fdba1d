"""What is measured of the chosen checkpoint alone, since it costs too much for all."""

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
from stages.selection.discriminator import classifier_figures
from stages.selection.pairs import pairs_told_apart
from stages.selection.reconstruction import reconstruction_figures
from stages.selection.reference import COUPLED, TRANSLATED, Reference
from stages.selection.rule import Row
from stages.selection.truncation import facts_of, truncation_curve


@dataclass(frozen=True)
class ChosenFigures:
    """Of one checkpoint."""

    figures: dict[str, Any]
    """By their keys in selection.json; None where there are none."""
    absent: dict[str, str] = field(default_factory=dict)
    """Why, where one would look for them."""
    curve: list[Row] = field(default_factory=list)
    """The rows of truncation.tsv."""
    left_out: str | None = None
    """What was measured by less than in the usual training, or not at all, in a sentence."""

    @property
    def sentences(self) -> list[str]:
        sentences = [found["sentence"] for found in self.figures.values() if found is not None]
        return sentences + ([self.left_out] if self.left_out else [])


def measure_chosen(path: Path, real: Reference, cache: Path, trained: dict[str, Any], params: Select) -> ChosenFigures:
    """The classification accuracy score, the discriminator as a classifier and at pairs, the encoder beside none, and
    the truncation curve.
    """
    known, generator, absent = Cache(cache, sha256_of(path)), loaded(path, real), dict[str, str]()
    asked, training = params, length_of(trained)
    params = within_budget(asked, training)

    def found(name: str, measure: Callable[[], Any]) -> Any:
        try:
            return measure()
        except ValueError as error:
            absent[name] = str(error)
            return None

    score = found("classification_accuracy_score", lambda: classification_scores(generator, real, known, params))
    classifier = found("classifier", lambda: classifier_figures(path, real, known, trained, params))
    pairs = found("pairs_told_apart", lambda: pairs_told_apart(path, real, generator, known, trained))
    again = found("reconstruction", lambda: reconstruction_figures(generator, real, known))
    curve = found("truncation", lambda: truncation_curve(generator, real, known, params))
    figures = {"classification_accuracy_score": score, "classifier": classifier, "pairs_told_apart": pairs}
    figures |= {"reconstruction": again, "truncation": facts_of(curve) if curve else None}
    scored = real.conditional and real.kind == "classifier"
    noise = real.condition not in (*TRANSLATED, COUPLED) and generator.config.latent_distribution == "normal"
    cut = noise and "truncation" not in real.medium.lacks
    less = left_out(asked, training, classifiers=scored or "labels" in (classifier or {}), truncation=cut)
    if training < SHORT and scored and asked.classifier_images is None:
        absent["classification_accuracy_score"] = "too short a training, see select.classifier_images"
    if training < SHORT and cut and asked.truncation is None:
        absent["truncation"] = "too short a training, see select.truncation"
    return ChosenFigures(figures, absent, curve or [], less)


def length_of(trained: dict[str, Any]) -> int:
    """The images that a training was to see, of `provenance/train.json`: of one that stopped early all of them, too."""
    asked: int = trained.get("params", {}).get("images") or trained["images"]
    return asked
