"""Checks on a GPU, each a function that raises AssertionError if it fails; for `benchmarks.gpu`."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from mintage import Dataset, measure
from mintage.catalog import load as of_catalog
from mintage.damage import Damage
from mintage.devices import make_deterministic
from mintage.errors import DivergedError
from mintage.evaluator import EvaluatorConfig, features_of
from mintage.families import FAMILIES, resolve
from mintage.latents import draw
from mintage.learning import Schedule, build_evaluator, train_evaluator
from mintage.model import Model
from mintage.randomness import stream
from mintage.recipes import Recipe, condition_of
from mintage.rules import refusal
from mintage.sampling import generate
from mintage.streaming import Blocks, StreamedImages
from mintage.tokens import sequences
from mintage.trainer import Trainer
from mintage.training import make_trainer

SMALL: dict[str, Any] = {"width": 8, "latent_size": 8}
SHAPES = ((1, 16, 16), (1, 64), (1, 16, 16, 16), (1, 1, 2))
"""Shapes of pictures, sounds, volumes and points: a family gets the first that its rules allow."""
COUNT, BATCH = 64, 16
ROUNDING = 0.02
"""Relative tolerance of losses: sums are in another order, and Adam's first steps enlarge the difference."""


def data_of(family: str) -> Dataset:
    """Random samples with everything that the family needs."""
    recipe = resolve(family, SMALL)
    for shape in SHAPES:
        data = _random(recipe, shape)
        if refusal(recipe, data.signature) is None:
            return data
    raise AssertionError(f"no sample fits {family}")


def _random(recipe: Recipe, shape: tuple[int, ...]) -> Dataset:
    random = torch.Generator().manual_seed(0)
    images = torch.rand(COUNT, *shape, generator=random) * 2 - 1
    numbers = torch.arange(COUNT)
    conditions: dict[str, Any] = {
        "label": numbers % 3,
        "attributes": {"x": numbers % 2 == 0, "y": numbers % 3 == 0},
        "source": Damage("masked") if recipe.redrawn else -images,
        "domain": numbers % 2,
    }
    asked = condition_of(recipe)
    if of_catalog("game", recipe.game).of_words:
        return sequences(torch.randint(5, (COUNT, 8), generator=random), "abcde")
    beside = {} if asked is None else {asked: conditions[asked]}
    return Dataset(images, **beside, rank=len(shape) - 1)


def trainer_of(family: str, device: torch.device, precision: str = "float32") -> Trainer:
    return make_trainer(data_of(family), family, SMALL | {"batch_size": BATCH}, 0, device=device, precision=precision)


def play(trainer: Trainer, turns: int) -> Trainer:
    for _ in range(turns):
        trainer.turn()
    return trainer


def state(trainer: Trainer) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in trainer.state()[0].items()}


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    differing = [name for name in one.keys() & other.keys() if not torch.equal(one[name], other[name])]
    assert not differing, f"{len(differing)} tensors differ, such as {differing[0]}"
    assert one.keys() == other.keys(), "one has other tensors"


def learns(family: str, device: torch.device) -> None:
    """Four turns in the device's own precision, and in float32, leave every weight finite."""
    for precision in ("auto", "float32"):
        trainer = play(trainer_of(family, device, precision), 4)
        try:
            trainer.check()
        except DivergedError as error:
            raise AssertionError(f"{precision}: {error}") from error


def repeats(family: str, device: torch.device) -> None:
    """In deterministic mode two runs give the same bits, also if one resumes from a state in the middle."""
    make_deterministic(device, True)
    try:
        first = play(trainer_of(family, device), 2)
        middle, facts = state(first), first.state()[1]
        again = trainer_of(family, device)
        again.load(middle, facts)
        whole = state(play(trainer_of(family, device), 4))
        assert_same(whole, state(play(first, 2)))
        assert_same(whole, state(play(again, 2)))
    finally:
        make_deterministic(device, False)


def agrees(family: str, device: torch.device) -> None:
    """The losses of the first turn equal those of the CPU up to rounding."""
    allowed = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        ours, theirs = (play(trainer_of(family, place), 1).summarize() for place in (device, torch.device("cpu")))
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = allowed
    for name, value in theirs.items():
        assert abs(ours[name] - value) <= ROUNDING * max(1, abs(value)), f"{name}: {ours[name]} there, {value} on a CPU"


