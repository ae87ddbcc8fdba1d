"""Bars of one voice: at each step one pitch sounds, or none, and goes on until another note begins.

The convolutions are those of `midinet.py`. What they say of a step is not cut at a threshold, cell by cell, but read as
a melody is written: whether a note begins, and which. So a generated bar is as sharp as a real one, and no single step
falls out of a line by chance.
"""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import pad

from mintage.networks import midinet

WIDEST = 12
"""Semitones of an interval that the discriminator is told; wider ones it sees in the pitches alone."""


def chosen(logits: Tensor) -> Tensor:
    """The largest along the last axis as 1, the others as 0; its gradient is that of the softmax.

    The straight-through estimator (Bengio et al. 2013, section 4; of piano rolls Dong and Yang 2018, section 3).
    """
    likely = logits.float().softmax(-1)
    largest = torch.zeros_like(likely).scatter(-1, likely.argmax(-1, keepdim=True), 1.0)
    return largest + (likely - likely.detach())


def melody(begins: Tensor, pitches: Tensor, moves: Tensor) -> Tensor:
    """What sounds, `[N,T,P]` of 0 and 1, of logits for each step.

    Whether a note begins `[N,T,2]` (the first of the two is that it does), at which pitch `[N,T,P+1]` (the last is a
    rest), and by which interval `[N,T,25]` from the note before: the logits of both are added. In the first step a note
    always begins, at a pitch alone.
    """
    begin = chosen(begins)[..., :1]
    steps = [chosen(pitches[:, 0])]
    for step in range(1, pitches.shape[1]):
        before = steps[-1][:, :-1]
        moved = (windows(before) @ moves[:, step, :, None])[..., 0]
        note = chosen(pitches[:, step] + pad(moved, (0, 1)))
        steps.append(steps[-1] + begin[:, step] * (note - steps[-1]))
    return torch.stack(steps, 1)[..., :-1]


def windows(heard: Tensor) -> Tensor:
    """Of what sounds `[...,P]` for each pitch what lies an octave above it to one below, `[...,P,25]`.

    At pitch p and place k it is that of p - k + 12: the pitch from which an interval of k - 12 leads to p.
    """
    return pad(heard, (WIDEST, WIDEST)).unfold(-1, 2 * WIDEST + 1, 1).flip(-1)


def intervals(heard: Tensor) -> Tensor:
    """By how many semitones the voice moves at each step, from an octave down to one up: `[...,T,25]` of 0 and 1.

    Of what sounds, `[...,T,P]`; the middle is that it stays. All are 0 in the first step, beside rests and where it
    moves further.
    """
    before = pad(heard, (0, 0, 1, -1))
    return (heard[..., None, :] @ windows(before))[..., 0, :]


class Voice(midinet.Cells):
    """What is said of each step, `[N, C (P + 28), T]`, to a bar `[N,C,T,P]` of -1 and 1, one voice in each channel."""

    def __init__(self, pitches: int) -> None:
        super().__init__(pitches)
        self.parts = [2, pitches + 1, 2 * WIDEST + 1]
        self.channels = sum(self.parts)

    def forward(self, said: Tensor) -> Tensor:
        by_voice = midinet.by_step(said.float(), self.channels)
        heard = melody(*torch.split(by_voice.flatten(0, 1), self.parts, -1))
        return 2 * heard.reshape(*by_voice.shape[:3], self.pitches) - 1


class Generator(midinet.Generator):
    reads = Voice


class Following(midinet.Following):
    reads = Voice


class Discriminator(midinet.Discriminator):
    """It is told the intervals, too: a melody is the same one wherever it begins."""

    beside = 2 * WIDEST + 1

    def told(self, image: Tensor) -> Tensor:
        return torch.cat([image, 2 * intervals((image + 1) / 2) - 1], -1)


class JudgeOfBoth(midinet.JudgeOfBoth, Discriminator):
    pass


NETWORK = replace(midinet.NETWORK, generator=Generator, discriminator=Discriminator)
FOLLOWING = replace(midinet.FOLLOWING, generator=Following, discriminator=JudgeOfBoth)
