"""Evaluator: the network by which generated images are judged, trained on the real ones.

Reads data/normalized/{train,holdout}, reports/validation.json.
Writes models/evaluator/ (of two domains one for each in it), metrics/evaluator.json, provenance/evaluator.json.
Stopped and started again it goes on from its last state, in .resume/evaluator, and ends in the same bits (on a CPU).
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from mintage.budget import FULL, images_beside
from mintage.errors import DivergedError
from mintage.evaluator import Evaluator
from mintage.learning import Schedule, train_evaluator
from mintage.quality import quality
from mintage.randomness import stream
from stages.common.device import steady_device_for
from stages.common.energy import Meter
from stages.common.errors import UserError, counted, run_stage
from stages.common.files import read_json, replacing_directory, write_json
from stages.common.foresight import known_of, require_fit
from stages.common.identity import code_of
from stages.common.judge import by_heart, doubt
from stages.common.keeping import Keeper
from stages.common.models import of_both, write_evaluator
from stages.common.params import Evaluator as EvaluatorParams
from stages.common.params import load_section, load_value
from stages.common.provenance import recorded
from stages.common.reading import batches_of, conditions_of, evaluator_config, real_images, require_passed_gate
from stages.common.resume import Resume
from stages.common.split import BATCH, Split
from stages.common.stage import explain_interrupt, parser_of, progress_bar
from stages.media import medium_of
from stages.media.medium import Medium
from stages.training.fit import require_recipe

RESUME = Path(".resume/evaluator")
_OF_SPLITS = ("train_", "holdout_")


def main() -> None:
    params = load_section(EvaluatorParams)
    meter = Meter()
    with recorded("evaluator", params, meter) as facts:
        known = known_of(read_json(Path("data/normalized/manifest.json")))
        require_fit(known)  # before minutes of work that no training could use
        require_recipe(Split("data/normalized/train").signature)
        figures = evaluator(params, Path(), meter)
        facts["machine"]["device"] = str(steady_device_for(params.device))
        facts.update(figures)
    print(summary(figures, known.medium))
    print("evaluator: models/evaluator")


def evaluator(params: EvaluatorParams, root: Path, meter: Meter | None = None) -> dict[str, Any]:
    """Train on `root`'s train split, measure on its holdout, write both; return `metrics/evaluator.json`.

    If params name no number of images, it follows from the length of the training that is measured.
    """
    require_passed_gate(root / "reports/validation.json")
    train, holdout = (Split(root / "data/normalized" / name) for name in ("train", "holdout"))
    params, shorter = within_budget(params, load_value("train.images", root / "params.yaml"))
    meter, about = meter or Meter(), identity(params, root)
    resumes = {
        place: Resume(root / RESUME / place, about | ({"place": place} if place else {})) for place in places(train)
    }
    medium = medium_of(read_json(root / "data/normalized/manifest.json"))
    networks = {
        place: fit(params, part, medium, Keeper(resumes[place], meter)) for place, part in places(train).items()
    }
    with replacing_directory(root / "models/evaluator") as folder:
        figures = _written(networks, params, train, holdout, folder)
        if shorter and figures["images"]:
            figures["turned_down"] = shorter
        write_json(root / "metrics/evaluator.json", figures)
    for resume in resumes.values():
        resume.forget()
    return figures


def places(split: Split) -> dict[str, Split]:
    """The images that evaluators learn from, by the folder in models/evaluator: all, or each domain's alone.

    An evaluator of both domains could have features that mostly encode the domain, or ignore it.
    """
    names = split.domains
    return {str(number): split.of_domain(name) for number, name in enumerate(names)} if names else {"": split}


def _written(
    networks: dict[str, Evaluator], params: EvaluatorParams, train: Split, holdout: Split, folder: Path
) -> dict[str, Any]:
    """`metrics/evaluator.json`; for two domains the means over both, and each one's values."""
    known, parts, each = places(train), places(holdout), list[dict[str, Any]]()
    for place, network in networks.items():
        (folder / place).mkdir(exist_ok=True)
        sha256 = write_evaluator(folder / place, network)
        each.append(measure(network, params, known[place], parts[place]) | {"sha256": sha256})
    if not holdout.domains:
        return each[0]
    means = {name: sum(one[name] for one in each) / len(each) for name in each[0] if name.startswith(_OF_SPLITS)}
    return {
        **each[0],
        **means,
        "holdout_images": len(holdout),
        "sha256": of_both([one["sha256"] for one in each]),
        "domains": dict(zip(holdout.domains, each, strict=True)),
    }


