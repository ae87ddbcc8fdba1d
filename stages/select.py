"""Select: every checkpoint measured on held-out images, one chosen by the rule in params.

Reads models/checkpoints, models/evaluator, metrics/evaluator.json, data/normalized/{train,holdout,manifest.json},
provenance/train.json.
Writes models/selected/, metrics/{selection.json,checkpoints.tsv,truncation.tsv}, plots/nearest.png,
provenance/select.json.
Figures, rule, card and picture are made in stages/selection.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mintage.catalog import INVERTING
from stages.common.device import steady_device_for
from stages.common.errors import UserError, run_stage
from stages.common.files import read_json, replacing, replacing_directory, write_json, write_tsv
from stages.common.judge import by_heart, doubt
from stages.common.mapping import MapShards, map_shards
from stages.common.models import write_generator
from stages.common.params import Data, Select, load_section
from stages.common.provenance import recorded
from stages.common.stage import explain_interrupt, parser_of
from stages.media import medium_of
from stages.selection.cache import FOLDER
from stages.selection.card import model_card
from stages.selection.checkpoints import Table, loaded, measure_all
from stages.selection.chosen import ChosenFigures, length_of, measure_chosen
from stages.selection.directions import Direction
from stages.selection.inputs import Inputs, measure_elsewhere, read_inputs
from stages.selection.nearest import nearest_drawn
from stages.selection.quality import Subject, floor_is_no_chance, verdict
from stages.selection.reference import Reference
from stages.selection.rows import absent_in, attributes, classes, columns, expected, without_floors
from stages.selection.rule import Choice, Row, choose, cost_of_last, sentence, why
from stages.selection.table import table
from stages.selection.truncation import COLUMNS
from stages.selection.verdicts import collapse, copying, game


def main() -> None:
    params, data = load_section(Select), load_section(Data)
    over_shards = map_shards(data.workers, data.runner) if data.runner == "dask" else None
    kept = f"what was measured is kept in {FOLDER}; the same command goes on from there"
    with explain_interrupt(lambda: kept), recorded("select", params) as facts:
        selection = select(params, Path(), over_shards)
        facts["machine"]["device"] = str(steady_device_for(params.device))
        facts["rule"] = selection["rule"]
    said = medium_of(read_json(Path("data/normalized/manifest.json"))).words.said
    print(said(f"selected: models/selected ({selection['images']:,} images: {selection['rule']})"))


def select(params: Select, root: Path, over_shards: MapShards | None = None) -> dict[str, Any]:
    """Measure, choose, and write all outputs under `root`; return what is in `metrics/selection.json`.

    Checkpoints are measured by `over_shards`, else by threads, as many as there are cores.

    Raises UserError, with all of it written, where the selected generator is collapsed and params say to fail.
    """
    inputs = read_inputs(params, root)
    if over_shards is not None:
        measure_elsewhere(inputs, params, over_shards)
    measured = measure_all(inputs.checkpoints, inputs.reals, params, inputs.cache, shown=over_shards is None)
    choice = choose(measured.rows, params, absent_in(measured.found[-1], measured.real))
    words = medium_of(inputs.manifest).words
    print(table(measured.rows, choice.chosen, params, inputs.held_out, beside(measured), words=words))
    selection = summary(measured, choice, params, inputs)
    alone = measure_chosen(inputs.checkpoints[choice.chosen], inputs.real, inputs.cache, inputs.trained, params)
    selection |= alone.figures | {"left_out": alone.left_out}
    selection["absent"] |= alone.absent
    about = subject(inputs, measured)
    selection["verdict"] = verdict(measured.rows, measured.rows[choice.chosen], selection, about)
    write_outputs(root, inputs, params, measured.rows, selection, alone=alone)
    fails = params.fail_on_collapse and selection["collapse"]["collapsed"]
    of_directions = [direction["sentence"] for direction in selection["directions"] or []]
    of_model = judgments(selection, but="collapse" if fails else "")
    print("\n".join(map(words.said, [selection["why"], *of_directions, *of_model, *alone.sentences])))
    if fails:
        figures = "its figures are in metrics/selection.json"
        raise UserError(
            "model-collapsed",
            f"the selected generator is collapsed ({selection['collapse']['sentence'][:-1]}): {figures}",
        )
    return selection


def judgments(selection: dict[str, Any], but: str) -> list[str]:
    """What the verdicts say, the one on the whole first; `but` one that an error says."""
    whole = " ".join(selection["verdict"][part] for part in ("sentence", "curve", "advice"))
    return [
        whole,
        *(selection[name]["sentence"] for name in ("collapse", "copying", "game") if name != but and selection[name]),
    ]


def beside(measured: Table) -> dict[str, Row]:
    """What generators must beat, where there is something, by what it is called."""
    named = {"sources": measured.baseline, "first stage": measured.first}
    return {name: row for name, row in named.items() if row is not None}


def subject(inputs: Inputs, measured: Table) -> Subject:
    real, trained, judge = inputs.real, inputs.trained, inputs.evaluator
    own = real.judge.network.name == "domain"
    known = by_heart(judge, real.chance) if own and floor_is_no_chance(measured.real.figures) else None
    return Subject(
        family=trained.get("family", ""),
        training=length_of(trained),
        train_images=sum(len(one.train) for one in inputs.reals),
        held_out=min(len(one.holdout) for one in inputs.reals),
        chance=real.chance,
        medium=real.medium,
        attributes=bool(real.attributes),
        sources=measured.baseline,
        first=measured.first,
        stays=trained.get("recipe", {}).get("game") in INVERTING,
        doubt=known or (doubt(judge, real.chance) if own else None),
        by_heart=known is not None,
    )


def summary(measured: Table, choice: Choice, params: Select, inputs: Inputs) -> dict[str, Any]:
    """What `metrics/selection.json` holds, but for what is measured of the chosen checkpoint alone."""
    rows, real = measured.rows, inputs.real
    chosen, runner_up = rows[choice.chosen], choice.runner_up
    ways, of_domains = measured.directions, bool(real.to) and real.judge.network.name == "domain"
    judged = [(ways[one.to].rows[choice.chosen] if one.to in ways else chosen, one) for one in inputs.reals]
    return {
        **chosen,
        "metric": params.metric,
        "rule": sentence(params),
        "why": why(rows, choice, params),
        "seed": params.seed,
        "features": real.judge.network.describe() | ({"sha256": inputs.evaluator_sha256} if of_domains else {}),
        "floor_images": sum(len(one.train_sample) for one in inputs.reals),
        "holdout_images": inputs.held_out,
        "checkpoints": len(rows),
        "absent": expected(absent_in(measured.found[choice.chosen], measured.real), real),
        "baseline": None if measured.baseline is None else without_floors(measured.baseline),
        "first_stage": None if measured.first is None else without_floors(measured.first),
        "last": without_floors(rows[-1]),
        "runner_up": None if runner_up is None else without_floors(rows[runner_up]),
        "cost_of_last": cost_of_last(rows, choice, params),
        "collapse": worst([(collapse(row, params, one.chance), one.to) for row, one in judged], "collapsed"),
        "copying": worst([(copying(row, params, one.medium), one.to) for row, one in judged], "copied"),
        "game": game(rows, params, real.medium, inputs.trained.get("recipe", {}).get("pretrain_images", 0)),
        "directions": directions(measured, choice, inputs.reals) or None,
        "attributes": attributes(measured.found[choice.chosen], measured.real, real),
        "classes": classes(measured.found[choice.chosen], measured.real, real.judge.evaluator.config.classes),
    }


def worst(found: list[tuple[dict[str, Any], str | None]], bad: str) -> dict[str, Any]:
    """Of the verdicts on both directions the one that is bad, or else not known; it says which direction it is of."""
    verdict, to = max(found, key=lambda one: (one[0][bad], not one[0]["known"]))
    return verdict if to is None else verdict | {"sentence": f"To {to}: {verdict['sentence']}"}


def directions(measured: Table, choice: Choice, reals: list[Reference]) -> list[dict[str, Any]]:
    """Of a model between two domains the figures of each, with what is said of them; else nothing."""
    names = [real.to or "" for real in reals]
    return [
        Direction(other, to, table.rows[choice.chosen], table.baseline).to_json()
        for (to, table), other in zip(measured.directions.items(), reversed(names), strict=False)
    ]


def provenance(inputs: Inputs, params: Select, selection: dict[str, Any]) -> dict[str, Any]:
    """What made the selected model: training, data, evaluator, and the rule."""
    return {
        "data_fingerprint": inputs.manifest["fingerprint"],
        "sources_made_by": inputs.manifest.get("partners_made_by", []),
        "medium": inputs.real.medium.to_json(),
        "train": inputs.trained,
        "evaluator": {"sha256": inputs.evaluator_sha256},
        "selection": {"params": params.model_dump(exclude={"device"}), **selection},
    }


def write_outputs(
    root: Path, inputs: Inputs, params: Select, rows: list[Row], selection: dict[str, Any], *, alone: ChosenFigures
) -> None:
    """All are prepared before the first takes its place."""
    chosen = next(index for index, row in enumerate(rows) if row["images"] == selection["images"])
    generator = loaded(inputs.checkpoints[chosen], inputs.real)
    made = provenance(inputs, params, selection)
    with ExitStack() as outputs:
        model = outputs.enter_context(replacing_directory(root / "models/selected"))
        write_generator(model, generator)
        for name, content in alone.detector.items():
            (model / name).write_bytes(content)
        (model / "README.md").write_text(model_card(generator.config, inputs.manifest, made))
        write_json(model / "provenance.json", made)
        picture = outputs.enter_context(replacing(root / "plots/nearest.png"))
        picture.write_bytes(nearest_drawn(generator, inputs.reals, params.seed))
        write_tsv(outputs.enter_context(replacing(root / "metrics/checkpoints.tsv")), marked(rows, chosen))
        write_tsv(outputs.enter_context(replacing(root / "metrics/truncation.tsv")), alone.curve, COLUMNS)
        write_json(outputs.enter_context(replacing(root / "metrics/selection.json")), selection)


def marked(rows: list[Row], chosen: int) -> list[dict[str, Any]]:
    """The rows of checkpoints.tsv: every column that any has, in the order of the metrics, the chosen one marked."""
    named = [*columns(rows), "collapsed"]
    return [
        {column: row.get(column) for column in named} | {"selected": int(index == chosen)}
        for index, row in enumerate(rows)
    ]


if __name__ == "__main__":
    parser_of("stages.select", __doc__).parse_args()
    run_stage(main)
