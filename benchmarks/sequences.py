"""Words by a game beside words by likelihood alone: `python -m benchmarks.sequences` writes the table
at the end of docs/sequences.md; with `--judges` it prints how clearly figures tell bad sequences from real ones.

The truth is an LSTM with random weights (Yu et al. 2017, section 4): it writes the data, and says how likely it finds
what a model writes. Vocabulary and roll-outs are of a CPU (the paper's: 5,000 and 16). Each run is measured whenever
so many sequences were seen; one that is done is a line of `runs.jsonl`, and is not done again.
"""

import json
import time
from argparse import Namespace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.options import natural
from benchmarks.shared import CPU, Log, Row, fill, judge_of
from mintage.evaluator import features_of
from mintage.layers import Layers
from mintage.metrics.frechet import frechet_distance
from mintage.metrics.sequences import bleu, counted_surprise, self_bleu
from mintage.model import Model
from mintage.networks.recurrent import Generator as Writer
from mintage.randomness import stream, uniform
from mintage.tokens import as_samples, as_tokens, sequences
from mintage.training import make_trainer
from stages.common.errors import run_stage
from stages.common.stage import parser_of, progress_bar
from stages.media.grammar import draw_sentence
from stages.sources.sentences import MEDIUM as SENTENCES

WORDS, LENGTH, WIDTH = 100, 20, 32
TRAIN, HELD, COMPARED = 10_000, 2_000, 1_000
VOCABULARY = [str(word) for word in range(WORDS)]
VARIANTS: dict[str, dict[str, Any]] = {"likelihood": {"pretrain_images": 1e12, "decay_images": 0.0}, "game": {}}
PAGE = Path("docs/sequences.md")
TABLE = "<!-- the table that benchmarks/sequences.py writes -->"


class Oracle:
    """The true distribution: it writes sequences, and computes their likelihood."""

    def __init__(self, seed: int) -> None:
        self.network = Writer(LENGTH, (1, 1, LENGTH), WIDTH, Layers("none"), WORDS)
        random = stream(seed, "benchmark/oracle")
        for weight in self.network.parameters():
            weight.data = torch.randn(weight.shape, generator=random)

    @torch.inference_mode()
    def write(self, count: int, seed: int) -> Tensor:
        """Random sequences, as tokens `[count,T]`."""
        vector = uniform((count, LENGTH), stream(seed, "benchmark/words")) * 2 - 1
        return as_tokens(self.network(vector), WORDS)

    @torch.inference_mode()
    def surprise(self, tokens: Tensor) -> float:
        """Minus the mean log likelihood of a word."""
        return -self.network.log_likelihood(tokens).mean().item()

    def judge(self, tokens: Tensor) -> Row:
        return {"oracle": self.surprise(tokens), "self_bleu": self_bleu(tokens[:COMPARED])}


class Bench:
    """The oracle, its data, and a log of finished runs."""

    def __init__(self, asked: Namespace) -> None:
        self.asked, self.log = asked, Log(asked.out)
        self.oracle = Oracle(0)
        self.train = sequences(self.oracle.write(TRAIN, 0), VOCABULARY)
        self.held = sequences(self.oracle.write(HELD, 1), VOCABULARY)

    def done(self) -> list[Row]:
        return [row for row in self.log.rows() if row["budget"] == self.asked.sequences]

    def run(self, variant: str, seed: int) -> None:
        recipe = self.asked.recipe | VARIANTS[variant]
        trainer = make_trainer(self.train, "seqgan", recipe, seed, device=CPU, precision="float32")
        found: list[Row] = []
        start = time.process_time()
        with progress_bar(f"{variant}, seed {seed}", self.asked.sequences, "seq") as bar:
            while trainer.images_seen < self.asked.sequences:
                trainer.turn()
                bar.update(trainer.turn_images)
                if trainer.passed(self.asked.every):
                    found.append({"seconds": time.process_time() - start, **self.measure(trainer.average, seed)})
                    found[-1]["sequences"] = trainer.images_seen
        trainer.check()
        self.log.keep({"budget": self.asked.sequences, "variant": variant, "seed": seed, "measured": found})

    def measure(self, generator: Any, seed: int) -> Row:
        model = Model(generator)
        own = -model.log_likelihood(self.held).mean().item()
        return self.oracle.judge(model.write(HELD, seed)) | {"held": own}

    def table(self) -> str:
        """The figures of all runs of this budget."""
        rows = self.done()
        kinds = [variant for variant in VARIANTS if any(row["variant"] == variant for row in rows)]
        of = {kind: [row for row in rows if row["variant"] == kind] for kind in kinds}
        counts = [one["sequences"] for one in of[kinds[0]][0]["measured"]]
        lines = [f"With {self.asked.recipe.get('roll_outs', 4)} roll-outs a beginning:", ""]
        lines += [f"| sequences seen | {' | '.join(f'{kind}: oracle, held out, self-BLEU' for kind in kinds)} |"]
        lines += [f"| --- {'| --- ' * len(kinds)}|"]
        for number, count in enumerate(counts):
            cells = [_cell([row["measured"][number] for row in of[kind]]) for kind in kinds]
            lines.append(f"| {count:,} | {' | '.join(cells)} |")
        truth = self.oracle.judge(as_tokens(self.held.image, WORDS))
        chance = self.oracle.judge(torch.randint(WORDS, (HELD, LENGTH), generator=stream(0, "benchmark/chance")))
        lines.append(f"| the oracle itself | {truth['oracle']:.3f}, self-BLEU {truth['self_bleu']:.3f} | |")
        lines.append(f"| words at random | {chance['oracle']:.3f}, self-BLEU {chance['self_bleu']:.3f} | |")
        return "\n".join([*lines, "", _verdict(of)])


