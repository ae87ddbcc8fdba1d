"""The evaluator of sequences of words: an LSTM that learns to predict each word, by likelihood alone.

Its features are its state, as a mean over the words, so they depend on the words' order. docs/sequences.md measures how
clearly they distinguish bad sequences from real ones.
"""

import torch
from torch import Tensor, nn

from mintage.evaluator import Evaluator, EvaluatorConfig
from mintage.layers import Layers
from mintage.networks.recurrent import Generator as Writer
from mintage.tokens import as_tokens


class Language(Evaluator):
    """Sequences, as samples `[N,C,*S]`, to features `[N,F]`, and to the log likelihood `[N,T]` of each of T words."""

    def __init__(self, config: EvaluatorConfig) -> None:
        nn.Module.__init__(self)
        self.config = config
        self.writer = Writer(0, config.image_shape, config.features, Layers("none"), config.words)
        self.scale = nn.BatchNorm1d(config.features, affine=False)

    def features(self, images: Tensor) -> Tensor:
        return self._read(images)[0]

    def forward(self, images: Tensor) -> Tensor:
        return self._read(images)[1]

    def own_loss(self, images: Tensor, answer: Tensor) -> Tensor:
        return -answer.mean()

    def _read(self, images: Tensor) -> tuple[Tensor, Tensor]:
        tokens = as_tokens(images, self.config.words)
        token, state = self.writer.begin(len(tokens))
        likely, remembered = [], []
        for word in tokens.unbind(1):
            of_all, state = self.writer.step(token, state)
            likely.append(of_all.gather(1, word[:, None]))
            token = word
            remembered.append(state[0])
        _, state = self.writer.step(token, state)  # the state after the last word
        features: Tensor = self.scale(torch.stack([*remembered[1:], state[0]]).mean(0))
        return features, torch.cat(likely, 1)
