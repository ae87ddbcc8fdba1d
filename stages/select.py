"""Select: every checkpoint measured on held-out images, one chosen by the rule in params.

Reads models/checkpoints, models/evaluator, data/normalized/{train,holdout,manifest.json}, provenance/train.json.
Writes models/selected/, metrics/{selection.json,checkpoints.tsv}, plots/nearest.png, provenance/select.json.
Figures, rule, card and picture are made in stages/selection.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gan.evaluator import EvaluatorConfig
from gan.metrics.kernel import FEWEST_ROWS
from gan.players import ModelConfig
from stages.common.device import steady_device_for
from stages.common.errors import UserError, run_stage
from stages.common.evaluators import read_evaluator
from stages.common.files import read_json, replacing, replacing_directory, write_json, write_tsv
from stages.common.model import write_generator
from stages.common.params import Select, load_section
from stages.common.progress import progress_bar
from stages.common.provenance import recorded
from stages.common.shards import Split, read_split
from stages.common.truth import truth_in
from stages.selection.card import model_card
from stages.selection.measure import Reference, load_generator, measure, reference
from stages.selection.nearest import nearest_drawn
from stages.selection.rule import Row, choose, sentence
from stages.selection.table import table


@dataclass(frozen=True)
class Inputs:
    """What is measured, and what the outputs tell of it."""

    checkpoints: list[Path]
    """In order of the images seen."""
    real: Reference
    evaluator_sha256: str
    manifest: dict[str, Any]
    trained: dict[str, Any]
    """`provenance/train.json`."""
    device: torch.device


def main() -> None:
    params = load_section(Select)
    with recorded("select", params) as facts:
        selection = select(params, Path())
        facts["machine"]["device"] = str(steady_device_for(params.device))
        facts["rule"] = selection["rule"]
    print(f"selected: models/selected ({selection['images']:,} images: {selection['rule']})")


def select(params: Select, root: Path) -> dict[str, Any]:
    """Measure, choose, and write all outputs under `root`; return what is in `metrics/selection.json`."""
    inputs = read_inputs(params, root)
    rows = measure_all(inputs, params)
    chosen = choose(rows, params)
    print(table(rows, chosen))
    selection = summary(rows, chosen, params, inputs.real)
    write_outputs(root, inputs, params, rows, selection)
    return selection


def read_inputs(params: Select, root: Path) -> Inputs:
    """Raises UserError by name where an input is missing or damaged, or the evaluator is of other data."""
    checkpoints = sorted((root / "models/checkpoints").glob("images-*.safetensors"))
    if not checkpoints:
        raise UserError(f"{root / 'models/checkpoints'} holds no checkpoints: run `dvc repro train`")
    device = steady_device_for(params.device)
    evaluator, sha256 = read_evaluator(root / "models/evaluator", device)
    train, holdout = (read_split(root / "data/normalized" / name) for name in ("train", "holdout"))
    manifest = read_json(root / "data/normalized/manifest.json")
    require_enough(params, train, holdout)
    require_same_data(evaluator.config, holdout, "models/evaluator", "evaluator")
    return Inputs(
        checkpoints=checkpoints,
        real=reference(evaluator, train, holdout, params.samples, params.seed, truth=truth_in(manifest)),
        evaluator_sha256=sha256,
        manifest=manifest,
        trained=read_json(root / "provenance/train.json"),
        device=device,
    )


def require_enough(params: Select, train: Split, holdout: Split) -> None:
    counts = {"select.samples": params.samples, "the train split": len(train.keys), "the holdout": len(holdout.keys)}
    for what, count in counts.items():
        if count < FEWEST_ROWS:
            raise UserError(f"{what} is {count}, and distances need at least {FEWEST_ROWS} images a side: raise it")


def require_same_data(config: EvaluatorConfig | ModelConfig, split: Split, what: str, stage: str) -> None:
    classes = None if split.classes is None else tuple(split.classes)
    if (config.image_shape, config.classes) != (split.shape, classes):
        raise UserError(f"{what} was made from images of another shape or other classes: run `dvc repro {stage}`")


def measure_all(inputs: Inputs, params: Select) -> list[Row]:
    """A row a checkpoint, in order."""
    rows = []
    with progress_bar("select", len(inputs.checkpoints) * params.samples) as bar:
        for path in inputs.checkpoints:
            generator, images_seen = load_generator(path, inputs.device)
            require_same_data(generator.config, inputs.real.holdout, str(path), "train")
            try:
                figures = measure(generator, inputs.real, params.samples, params.seed, progress=bar.update)
            except ValueError as error:
                raise UserError(f"{path} cannot be measured ({error}): train with lower learning rates") from None
            rows.append({"images": images_seen} | figures)
    return rows


def summary(rows: list[Row], chosen: int, params: Select, real: Reference) -> dict[str, Any]:
    """What `metrics/selection.json` holds: the chosen checkpoint's figures, and the last one's."""
    return {
        **rows[chosen],
        "metric": params.metric,
        "rule": sentence(params),
        "floor_images": real.floor_images,
        "holdout_images": len(real.holdout.keys),
        "checkpoints": len(rows),
        "last": {key: value for key, value in rows[-1].items() if not key.endswith("_floor")},
    }


def provenance(inputs: Inputs, params: Select, selection: dict[str, Any]) -> dict[str, Any]:
    """What made the selected model: training, data, evaluator, and the rule."""
    return {
        "data_fingerprint": inputs.manifest["fingerprint"],
        "truth": inputs.manifest.get("truth"),
        "train": inputs.trained,
        "evaluator": {"sha256": inputs.evaluator_sha256},
        "selection": {"params": params.model_dump(exclude={"device"}), **selection},
    }


def write_outputs(root: Path, inputs: Inputs, params: Select, rows: list[Row], selection: dict[str, Any]) -> None:
    """All are prepared before the first takes its place."""
    chosen = next(index for index, row in enumerate(rows) if row["images"] == selection["images"])
    generator, _ = load_generator(inputs.checkpoints[chosen], inputs.device)
    made = provenance(inputs, params, selection)
    with ExitStack() as outputs:
        model = outputs.enter_context(replacing_directory(root / "models/selected"))
        write_generator(model, generator)
        (model / "README.md").write_text(model_card(generator.config, inputs.manifest, made))
        write_json(model / "provenance.json", made)
        picture = outputs.enter_context(replacing(root / "plots/nearest.png"))
        picture.write_bytes(nearest_drawn(generator, inputs.real, params.seed))
        marked = [row | {"selected": int(index == chosen)} for index, row in enumerate(rows)]
        write_tsv(outputs.enter_context(replacing(root / "metrics/checkpoints.tsv")), marked)
        write_json(outputs.enter_context(replacing(root / "metrics/selection.json")), selection)


if __name__ == "__main__":
    run_stage(main)
