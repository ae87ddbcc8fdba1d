"""`train`: a family on images in memory, without a pipeline; it resumes from a folder if given one."""

import hashlib
import json
import sys
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mintage import catalog
from mintage.arguments import checked
from mintage.checkpoint import pack, unpack, write_whole
from mintage.data import RealImages, hide_labels
from mintage.dataset import Dataset
from mintage.devices import choose_device, choose_precision, thread_count
from mintage.engine import Engine
from mintage.errors import CheckpointError
from mintage.families import SHORT, recipe_of, resolve
from mintage.model import Model, load
from mintage.model_config import condition_for
from mintage.players import Generator
from mintage.recipes import Recipe, joins_attributes, stands_on_first
from mintage.rules import refusal
from mintage.rules_of_stages import WITHOUT_FIRST
from mintage.sources import with_attributes
from mintage.trainer import Trainer
from mintage.values import respelled

_STATE = "training.safetensors"
_SAVE_SECONDS = 60.0
_BAR = 24


@dataclass(frozen=True)
class Run:
    """What `train` returns."""

    model: Model
    """The moving average of the generator, ready to sample."""
    history: list[dict[str, float]] = field(repr=False)
    """A row for each hundredth of the training: images seen, losses, the family's other columns, diversity."""
    images: int
    """Real images seen."""