def keeps_channels_last(device: torch.device) -> None:
    """Weights, gradients and images of convolutions stay channels last, their fastest layout."""
    trainer = play(trainer_of("dcgan", device), 2)
    images, _ = trainer.real.batch(0, BATCH)
    assert images.is_contiguous(memory_format=torch.channels_last), "images are not"
    for name, weight in trainer.game.named_parameters():
        if weight.ndim == 4:
            assert weight.is_contiguous(memory_format=torch.channels_last), f"{name} is not"


def samples_alike(device: torch.device) -> None:
    """The same latents give the CPU's pictures within one level of 255."""
    generator = play(trainer_of("cgan", torch.device("cpu")), 2).average
    latents, labels = draw(generator.config, 100, stream(0, "check")), torch.arange(100) % 3
    theirs = generate(generator, latents, labels)
    ours = generate(generator.to(device), latents, labels)
    furthest = float((ours - theirs).abs().max()) * 127.5
    assert furthest <= 1, f"a pixel is {furthest:.2f} levels from the CPU's"


def streams_alike(device: torch.device) -> None:
    """Images from windows reach the device undamaged and in the planned order."""
    images = torch.arange(COUNT, dtype=torch.float32).view(-1, 1, 1, 1).expand(-1, 1, 8, 8).contiguous()
    blocks = Blocks([COUNT // 4] * 4, lambda number: images[number * COUNT // 4 : (number + 1) * COUNT // 4])
    found = [
        torch.cat([StreamedImages(blocks, None, COUNT // 2, 0, place).batch(start, BATCH)[0].cpu()
                   for start in range(0, 2 * COUNT, BATCH)])
        for place in (device, torch.device("cpu"))
    ]  # fmt: skip
    assert torch.equal(*found), "another order than on a CPU"
    assert found[0][:COUNT, 0, 0, 0].sort().values.tolist() == list(range(COUNT)), "an epoch has not each image once"


def evaluates(device: torch.device) -> None:
    """A classifier learns on the device; its features of an image equal the CPU's up to rounding."""
    data = data_of("cgan")
    trainer = trainer_of("cgan", device)
    config = EvaluatorConfig(data.shape, data.classes, 32)
    taught = train_evaluator(config, trainer.real, Schedule(512, 32, 1e-3, 0))
    ours = features_of(taught, data.image)
    theirs = features_of(taught.cpu(), data.image)
    furthest = float((ours - theirs).abs().max() / theirs.abs().max())
    assert furthest < 1e-3, f"a feature is {furthest:.2%} from the CPU's"
    assert not torch.equal(theirs, features_of(build_evaluator(config, 0), data.image)), "it learned nothing"


def measures(device: torch.device) -> None:
    """`mintage.measure` gives figures of a model, all finite."""
    data = data_of("cgan")
    model = Model(play(trainer_of("cgan", device), 2).average.cpu())
    figures = measure(model, data, evaluator_images=512, device=str(device))
    wrong = [name for name, figure in figures.items() if not abs(figure.value) < float("inf")]
    assert not wrong, f"not finite: {wrong}"
    assert "frechet_distance" in figures, "no distance"


OF_EACH_FAMILY: dict[str, Callable[[str, torch.device], None]] = {
    "learns": learns,
    "repeats and resumes to the same bits": repeats,
    "agrees with the CPU": agrees,
}
OF_THE_DEVICE: dict[str, Callable[[torch.device], None]] = {
    "convolutions stay channels last": keeps_channels_last,
    "samples are the CPU's": samples_alike,
    "windows bring each image": streams_alike,
    "the evaluator learns": evaluates,
    "models are measured": measures,
}


def checks(families: list[str] | None, device: torch.device) -> dict[str, Callable[[], None]]:
    """All checks, by name."""
    found: dict[str, Callable[[], None]] = {name: partial(check, device) for name, check in OF_THE_DEVICE.items()}
    for family in families or FAMILIES:
        for name, check in OF_EACH_FAMILY.items():
            found[f"{family} {name}"] = partial(check, family, device)
    return found
