"""The next frames of two moving digits, beside the last one as it was: `python -m benchmarks.frames MNIST [OPTIONS]`.

MNIST is a folder with its four IDX files. Digits of half their size move over 32x32 pixels by whole pixels a frame and
turn back at the walls, so what follows is known exactly; where two overlap, the brighter one is seen. A model is given
four frames and goes on by itself for five. Each variant learns for so many CPU seconds, in one thread; digits of
MNIST's test set never train. Prints a table a seed, and writes a sheet.
"""

import json
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.domains import of_mnist
from benchmarks.options import natural, positive
from benchmarks.shared import CPU, learn, png_of
from mintage.frames import next_frames
from mintage.metrics.pairs import psnr, ssim
from mintage.model import Model
from mintage.randomness import integers, stream
from mintage.training import make_trainer
from stages.common.errors import run_stage
from stages.common.stage import parser_of

SIDE, SIZE, PAST, STEPS, FASTEST = 32, 14, 4, 5, 3
NEVER = 1e12
VARIANTS = {"game": {}, "pixels alone": {"pretrain_images": NEVER}}
SHOWN = 4


def main() -> None:
    parser = parser_of("benchmarks.frames", __doc__)
    parser.add_argument("mnist", type=Path)
    parser.add_argument("--seconds", type=positive, default=300, help="CPU seconds of training a run")
    parser.add_argument("--seeds", type=natural, default=1)
    parser.add_argument("--videos", type=natural, default=10_000)
    parser.add_argument("--recipe", type=json.loads, default={"width": 16}, help="as JSON")
    parser.add_argument("--sheet", type=Path, default=Path("frames.png"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    train, held = (
        moving_digits(of_mnist(asked.mnist, part, slice(None), SIZE)[0], videos, frames, seed)
        for seed, (part, videos, frames) in enumerate([("train", asked.videos, PAST + 2), ("t10k", 500, PAST + STEPS)])
    )
    past, truth = held[:, :PAST], held[:, PAST:]
    print_row("last frame", past[:, -1:].expand_as(truth), truth)
    rows = [held[:SHOWN]]
    for seed in range(asked.seeds):
        for name, changes in VARIANTS.items():
            model = trained(train, asked.recipe | changes, seed, asked.seconds)
            made = model.predict(past, STEPS)
            print_row(f"{name}, seed {seed}", made, truth)
            if seed == 0:
                rows.append(torch.cat([past, made], dim=1)[:SHOWN])
    asked.sheet.write_bytes(sheet(rows))


def moving_digits(digits: Tensor, videos: int, frames: int, seed: int) -> Tensor:
    """`[videos,frames,1,SIDE,SIDE]` in [-1,1]: two of the digits `[N,1,h,w]` each."""
    random = stream(seed, "benchmark/frames")
    room = SIDE - digits.shape[-1]
    chosen = integers(0, len(digits), (videos, 2), random)
    start = integers(0, room + 1, (videos, 2, 2), random)
    speed = integers(-FASTEST, FASTEST + 1, (videos, 2, 2), random)
    canvas = torch.full((videos, frames, 1, SIDE, SIDE), -1.0)
    for frame in range(frames):
        places = bounced(start + frame * speed, room)
        for video in range(videos):
            for one in range(2):
                top, left = places[video, one].tolist()
                part = canvas[video, frame, :, top : SIDE - room + top, left : SIDE - room + left]
                torch.maximum(part, digits[chosen[video, one]], out=part)
    return canvas


def bounced(places: Tensor, room: int) -> Tensor:
    """Places of something that bounces back from walls at 0 and `room`."""
    there = places.remainder(2 * room)
    return torch.minimum(there, 2 * room - there)


def trained(videos: Tensor, recipe: dict[str, object], seed: int, seconds: float) -> Model:
    data = next_frames(videos, PAST)
    trainer = learn(make_trainer(data, "next_frame", recipe, seed, device=CPU, precision="auto"), seconds)
    trainer.check()
    print(f"{trainer.images_seen:,} frames in {seconds:g} CPU seconds", flush=True)
    return Model(trainer.average)


def print_row(name: str, made: Tensor, truth: Tensor) -> None:
    """Print a row: PSNR of each step, then SSIM and sharpness over all steps."""
    flat = made.flatten(0, 1), truth.flatten(0, 1)
    steps = [f"{psnr(made[:, step], truth[:, step]).mean().item():.2f}" for step in range(STEPS)]
    sharpness = (edges(flat[0]) / edges(flat[1])).item()
    print(f"| {name} | {' | '.join(steps)} | {ssim(*flat).mean().item():.3f} | {sharpness:.2f} |", flush=True)


def edges(frames: Tensor) -> Tensor:
    """The mean slope of pixels, which is lower for blurred frames."""
    return frames.diff(dim=2).abs().mean() + frames.diff(dim=3).abs().mean()


def sheet(rows: list[Tensor]) -> bytes:
    """For each video the truth, then each variant's frames: four given frames, then five generated ones."""
    return png_of([kind[video] for video in range(SHOWN) for kind in rows], PAST + STEPS, scale=2)


if __name__ == "__main__":
    run_stage(main)