def within_budget(params: EvaluatorParams, training: int) -> tuple[EvaluatorParams, str | None]:
    """Params with a number of images; and a sentence if it is less than usual, since the training is short."""
    if params.images is not None:
        return params, None
    images = images_beside(training)
    decided = params.model_copy(update={"images": images})
    if images == FULL:
        return decided, None
    return decided, (
        f"The evaluator was shown {images:,} images in place of {FULL:,}, "
        f"since the training is of {counted(training, 'image')} (evaluator.images: a number overrides)."
    )


def identity(params: EvaluatorParams, root: Path) -> dict[str, Any]:
    """All that decides the bits. The manifest is no dependency: it only shows whether the data are still the same."""
    return {
        "params": params.model_dump(),
        "data": read_json(root / "data/normalized/manifest.json")["fingerprint"],
        "code": code_of("evaluator"),
        "torch": torch.__version__,
    }


def fit(params: EvaluatorParams, train: Split, medium: Medium, keeper: Keeper) -> Evaluator:
    """Train the network whose features compare images."""
    config = evaluator_config(train, params.features)
    assert params.images is not None
    schedule = Schedule(params.images, params.batch_size, params.learning_rate, params.seed, medium.still)
    device = steady_device_for(params.device)
    real = real_images(train, conditions_of(train), params.window, params.seed, device, param="evaluator.window")
    with (
        explain_interrupt(
            lambda: f"the evaluator was at {keeper.images_seen:,} images; {keeper.resume.how_to_resume()}"
        ),
        progress_bar("evaluator", params.images) as bar,
    ):
        try:
            return train_evaluator(config, real, schedule, progress=bar.update, keeper=keeper)
        except DivergedError as error:
            raise UserError("evaluator-diverged", f"{error}: lower evaluator.learning_rate") from None


def measure(network: Evaluator, params: EvaluatorParams, train: Split, holdout: Split) -> dict[str, Any]:
    """How well the evaluator does its task on the holdout, and on as many images that it learned from."""
    name = "accuracy" if network.config.condition else "explained_variance"
    name = "surprise" if network.config.words else name
    random, known = stream(params.seed, "evaluator/known"), conditions_of(train)
    rows = torch.randperm(len(train), generator=random)[: len(holdout)].sort().values
    seen = (torch.from_numpy(train.take(some.numpy())) for some in torch.split(rows, BATCH))
    return {
        "kind": network.config.kind,
        f"train_{name}": quality(network, seen, None if known is None else known[rows]),
        f"holdout_{name}": quality(network, batches_of(holdout), conditions_of(holdout)),
        "images": params.images if list(network.parameters()) else 0,
        "holdout_images": len(holdout),
        "features": network.features(torch.from_numpy(holdout.take(np.zeros(1, np.int64)))).shape[1],
    }


def summary(figures: dict[str, Any], medium: Medium) -> str:
    held_out = f"on {figures['holdout_images']:,} held-out {medium.words.many}"
    held_out += " (the mean of two evaluators, one for each domain)" if "domains" in figures else ""
    shorter = f"; {why[:1].lower()}{why[1:-1]}" if (why := medium.words.said(figures.get("turned_down", ""))) else ""
    as_they_are = figures["kind"] == "coordinates"
    how = f"{medium.words.many} are compared by their {medium.words.part}s: " if as_they_are else ""
    if "holdout_accuracy" in figures:
        return f"{how}holdout accuracy {figures['holdout_accuracy']:.4f} {held_out}{shorter}"
    if as_they_are:
        return f"{how}nothing to train"
    if "holdout_surprise" in figures:
        return f"a language model: surprise {figures['holdout_surprise']:.4f} nats a line {held_out}{shorter}"
    explained = f"explained variance {figures['holdout_explained_variance']:.4f} {held_out}"
    if bad := doubt(figures):
        remedy = f"bring more {medium.words.many}" if by_heart(figures) else "raise evaluator.images"
        explained += f"; it {medium.words.said(bad)}: what it says of models means little ({remedy})"
    return f"an autoencoder, since there are no two classes to tell apart: {explained}{shorter}"


if __name__ == "__main__":
    parser_of("stages.evaluator", __doc__).parse_args()
    run_stage(main)
