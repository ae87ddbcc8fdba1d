"""Train: the game of generator and discriminator, from the normalized images to checkpoints.

Reads data/normalized/{train,manifest.json}, reports/validation.json; with train.stop data/normalized/holdout.
Writes models/checkpoints/, metrics/train.tsv, plots/training/, provenance/train.json.
Killed at any moment and started again, it goes on and ends in the same bits (on a CPU).
"""

import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from tqdm import tqdm

from mintage import catalog, processes
from mintage.data import RealImages
from mintage.engine import Engine
from mintage.families import FAMILIES, in_full, resolve, table
from mintage.model_config import condition_for
from mintage.nearest import nearest
from mintage.recipes import joins_attributes
from mintage.trainer import Trainer
from stages.common.device import precision_for
from stages.common.energy import Meter
from stages.common.errors import UserError, run_stage
from stages.common.files import fingerprint_of, read_json, write_tsv
from stages.common.foresight import known_of, require_fit
from stages.common.params import load_section
from stages.common.provenance import recorded
from stages.common.reading import conditions_for, labels_of, real_images, require_passed_gate
from stages.common.resume import Resume
from stages.common.split import Split
from stages.common.stage import deferred_interrupt, explain_interrupt, parser_of, progress_bar
from stages.common.train_params import Train
from stages.media import medium_of
from stages.media.medium import Medium
from stages.training.changes import alone_at_the_end
from stages.training.first import first_at
from stages.training.fit import require_trainable
from stages.training.guards import checked, measure_of, require_diversity, stopped_early, why_stopped
from stages.training.launch import launched, prepare_device, process_group, start
from stages.training.states import HOLDOUT, broadcast_state, identity, resume_latest, save

if TYPE_CHECKING:
    from stages.training.stopping import BothWays, Measure

DATA = Path("data/normalized")
LOG = Path("metrics/train.tsv")
_LOG_SECONDS = 1.0
"""Least seconds between two writes of the log during training."""


def main() -> None:
    parser = parser_of("stages.train", __doc__)
    families = "print the families, with paper and axes, or one with all its axes and their meaning, and end"
    parser.add_argument("--families", nargs="?", const="", metavar="NAME", help=families)
    parser.add_argument("--adopt", metavar="CHECKPOINT", help="take over a checkpoint for the next run, and end")
    asked = parser.parse_args()
    if asked.families is not None:
        print(family_in_full(asked.families) if asked.families else table())
        return
    params = load_section(Train)
    if asked.adopt:
        adopt(asked.adopt, params)
        return
    if params.processes > 1 and not launched():
        start(params.processes, "stages.train")
        return
    with process_group(params.processes, params.device):
        (run_rank_zero if processes.rank() == 0 else run_worker)(params)


def run_rank_zero(params: Train) -> None:
    """Train in the first process, which writes all outputs."""
    meter = Meter()
    with recorded("train", params, meter) as facts:
        require_passed_gate("reports/validation.json")
        manifest = read_json(DATA / "manifest.json")
        medium = medium_of(manifest)
        split = Split(DATA / "train")
        trainer = make_trainer(params, split)
        require_fit(known_of(manifest))  # earlier stages check this, too, but may have run with other params
        decides = identity(params, manifest)
        resume = Resume(".resume", decides)
        if alone := alone_at_the_end(params):
            print(alone)
        resumed_at = resume_latest(trainer, resume, params)
        meter.before = resume.cost(resumed_at)
        facts["machine"] |= {"device": device_name(trainer), "threads": torch.get_num_threads()}
        measure = measure_for(params, resume, split, trainer.real)
        log = None if LOG.exists() else LOG  # an earlier training's log stays until this one ends well
        train(trainer, resume, params, medium, measure, meter=meter, log=log)
        resume.place(trainer.images_seen, "models/checkpoints", "plots/training")
        write_tsv(LOG, trainer.history)
        if early := stopped_early(trainer.measured, params.stop):
            print(why_stopped(early))
        facts.update(
            describe(trainer, params, resumed_at), first=decides.get("first"), data_fingerprint=manifest["fingerprint"]
        )
        facts["images_per_second"] = meter.before.images_per_second


def adopt(path: str, params: Train) -> None:
    """Make a checkpoint of this same training, from elsewhere, the state from which the next run resumes."""
    manifest = read_json(DATA / "manifest.json")
    resume = Resume(".resume", identity(params, manifest))
    trainer = make_trainer(params, Split(DATA / "train"))
    trainer.load(*resume.read(path))
    save(trainer, resume, params, medium_of(manifest))
    print(f"the next run goes on from {trainer.images_seen:,} images")


def run_worker(params: Train) -> None:
    """Play the same turns as the first process, without output."""
    trainer = make_trainer(params, Split(DATA / "train"))
    own = fingerprint_of(identity(params, read_json(DATA / "manifest.json")))
    if state := broadcast_state(own, None, trainer.engine.device):
        trainer.load(*state)
    while should_continue(trainer, params):
        trainer.turn()
        if params.stop and trainer.passed(params.checkpoint_every):
            learn_measured(trainer, None)


def should_continue(trainer: Trainer, params: Train) -> bool:
    return trainer.images_seen < params.images and not stopped_early(trainer.measured, params.stop)


