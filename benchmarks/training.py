"""Training speed beside a textbook loop, on the same networks and batch: `python -m benchmarks.training`.

The textbook loop does what the most copied repositories do: each image goes through PIL in a DataLoader, float32 and
plain Adam, and the discriminator's gradients are computed in the generator's step and thrown away. Both take turns in
one process on random images of Fashion-MNIST's size. FLOPs are torch's count of what the trainer computes, beside those
that a product of two matrices reaches in its precision. Needs torch, numpy and Pillow alone.

With `ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 MKL_ENABLE_INSTRUCTIONS=AVX2` before it and `--precision float32`
behind it, a processor with AMX is one without.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, softplus
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import upsampling
from benchmarks.options import natural, positive
from mintage.conditioning.heads import HeadConfig, Score
from mintage.data import RealImages
from mintage.devices import choose_device, choose_precision
from mintage.engine import Engine
from mintage.families import resolve
from mintage.games.adversarial import Adversarial
from mintage.layers import average_into
from mintage.model_config import model_config
from mintage.networks.convolution import Double, Halve
from mintage.players import Discriminator, build_players
from mintage.recipes import Recipe, condition_of
from mintage.trainer import Trainer
from stages.common.errors import run_stage
from stages.common.stage import parser_of

BATCH, IMAGES, CLASSES, LATENT = 64, 60_000, 10, 100
Turn = Callable[[], object]
Rate = tuple[float, float]
"""Images a second by the clock and by CPU time, which other programs disturb less."""
EDGE = 2048
"""Rows and columns of the matrices that measure the peak."""


@dataclass(frozen=True)
class Case:
    name: str
    family: str
    overrides: dict[str, Any]
    side: int
    """Height and width to which the images of 28x28 are resized."""
    upsampling: bool = False
    """Whether its networks are those of `benchmarks/upsampling.py`."""

    def players(self, device: torch.device) -> tuple[Any, Any]:
        config = model_config(resolve(self.family, self.overrides), (1, self.side, self.side), self.classes)
        generator, discriminator = build_players(config, seed=0)
        if self.upsampling:
            generator.network, discriminator.network = upsampling.Generator(LATENT), upsampling.Discriminator()
            discriminator.head = Score(HeadConfig(discriminator.network.feature_size, config.condition, 0, 0))
        return generator.to(device), discriminator.to(device)

    @property
    def classes(self) -> list[str] | None:
        asks = condition_of(resolve(self.family, self.overrides)) == "label"
        return [str(label) for label in range(CLASSES)] if asks else None


CASES = [
    Case("cGAN, MLP, 28x28", "cgan", {"network": "mlp", "width": 256, "latent_size": LATENT}, 28),
    Case("cGAN, MLP, 32x32", "cgan", {"network": "mlp", "width": 256, "latent_size": LATENT}, 32),
    Case("DCGAN, 32x32", "dcgan", {"width": 64, "latent_size": LATENT}, 32),
    Case("DCGAN of PyTorch-GAN, 32x32", "dcgan", {"latent_size": LATENT}, 32, upsampling=True),
]


class OneByOne(Dataset[tuple[Tensor, int]]):
    """Images as PIL opens them, resized and normalized when they are asked for."""

    def __init__(self, images: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], side: int) -> None:
        self.images, self.labels, self.side = images, labels, side

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.images[index]).resize((self.side, self.side), Image.Resampling.BILINEAR)
        scaled = torch.from_numpy(np.array(image)).float().div(255).unsqueeze(0)
        return (scaled - 0.5) / 0.5, int(self.labels[index])


def plain(player: nn.Module) -> nn.Module:
    """The same network with torch's own convolutions, as usually written."""
    for layer in player.modules():
        if isinstance(layer, Halve):
            layer.__class__ = nn.Conv2d  # type: ignore[assignment]
        elif isinstance(layer, Double):
            layer.__class__ = nn.ConvTranspose2d  # type: ignore[assignment]
        elif type(layer) in upsampling.PLAIN:
            layer.__class__ = upsampling.PLAIN[type(layer)]
        elif isinstance(layer, Discriminator):
            layer.reads_apart = False
    return player


