"""What a training reports about its intervals, and about changed params when it starts anew or resumes."""

from mintage.trainer import Trainer
from stages.common.resume import Resume
from stages.common.train_params import Train

EFFECTS = {
    "recipe.batch_size": "how many steps as many images make, at the same learning rates",
    "processes": "in which order sums are rounded, and of how many images a batch norm takes its statistics",
}
"""Unexpected effects of a change to a param, by its name."""


def alone_at_the_end(params: Train) -> str | None:
    """A sentence if an interval is as long as the training or longer; else None."""
    what = {"checkpoint_every": "one checkpoint", "log_every": "one row of metrics/train.tsv"}
    long = [name for name in what if getattr(params, name) >= params.images]
    if not long:
        return None
    named, are = " and ".join(f"train.{name}" for name in long), "are" if long[1:] else "is"
    kept = " and ".join(what[name] for name in long)
    return f"{named} {are} not below train.images = {params.images:,}: {kept}, at the end"


def made_otherwise(trainer: Trainer, resume: Resume, params: Train) -> str:
    """The end of a sentence if earlier checkpoints or rows had other intervals, or were not measured; else ""."""
    images, kept = trainer.images_seen, resume.kept(trainer.images_seen)
    made = {"checkpoint_every": kept, "log_every": len(trainer.history)}
    changed = [f"train.{name}" for name, count in made.items() if count != images // getattr(params, name)]
    if params.stop and len(trainer.measured) < kept:
        changed.append("train.stop")
    if not changed:
        return ""
    hold = "hold" if changed[1:] else "holds"
    return f"; what was made up to there stays, and {' and '.join(changed)} {hold} from there on"