def _cell(measured: list[Row]) -> str:
    return ", ".join(f"{mean(row[name] for row in measured):.3f}" for name in ("oracle", "held", "self_bleu"))


def _verdict(of: dict[str, list[Row]]) -> str:
    """A sentence with the winner, by the oracle's figure of each at its best."""
    if len(of) < len(VARIANTS):
        return ""
    best = {kind: mean(min(one["oracle"] for one in row["measured"]) for row in rows) for kind, rows in of.items()}
    winner = min(best, key=lambda kind: best[kind])
    seeds = min(map(len, of.values()))
    return (
        f"By the oracle **{winner} wins**, each at its best: the game {best['game']:.3f}, likelihood "
        f"{best['likelihood']:.3f}; {seeds} seed{'s' * (seeds > 1)}."
    )


def bad(real: Tensor, words: int) -> dict[str, Tensor]:
    """Sequences `[N,T]` by the way in which they are bad, with real ones first."""
    random = stream(0, "benchmark/bad")
    elsewhere = torch.stack([row[torch.randperm(len(row), generator=random)] for row in real])
    chance = torch.randint(words, real.shape, generator=random)

    def exchanged(share: float) -> Tensor:
        return torch.where(torch.rand(real.shape, generator=random) < share, chance, real)

    return {
        "real": real,
        "one word in twenty at random": exchanged(0.05),
        "one word in five at random": exchanged(0.2),
        "their words in another order": elsewhere,
        "words at random": chance,
        "twenty sequences over and over": real[torch.arange(len(real)) % 20],
    }


def judges(train: Tensor, held: Tensor, words: int, end: int | None) -> list[str]:
    """Rows of a table: the figures of bad sequences beside those of equally many real ones."""
    judge = judge_of(sequences(train, [str(word) for word in range(words)]))
    of_held = features_of(judge, as_samples(held, words))
    rows = []
    for name, tokens in bad(train[: len(held)], words).items():
        distance = frechet_distance(of_held, features_of(judge, as_samples(tokens, words)))
        figures = (
            distance,
            counted_surprise(held, tokens, words, end),
            bleu(tokens, held, end),
            self_bleu(tokens, end),
        )
        rows.append(f"| {name} | {' | '.join(f'{figure:.3f}' for figure in figures)} |")
    return rows


def print_judges() -> None:
    """Print the tables for the oracle's sequences, and for sentences of the grammar."""
    oracle = Oracle(0)
    random, number = np.random.default_rng(0), SENTENCES.vocabulary.index
    drawn = ([number(word) for word in draw_sentence(random)] for _ in range(TRAIN))
    of_grammar = torch.tensor([line + [0] * (SENTENCES.length - len(line)) for line in drawn])
    data = {
        "the oracle's": (oracle.write(TRAIN, 0), oracle.write(HELD, 1), WORDS, None),
        "sentences": (of_grammar[HELD:], of_grammar[:HELD], len(SENTENCES.vocabulary), 0),
    }
    for name, given in data.items():
        print(
            f"| {name} | Frechet distance | surprise by counts | BLEU-3 | self-BLEU |\n| --- | --- | --- | --- | --- |"
        )
        print("\n".join(judges(*given)), end="\n\n")


def main() -> None:
    parser = parser_of("benchmarks.sequences", __doc__)
    parser.add_argument("--sequences", type=natural, default=300_000, help="that each run sees")
    parser.add_argument("--every", type=natural, default=50_000, help="sequences from one measurement to the next")
    parser.add_argument("--seeds", type=natural, default=1)
    parser.add_argument("--recipe", type=json.loads, default={}, help="changes to the row seqgan, as JSON")
    parser.add_argument("--out", type=Path, default=Path(".sequences"), help="where runs.jsonl is")
    parser.add_argument("--judges", action="store_true", help="print how clearly figures tell bad sequences, and end")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    if asked.judges:
        print_judges()
        return
    bench = Bench(asked)
    done = {(row["variant"], row["seed"]) for row in bench.done()}
    for seed in range(asked.seeds):
        for variant in VARIANTS:
            if (variant, seed) not in done:
                bench.run(variant, seed)
                fill(PAGE, TABLE, bench.table())


if __name__ == "__main__":
    run_stage(main)