def textbook(case: Case, images: np.ndarray[Any, Any], classes: np.ndarray[Any, Any], device: torch.device) -> Turn:
    """One step of each player, as tutorials write it."""
    generator, discriminator = (plain(player) for player in case.players(device))
    optimizers = [
        torch.optim.Adam(player.parameters(), 2e-4, (0.5, 0.999), foreach=False)
        for player in (generator, discriminator)
    ]
    loader = DataLoader(OneByOne(images, classes, case.side), BATCH, shuffle=True, drop_last=True)

    def endless() -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from loader

    batches = endless()
    ones, zeros = torch.ones(BATCH, device=device), torch.zeros(BATCH, device=device)

    def turn() -> None:
        real, condition = (tensor.to(device) for tensor in next(batches))
        drawn = torch.randint(CLASSES, (BATCH,), device=device)
        labels = (condition, drawn) if case.classes else (None, None)
        optimizers[0].zero_grad()
        fake = generator(torch.randn(BATCH, LATENT, device=device), labels[1])
        generator_loss = binary_cross_entropy_with_logits(discriminator(fake, labels[1]).logit, ones)
        torch.autograd.backward(generator_loss)
        optimizers[0].step()
        optimizers[1].zero_grad()
        real_loss = binary_cross_entropy_with_logits(discriminator(real, labels[0]).logit, ones)
        fake_loss = binary_cross_entropy_with_logits(discriminator(fake.detach(), labels[1]).logit, zeros)
        discriminator_loss = (real_loss + fake_loss) / 2
        torch.autograd.backward(discriminator_loss)
        optimizers[1].step()
        generator_loss.item(), discriminator_loss.item()  # tutorials print these in each step

    return turn


def engine_of(case: Case, recipe: Recipe, device: torch.device, precision: torch.dtype) -> Engine:
    game = Adversarial(*case.players(torch.device("cpu")), recipe)
    return Engine(game, recipe, device, precision)


def ours(
    case: Case,
    images: np.ndarray[Any, Any],
    labels: np.ndarray[Any, Any],
    device: torch.device,
    precision: torch.dtype,
) -> Trainer:
    """The trainer of this project, on images that `normalize` has resized once."""
    recipe = resolve(case.family, case.overrides)
    sized = torch.from_numpy(images).unsqueeze(1).float()
    sized = nn.functional.interpolate(sized, (case.side, case.side), mode="bilinear") / 127.5 - 1
    condition = torch.from_numpy(labels) if case.classes else None
    engine = engine_of(case, recipe, device, precision)
    return Trainer(engine, RealImages(sized, condition, 0, device), BATCH, seed=0)


def networks_alone(case: Case, device: torch.device, precision: torch.dtype) -> Turn:
    """The same passes of the trainer's networks, optimizers and average over one batch, and nothing else."""
    recipe = resolve(case.family, case.overrides)
    engine = engine_of(case, recipe, device, precision)
    game = engine.game
    assert isinstance(game, Adversarial)
    generator, discriminator = game.generator, game.discriminator
    latents = torch.randn(BATCH, LATENT, device=device)
    real = torch.rand(BATCH, 1, case.side, case.side, device=device).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(CLASSES, (BATCH,), device=device) if case.classes else None

    def turn() -> None:
        with game.autocast:
            fake = generator(latents, labels)
        on_real, on_fake = game.judge((real, labels), (fake.detach(), labels))
        descend(softplus(-on_real.logit).mean() + softplus(on_fake.logit).mean(), engine.optimizers["discriminator"])
        discriminator.requires_grad_(False)
        (on_fake,) = game.judge((fake, labels))
        descend(softplus(-on_fake.logit).mean(), engine.optimizers["generator"])
        discriminator.requires_grad_(True)
        average_into(engine.averages["generator"], generator, 0.99)

    return turn