def measure_for(params: Train, resume: Resume, split: Split, real: RealImages) -> "Measure | BothWays | None":
    """The measure by which this training may stop early; None without `train.stop`."""
    if params.stop is None:
        return None
    from stages.training.stopping import Measure, both_ways, evaluator_in

    folder = resume.folder / f"evaluator-{measure_of(params.stop)}"
    if split.domains:
        return both_ways(folder, params, split, Split(HOLDOUT), real.device)
    evaluator = evaluator_in(folder, params.stop, split, real, params.seed)
    return Measure(evaluator, Split(HOLDOUT), params.stop.samples, params.seed)


def learn_measured(trainer: Trainer, value: float | None) -> None:
    """Send the value that the first process measured to every process."""
    packed = processes.broadcast_bytes(json.dumps(value).encode(), trainer.engine.device)
    trainer.measured.append([trainer.images_seen, json.loads(packed)])


def make_trainer(params: Train, split: Split) -> Trainer:
    """The trainer of `params.family` with its overrides, on the split's images, before the first turn."""
    recipe = resolve(params.family, params.recipe, params.variant)
    first = first_at(params.first)
    signature = replace(split.signature, first=None if first is None else first.config)
    require_trainable(params, recipe, signature)
    device = prepare_device(params)
    precision = precision_for(params.precision, device, split.shape)
    game = catalog.load("game", recipe.game).build(recipe, signature, params.seed)
    if first is not None:
        game.stand_on(first)
    asked = condition_for(recipe, signature.first)
    conditions, sources = conditions_for(asked, split, recipe.labeled, params.seed), asked == "source"
    split = split.with_attributes() if joins_attributes(recipe) else split
    real = real_images(split, conditions, params.window, params.seed, device, param="train.window", sources=sources)
    real.damage = split.signature.damage if recipe.redrawn else None
    real.labels = labels_of(split) if game.learns_classes else None
    engine = Engine(game, recipe, device, precision)
    return Trainer(engine, real, recipe.batch_size, params.seed)


def train(
    trainer: Trainer,
    resume: Resume,
    params: Train,
    medium: Medium,
    measure: "Measure | BothWays | None" = None,
    *,
    meter: Meter | None = None,
    log: Path | None = None,
) -> None:
    """Play until `params.images` were seen or `measure` stops it; saves states and pictures, and rows in `log`."""
    meter, saved, logged = meter or Meter(), time.monotonic(), 0.0
    meter.lap(trainer.images_seen)
    with (
        explain_interrupt(lambda: f"training was at {trainer.images_seen:,} images; {resume.how_to_resume()}"),
        deferred_interrupt(at_once=launched()) as interrupt,  # with several processes, none saves alone
        progress_bar("train", params.images, done=trainer.images_seen) as bar,
    ):
        while should_continue(trainer, params):
            trainer.turn()
            bar.update(trainer.turn_images)
            if trainer.passed(params.log_every):
                show(bar, checked(trainer.summarize, resume))
                if log and time.monotonic() - logged > _LOG_SECONDS:
                    write_tsv(log, trainer.history)
                    logged = time.monotonic()
            due, last = trainer.passed(params.checkpoint_every), trainer.images_seen >= params.images
            late = time.monotonic() - saved > params.resume_every or interrupt.asked
            if due or last or late:
                checked(trainer.check, resume)  # a state that is not finite is never saved
            if due or last:
                require_diversity(trainer, params.min_diversity, resume)
            if due and measure is not None:
                learn_measured(trainer, measure.score(trainer.average))
            if due or last or late:
                meter.lap(trainer.images_seen)
                resume.note(trainer.images_seen, meter.cost(on_gpu=trainer.engine.device.type == "cuda"))
                save(trainer, resume, params, medium)
                saved = time.monotonic()
            if interrupt.asked:
                raise KeyboardInterrupt


def show(bar: "tqdm[Any]", row: dict[str, float]) -> None:
    named = {"real": "d_real", "fake": "d_fake", "encoder": "encoder_loss"}
    bar.set_postfix({what: f"{row[name]:.2f}" for what, name in named.items() if name in row}, refresh=False)


def family_in_full(name: str) -> str:
    """A row with all its axes, without the overrides of params.yaml. Raises UserError if there is no such family."""
    if name not in FAMILIES:
        raise UserError("family-unknown", f"there is no family {name!r}{nearest(name, list(FAMILIES))}")
    return in_full(name)


def device_name(trainer: Trainer) -> str:
    """The GPU's model, or "cpu"."""
    device = trainer.real.device
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def describe(trainer: Trainer, params: Train, resumed_at: int) -> dict[str, Any]:
    """The provenance of the training."""
    game = trainer.game
    return {
        "family": params.family,
        "recipe": asdict(trainer.engine.recipe),
        "images": trainer.images_seen,
        "resumed_at": resumed_at,
        "diversity": trainer.diversity(),
        "stopped_early": stopped_early(trainer.measured, params.stop),
        "parameters": {
            name: sum(p.numel() for p in player.parameters())
            for name, player in game.named_children()
            if name == "generator" or (name == "discriminator" and _has_learned(trainer, name))
        },
    }


def _has_learned(trainer: Trainer, side: str) -> bool:
    """Whether a side has played: a variational autoencoder's discriminator does not."""
    return any(f"{side}_loss" in row for row in trainer.history)


if __name__ == "__main__":
    run_stage(main)