@checked
def train(
    data: Dataset,
    family: str,
    images: int = 200_000,
    recipe: dict[str, Any] | None = None,
    *,
    variant: str = SHORT,
    first: Model | str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = 1,
    folder: str | Path | None = None,
    progress: bool = True,
) -> Run:
    """Train a family on images in memory.

    The same arguments give the same bits on a CPU, also when a killed run resumes.

    Args:
        data: What to learn.
        family: A row of the catalog, such as "dcgan" or "modern_conditional".
        images: Real images to show, in total; the last turn of the game is always complete.
        recipe: Changes to the family's row, such as `{"width": 64, "generator": {"learning_rate": 1e-4}}`.
        variant: Which of the family's recipes: "short", the row, or another one, such as "paper"; `mintage families
            NAME` lists them.
        first: The model whose images "stackgan" refines or "age_cgan" encodes, or its address, as `mintage.load` takes
            it; it becomes a part of the new model.
        seed: Decides initial weights, order of the data, and noise.
        device: "auto" (a CUDA device, else the CPU), "cpu", "cuda" or "cuda:N".
        precision: "auto", "float32" or "bfloat16".
        threads: Threads of the CPU. None is torch's default, which is faster for large images on an idle machine, and
            many times slower beside other busy programs.
        folder: Where the state is saved, each minute and at the end; a saved state of the same training resumes. At the
            end the model is there too, for `mintage.load`.
        progress: Whether to show a bar on the terminal.

    Raises:
        ValueError: There is no such family, variant or device, nothing to train, or the recipe does not go together or
            with the data.
        DivergedError: A loss or weight became infinite or not a number.
        CheckpointError: The state in the folder is damaged, of another training, or of more images than `images`.

    Example:
        >>> import torch, mintage
        >>> data = mintage.Dataset(image=torch.rand(64, 1, 8, 8) * 2 - 1)
        >>> run = mintage.train(data, "gan", images=640, recipe={"width": 8}, progress=False)
        >>> run.model.sample(4).shape
        torch.Size([4, 1, 8, 8])
    """
    for name, count in (("images", images), ("threads", threads)):
        if count is not None and count < 1:
            raise ValueError(f"{name} = {count}: give 1 or more")
    if first is not None and not stands_on_first(recipe_of(family, recipe or {}, variant)):
        raise ValueError(f"{family}: {WITHOUT_FIRST}")
    before, changes, where = _generator_of(first), respelled(Recipe, recipe or {}), choose_device(device)
    trainer = make_trainer(
        data, family, changes, seed, device=where, precision=precision, first=before, variant=variant
    )
    state = None if folder is None else Path(folder) / _STATE
    named = family if variant == SHORT else f"{family}, {variant}"
    identity = _identity(data, named, changes, seed, before)
    if state is not None and state.exists():
        typed = [] if changes == (recipe or {}) else [recipe or {}]  # which an earlier Mintage has hashed
        _resume(trainer, state, {identity, *(_identity(data, named, one, seed, before) for one in typed)}, images)
    every, saved = max(1, images // 100), time.monotonic()
    with thread_count(threads), _Bar(images, shown=progress and sys.stderr.isatty()) as bar:
        while trainer.images_seen < images:
            trainer.turn()
            if trainer.passed(every):
                bar.show(trainer.images_seen, trainer.summarize())
            if state is not None and time.monotonic() - saved > _SAVE_SECONDS:
                _save(state, trainer, identity)
                saved = time.monotonic()
    trainer.check()
    # In the memory layout of a loaded model: another layout rounds differently.
    model = Model(trainer.average.cpu().to(memory_format=torch.contiguous_format))  # type: ignore[call-overload]
    if state is not None:
        _save(state, trainer, identity)
        model.save(state.parent)
    return Run(model, trainer.history, trainer.images_seen)


def _generator_of(first: Model | str | Path | None) -> Generator | None:
    model = load(first) if isinstance(first, str | Path) else first
    return None if model is None else model.generator


def make_trainer(
    data: Dataset,
    family: str,
    recipe: dict[str, Any],
    seed: int,
    *,
    device: torch.device,
    precision: str,
    first: Generator | None = None,
    variant: str = SHORT,
) -> Trainer:
    """The trainer of a family with the recipe's changes, before its first turn. Raises ValueError as `train` does."""
    row = resolve(family, recipe, variant)
    signature = replace(data.signature, first=None if first is None else first.config)
    if reason := refusal(row, signature):
        raise ValueError(f"{family}: {reason}")
    asked = condition_for(row, signature.first)
    conditions: Tensor | None = None if asked is None else getattr(data, asked)
    if joins_attributes(row) and data.source is not None and data.attributes is not None:
        conditions = with_attributes(data.source, data.attributes)
    if asked == "label" and conditions is not None:
        conditions = hide_labels(conditions, row.labeled, seed)
    game = catalog.load("game", row.game).build(row, signature, seed)
    if first is not None:
        game.stand_on(first)
    engine = Engine(game, row, device, choose_precision(precision, device, data.shape))
    real = RealImages(data.image, conditions, seed, device)
    real.damage = data.damage if row.redrawn else None
    real.labels = data.label if game.learns_classes else None
    return Trainer(engine, real, row.batch_size, seed)


def _identity(data: Dataset, family: str, recipe: dict[str, Any], seed: int, first: Generator | None) -> str:
    """A digest of all that decides the bits, except the number of images."""
    names: list[Any] = [data.classes, *(one for one in (data.attribute_names, data.domains) if one)]
    names += [] if data.damage is None else [asdict(data.damage)]
    names += [] if data.vocabulary is None else [data.vocabulary]
    names += [] if first is None else [asdict(first.config)]
    digest = hashlib.sha256(json.dumps([family, recipe, seed, *names, torch.__version__]).encode())
    parts = [data.image, data.label, data.source, data.attributes, data.domain]
    parts += [] if first is None else first.state_dict().values()
    for tensor in parts:
        if tensor is not None:
            digest.update(str(tuple(tensor.shape)).encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()


def _save(path: Path, trainer: Trainer, identity: str) -> None:
    trainer.check()  # a state that is not finite is never saved
    tensors, facts = trainer.state()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, pack(tensors, {**facts, "identity": identity, "precision": trainer.engine.precision}))


def _resume(trainer: Trainer, path: Path, identities: set[str], images: int) -> None:
    tensors, facts = unpack(path)
    if facts.pop("identity") not in identities:
        raise CheckpointError(
            f"{path} is of another training (other data, family, recipe, seed or first, another torch, or an earlier "
            "Mintage): name another folder, or remove it"
        )
    before, now = facts.pop("precision", None), trainer.engine.precision
    if before not in (None, now):  # an earlier Mintage's state does not say
        raise CheckpointError(
            f"{path} was trained in {before}, and this goes on in {now}, which gives other bits: set precision to "
            f"{before}, or name another folder"
        )
    if facts["images_seen"] - facts["turn_images"] >= images:
        raise CheckpointError(
            f"{path} has seen {facts['images_seen']:,} images, and this asks for {images:,}: give images = "
            f"{facts['images_seen']} for that model, or name another folder"
        )
    trainer.load(tensors, facts)


class _Bar:
    """A line on the terminal with the progress of a training."""

    def __init__(self, images: int, shown: bool) -> None:
        self._images, self._shown, self._start = images, shown, time.monotonic()
        self._first: int | None = None

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            print(file=sys.stderr)

    def show(self, seen: int, row: dict[str, float]) -> None:
        if not self._shown:
            return
        self._first = seen if self._first is None else self._first
        rate = (seen - self._first) / max(1e-9, time.monotonic() - self._start)
        filled = min(_BAR, _BAR * seen // self._images)
        named = {"D": "discriminator_loss", "G": "generator_loss"}
        losses = "  ".join(f"{side} {row[name]:.3f}" for side, name in named.items() if name in row)
        bar = "#" * filled + "." * (_BAR - filled)
        print(f"\r[{bar}] {seen:,} of {self._images:,} images, {rate:,.0f}/s  {losses}", end="", file=sys.stderr)
