"""Whether the model that `train.first` names fits what is known of the data before anything runs; see `stages.check`.

`python -m stages.training.fit_of_first` reads train's params and what is known as JSON from stdin, and says what train
would say. A process of its own, since torch takes seconds to load.
"""

import json
import sys
from dataclasses import dataclass
from typing import Any

from mintage.dataset import Signature
from mintage.families import resolve
from mintage.rules import refusal
from mintage.rules_of_stages import STAGES
from stages.common.errors import UserError, run_stage
from stages.common.stage import parser_of
from stages.common.train_params import Train
from stages.training.first import first_at


@dataclass(frozen=True)
class Expected:
    """What is known of the images."""

    shape: list[int]
    """[C, *S]."""
    classes: list[str] | None
    """None where nobody knows them yet, and the first stage's are taken; so of attributes. Empty without any."""
    attributes: list[str] | None


def require_fit(train: Train, expected: Expected) -> None:
    """Raise a UserError, train's own, on a first stage that cannot be loaded or on which this one cannot stand."""
    first = first_at(train.first)
    if first is None:
        return
    config = first.config
    classes, attributes = (
        alone if known is None else tuple(known) or None
        for known, alone in ((expected.classes, config.classes), (expected.attributes, config.attributes))
    )
    real = Signature(tuple(expected.shape), classes, attributes, first=config)
    if reason := refusal(resolve(train.family, train.recipe, train.variant), real, rules=STAGES):
        raise UserError("recipe-does-not-fit", f"train.family = {train.family!r}: {reason}")


def main() -> None:
    parser_of("stages.training.fit_of_first", __doc__).parse_args()
    asked: dict[str, Any] = json.load(sys.stdin)
    require_fit(Train.model_validate(asked["train"]), Expected(**asked["expected"]))


if __name__ == "__main__":
    run_stage(main)
