"""The states that a training saves, from which of them a later run resumes, and how all processes get them."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load
from safetensors.torch import save as pack

from mintage import processes
from mintage.trainer import Trainer
from stages.common.changes import explain_restart
from stages.common.errors import UserError
from stages.common.identity import code_of
from stages.common.marks import Mark, with_mark
from stages.common.reading import as_given
from stages.common.resume import Resume, State
from stages.common.split import Split
from stages.common.train_params import Train
from stages.media import medium_of
from stages.media.drawings import draw_translations, drawings_of
from stages.media.medium import Medium
from stages.training.changes import EFFECTS, made_otherwise
from stages.training.first import facts_of_first
from stages.training.guards import first_stop, measure_of

HOLDOUT = Path("data/normalized/holdout")
# Params that do not change the weights up to here; a longer run resumes from a shorter one.
# The model that `first` names is identified by digests: its address may lead to another release tomorrow.
_NOT_IDENTITY = {"first", "images", "checkpoint_every", "log_every", "resume_every", "min_diversity", "stop"}
_MEASURE = "measure"
"""The fact in a state that identifies the measure by which it may stop; see `guards.measure_of`."""


def identity(params: Train, manifest: dict[str, Any]) -> dict[str, Any]:
    """All that decides the bits of the training up to any number of images."""
    recipe = params.whole_recipe
    return {
        "params": params.model_dump(exclude=_NOT_IDENTITY),
        "data": manifest["fingerprint"],
        "code": code_of("train", recipe, medium=medium_of(manifest).name),
        "torch": torch.__version__,
        **facts_of_first(params.first),
    }


def resume_latest(trainer: Trainer, resume: Resume, params: Train) -> int:
    """Load the latest state of this training, if there is one; returns the images it has seen."""
    found = latest_state(resume, params, trainer.engine.images_at_end(params.images, trainer.batch_size))
    broadcast_state(resume.fingerprint, found, trainer.engine.device)
    if found is not None:
        trainer.load(*found)
        print(f"going on from {trainer.images_seen:,} images{made_otherwise(trainer, resume, params)}")
    elif former := resume.former():
        print(explain_restart("training", "train", former, EFFECTS))
    return trainer.images_seen


def latest_state(resume: Resume, params: Train, images: int) -> State | None:
    """The latest state with at most `images` images, or where `params.stop` ends; without another measure's figures."""
    found = resume.latest(images)
    if found is None:
        return None
    tensors, facts = found
    measured = facts["measured"] if facts.get(_MEASURE) == measure_of(params.stop) else []
    ends = first_stop(measured, params.stop)
    if ends is not None and ends < facts["images_seen"]:
        return latest_state(resume, params, ends)
    return tensors, {**facts, "measured": measured}


def save(trainer: Trainer, resume: Resume, params: Train, medium: Medium) -> None:
    """Save a checkpoint if one is due, else a state that replaces the last; a checkpoint also gets a picture."""
    due = trainer.passed(params.checkpoint_every)
    if due or trainer.images_seen >= params.images:
        resume.draw(trainer.images_seen, with_mark(picture_of(trainer, params, medium), Mark(family=params.family)))
    tensors, facts = trainer.state()
    known = {_MEASURE: measure_of(params.stop)} if params.stop else {}
    (resume.keep if due else resume.roll)((tensors, facts | known))


def picture_of(trainer: Trainer, params: Train, medium: Medium) -> bytes:
    """Images of the averaged generator, each time from the same latents, or the same sources of the holdout."""
    if trainer.average.config.translates:
        holdout = as_given(trainer.average.config, Split(HOLDOUT))
        return draw_translations(medium, trainer.average, params.seed, holdout)
    return drawings_of(medium).draw_samples(trainer.average, params.seed, judge=trainer.game.probability)


def broadcast_state(fingerprint: str, state: State | None, device: torch.device) -> State | None:
    """The state that the first process gives, or None.

    Raises UserError if the first process trains with other params, data or code than this one.
    """
    if processes.count() == 1:
        return state
    tensors, facts = state or ({}, None)
    plain = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    first = json.loads(processes.broadcast_bytes(json.dumps([fingerprint, facts]).encode(), device))
    packed = processes.broadcast_bytes(pack(plain), device)
    if first[0] != fingerprint:
        raise UserError(
            "processes-differ",
            "the first process has other params, data or code: bring the machines to one commit and data",
        )
    return None if first[1] is None else (load(packed), first[1])
