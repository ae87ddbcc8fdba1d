"""Bars of one voice: at each step one pitch sounds, or none, until another note begins.

The convolutions are those of `midinet.py`. Their output for a step is not a threshold for each cell: it says whether a
note begins, and which. So a generated bar is as sharp as a real one, and no single step leaves a line by chance.
"""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import pad

from mintage.networks import midinet

WIDEST = 12
"""Widest interval, in semitones, that the discriminator gets as a feature; wider ones it sees only in the pitches."""


def chosen(logits: Tensor) -> Tensor:
    """The largest logit along the last axis as 1, the others as 0, with the gradient of the softmax.

    The straight-through estimator (Bengio et al. 2013, section 4; for piano rolls Dong and Yang 2018, section 3).
    """
    likely = logits.float().softmax(-1)
    largest = torch.zeros_like(likely).scatter(-1, likely.argmax(-1, keepdim=True), 1.0)
    return largest + (likely - likely.detach())


def melody(begins: Tensor, notes: Tensor) -> Tensor:
    """What sounds, `[N,T,P]` of 0 and 1, from logits: whether a note begins `[N,T,2]`, and which `[N,T,P+1]`.

    `begins[..., 0]` means that a note begins, `notes[..., -1]` a rest. In the first step a note always begins.
    """
    begin, note = chosen(begins)[..., :1], chosen(notes)
    steps = [note[:, 0]]
    for step in range(1, notes.shape[1]):
        steps.append(steps[-1] + begin[:, step] * (note[:, step] - steps[-1]))
    return torch.stack(steps, 1)[..., :-1]


def intervals(heard: Tensor) -> Tensor:
    """By how many semitones a voice `[...,T,P]` moves at each step, from an octave down to one up: `[...,T,25]`.

    Values are 0 and 1; the middle place means that the voice stays. All are 0 in the first step, beside rests and
    where the voice moves further.
    """
    before = pad(heard, (0, 0, 1, -1))
    around = pad(heard, (WIDEST, WIDEST)).unfold(-1, heard.shape[-1], 1)
    return (around @ before[..., None])[..., 0]


class Voice(midinet.Cells):
    """Each step's logits `[N, C (P + 3), T]` to a bar `[N,C,T,P]` of -1 and 1, one voice in each channel."""

    def __init__(self, pitches: int) -> None:
        super().__init__(pitches)
        self.parts = [2, pitches + 1]
        self.channels = sum(self.parts)

    def forward(self, said: Tensor) -> Tensor:
        by_voice = midinet.by_step(said.float(), self.channels)
        heard = melody(*torch.split(by_voice.flatten(0, 1), self.parts, -1))
        return 2 * heard.reshape(*by_voice.shape[:3], self.pitches) - 1


class Generator(midinet.Generator):
    reads = Voice


class Discriminator(midinet.Discriminator):
    """It also gets the intervals: a melody is the same one at whatever pitch it begins."""

    extra = 2 * WIDEST + 1

    def describe(self, image: Tensor) -> Tensor:
        return torch.cat([image, 2 * intervals((image + 1) / 2) - 1], -1)


class Following(midinet.Following):
    reads = Voice


class JudgeOfBoth(Discriminator, midinet.JudgeOfBoth):
    """It also gets the intervals of both bars."""


NETWORK = replace(midinet.NETWORK, generator=Generator, discriminator=Discriminator)
FOLLOWING = replace(midinet.FOLLOWING, generator=Following, discriminator=JudgeOfBoth)
