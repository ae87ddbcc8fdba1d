"""Sequences, written word by word (Yu et al. 2017): an LSTM that writes, and convolutions that judge.

A sequence's vector has one number for each word, and the number chooses the word: the one whose interval of the
cumulative probabilities contains it. So a sequence is a function of its vector, as an image is.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, relu

from mintage.layers import Layers
from mintage.networks import Network
from mintage.networks.parts import Shape
from mintage.tokens import as_samples, as_tokens

State = tuple[Tensor, Tensor]
"""An LSTM's output and cell, `[M,width]` each."""
_WIDTHS = (1, 2, 3, 4, 6, 8, 12, 16, 20)
"""Widths of the filters, in words; those longer than the sequence are left out."""


class Generator(nn.Module):
    """A vector `[N,T]`, uniform on [-1,1], to a sequence of T words, as a sample of the given shape in [-1,1]."""

    def __init__(self, vector_size: int, image_shape: Shape, width: int, kit: Layers, words: int) -> None:
        super().__init__()
        self.image_shape, self.words = image_shape, words
        self.embedding = nn.Embedding(words + 1, width)
        """The last row stands for the word before the first."""
        self.memory = nn.LSTMCell(width, width)
        self.output = nn.Linear(width, words)

    def forward(self, vector: Tensor, modulation: Tensor | None = None, plane: Tensor | None = None) -> Tensor:
        token, state = self.begin(len(vector))
        tokens: list[Tensor] = []
        for draw in vector.unbind(1):
            log_likely, state = self.step(token, state)
            token = draw_words(log_likely, (draw + 1) / 2)
            tokens.append(token)
        return as_samples(torch.stack(tokens, 1), self.words).reshape(-1, *self.image_shape)

    def begin(self, count: int) -> tuple[Tensor, State]:
        """The token `[count]` that stands for the word before the first, and the LSTM's first state."""
        weight = self.output.weight
        blank = weight.new_zeros(count, weight.shape[1])
        return torch.full((count,), self.words, device=weight.device), (blank, blank)

    def step(self, token: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one token of each sequence, `[M]`: the next word's log probabilities `[M,V]`, and the new state."""
        state = self.memory(self.embedding(token), state)
        return log_softmax(self.output(state[0]), 1), state

    def steps(self, tokens: Tensor) -> Iterator[tuple[Tensor, State]]:
        """What `step` returns for each place of sequences `[N,T]`, after it has read the words before that place."""
        before, state = self.begin(len(tokens))
        for token in tokens.unbind(1):
            log_likely, state = self.step(before, state)
            yield log_likely, state
            before = token

    def log_likelihood(self, tokens: Tensor) -> Tensor:
        """The log probability of each word of sequences `[N,T]`, given the words before it: `[N,T]`, in nats."""
        likely = torch.stack([log_likely for log_likely, _ in self.steps(tokens)], 1)
        return likely.gather(2, tokens[..., None]).squeeze(2)


def draw_words(log_likely: Tensor, places: Tensor) -> Tensor:
    """The words `[M]` whose intervals of the cumulative probabilities `[M,V]` contain `places` `[M]`, in [0,1)."""
    reached = log_likely.exp().cumsum(1)
    passed = reached <= places[:, None].to(reached)  # counted, since ONNX has no searchsorted
    return passed.sum(1).clamp(max=log_likely.shape[1] - 1)


class Discriminator(nn.Module):
    """A sequence, as a sample, to features `[N, feature_size]`: the maximum over places of filters of several widths.

    Then a highway layer, and dropout if the recipe has it, as in the authors' code.
    """

    def __init__(self, image_shape: Shape, width: int, kit: Layers, words: int) -> None:
        super().__init__()
        self.words = words
        length = math.prod(image_shape)
        self.embedding = nn.Embedding(words, width)
        self.filters = nn.ModuleList(nn.Conv1d(width, width, size) for size in _WIDTHS if size <= length)
        self.feature_size = width * len(self.filters)
        self.turned = nn.Linear(self.feature_size, self.feature_size)
        self.gate = nn.Linear(self.feature_size, self.feature_size)
        self.dropout = nn.Dropout(kit.dropout) if kit.dropout else nn.Identity()

    def forward(self, image: Tensor) -> Tensor:
        shown = self.embedding(as_tokens(image, self.words)).transpose(1, 2)
        most = torch.cat([relu(layer(shown)).amax(2) for layer in self.filters], 1)
        gate = self.gate(most).sigmoid()
        return self.dropout(gate * relu(self.turned(most)) + (1 - gate) * most)


NETWORK = Network(Generator, Discriminator, ("none", "none"), has_maps=False, has_norms=False, plain=True, writes=True)