def descend(loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    optimizer.step()


def rates(turns: dict[str, Turn], device: torch.device, rounds: int, seconds: float) -> dict[str, list[Rate]]:
    """Images a second of each, measured in turns: `rounds` figures each."""
    found: dict[str, list[Rate]] = {name: [] for name in turns}
    for turn in turns.values():
        for _ in range(5):
            turn()
    for _ in range(rounds):
        for name, turn in turns.items():
            found[name].append(rate(turn, device, seconds))
    return found


def rate(turn: Turn, device: torch.device, seconds: float) -> Rate:
    start, busy, turns = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - start < seconds:
        turn()
        turns += 1
    wait_for(device)
    images = turns * BATCH
    return images / (time.perf_counter() - start), images / (time.process_time() - busy)


def flops(turn: Turn) -> float:
    """FLOPs of one image, as torch counts them."""
    with FlopCounterMode(display=False) as counter:
        turn()
    return float(counter.get_total_flops()) / BATCH


def peak(device: torch.device, precision: torch.dtype) -> float:
    """FLOPs a second of a product of two square matrices, the best of ten; on a CPU, by CPU time."""
    on_gpu = device.type == "cuda"
    edge, clock = (4 * EDGE, time.perf_counter) if on_gpu else (EDGE, time.process_time)
    matrix, best = torch.randn(edge, edge, device=device, dtype=precision), float("inf")
    for _ in range(10):
        wait_for(device)
        start = clock()
        matrix @ matrix
        wait_for(device)
        best = min(best, clock() - start)
    return 2 * edge**3 / best


def wait_for(device: torch.device) -> None:
    """Wait until a GPU has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def compiled(trainer: Trainer, mode: str) -> Turn:
    """The trainer with both players compiled; `reduce-overhead` records CUDA graphs."""
    trainer.game.generator.compile(mode=mode)
    trainer.game.discriminator.compile(mode=mode)
    return trainer.turn


def ratio(ours: list[Rate], others: list[Rate], clock: int) -> float:
    """The median ratio over rounds, since both figures of a round have the same noise. Clock 0 is wall, 1 CPU time."""
    return median(a[clock] / b[clock] for a, b in zip(ours, others, strict=True))


def main() -> None:
    parser = parser_of("benchmarks.training", __doc__)
    parser.add_argument("--rounds", type=natural, default=9)
    parser.add_argument("--seconds", type=positive, default=3.0, help="of each loop in each round")
    parser.add_argument("--threads", type=natural, help="CPU threads of both; a core each unless told")
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--compile", nargs="*", default=[], metavar="MODE", help="also compiled: default, reduce-overhead"
    )
    parser.add_argument("--precision", default="auto", help="of the trainer; the textbook loop has float32")
    parser.add_argument("--case", help="only those that have this in their name")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = choose_device(arguments.device)
    noise = np.random.default_rng(0)
    images = noise.integers(0, 256, (IMAGES, 28, 28), np.uint8)
    labels = noise.integers(0, CLASSES, IMAGES)
    print(f"{device}, {torch.get_num_threads()} threads, batch {BATCH}: images a second, medians of {arguments.rounds}")
    precision = choose_precision(arguments.precision, device)
    of_peak = peak(device, precision)
    print(f"{str(precision).removeprefix('torch.')}, a product of matrices reaches {of_peak / 1e9:,.0f} GFLOP/s")
    for case in CASES:
        if (arguments.case or "") not in case.name:
            continue
        turns: dict[str, Turn] = {
            "textbook loop": textbook(case, images, labels, device),
            "trainer": ours(case, images, labels, device, precision).turn,
            "networks alone": networks_alone(case, device, precision),
        }
        for mode in arguments.compile:
            turns[f"compiled, {mode}"] = compiled(ours(case, images, labels, device, precision), mode)
        found = rates(turns, device, arguments.rounds, arguments.seconds)
        print(case.name)
        print_rates(found, flops(turns["trainer"]), of_peak)


def print_rates(found: dict[str, list[Rate]], an_image: float, of_peak: float) -> None:
    """Print the figures of a case, whose trainer computes `an_image` FLOPs an image."""
    for name, figures in found.items():
        wall, busy = (ratio(figures, found["textbook loop"], clock) for clock in (0, 1))
        rates_of = [median(figure[clock] for figure in figures) for clock in (0, 1)]
        print(
            f"  {name:26} {rates_of[0]:9,.0f} by the clock, {wall:5.2f} times the textbook loop;"
            f" {rates_of[1]:9,.0f} a CPU second, {busy:5.2f} times"
        )
    reached = an_image * median(figure[1] for figure in found["trainer"])
    print(f"  the trainer computes {an_image / 1e6:,.0f} MFLOP an image, ", end="")
    print(f"{reached / 1e9:,.0f} GFLOP a CPU second: {reached / of_peak:.0%} of the product of matrices")
    outside = 1 - ratio(found["trainer"], found["networks alone"], clock=1)
    print(f"  share of the trainer's step outside networks, optimizers and average: {outside:.1%}")


if __name__ == "__main__":
    run_stage(main)
