"""The discriminator's output: features `[M,F]` to a judgment, with the class or the code if it predicts them."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from mintage.conditioning.embedding import QUIET, Condition

_CODE_HIDDEN = 128


@dataclass(frozen=True)
class Judgment:
    """A discriminator's output for a batch of N images: M judgments, in the order of the images.

    M is N; N / m if m images are packed together; N P if P patches are judged each by itself.
    """

    logit: Tensor
    """`[M]`; higher is more real. sigmoid(logit) is a probability if `Objective.probability`."""
    features: Tensor
    """`[M, F]`, before the last layer."""
    class_logits: Tensor | None = None
    """`[M, classes]`, or `[M, attributes]`."""
    code: Tensor | None = None
    """`[M, categories + continuous]`: logits, then means."""

    def split(self, parts: int) -> list["Judgment"]:
        """The judgments of each of `parts` equally large batches that were judged in one pass."""
        values = (self.logit, self.features, self.class_logits, self.code)
        pieces = [[None] * parts if value is None else value.chunk(parts) for value in values]
        return [Judgment(*of_batch) for of_batch in zip(*pieces, strict=True)]


@dataclass(frozen=True)
class HeadConfig:
    """What decides the shapes of a head."""

    features: int
    condition: Condition
    categories: int
    continuous: int


class Score(nn.Module):
    """One number for an image; the label plays no part here."""

    column: str | None = None
    """The column of its auxiliary loss in train.tsv; None if it has no such loss."""
    labeled_batch = False
    """Whether it learns classes from a separate batch of labeled images."""
    batch_norm = False
    """Whether its output for an image depends on the other images in the same pass."""

    def __init__(self, config: HeadConfig) -> None:
        super().__init__()
        self.config = config
        self.output = nn.Linear(config.features, 1)

    def forward(self, features: Tensor, label: Tensor | None) -> Judgment:
        return Judgment(self.output(features).squeeze(1).float(), features)

    def loss_on_real(self, real: Judgment, label: Tensor | None) -> Tensor | None:
        """Its auxiliary loss on real images and their labels; None if it has none."""
        return None

    def loss_on_fake(self, fake: Judgment, label: Tensor | None, code: Tensor | None) -> Tensor | None:
        """Its auxiliary loss on fakes, which the generator descends as well; None if it has none."""
        return None


class Projection(Score):
    """Score + <embedding of the label, features> (Miyato and Koyama 2018, equation 4)."""

    def __init__(self, config: HeadConfig) -> None:
        super().__init__(config)
        self.embedding = config.condition.embedding(QUIET, config.features)

    def forward(self, features: Tensor, label: Tensor | None) -> Judgment:
        score = super().forward(features, label)
        match = (self.embedding(label) * features.float()).sum(1)
        return Judgment(score.logit + match, features)


class Auxiliary(Score):
    """It also predicts the class or the attributes, of real and of fake images (Odena et al. 2017)."""

    column = "class_loss"

    def __init__(self, config: HeadConfig) -> None:
        super().__init__(config)
        self.classify = nn.Linear(config.features, config.condition.size)

    def forward(self, features: Tensor, label: Tensor | None) -> Judgment:
        return replace(super().forward(features, label), class_logits=self.classify(features).float())

    def loss_on_real(self, real: Judgment, label: Tensor | None) -> Tensor | None:
        assert real.class_logits is not None
        assert label is not None
        return self.config.condition.loss(real.class_logits, label)

    def loss_on_fake(self, fake: Judgment, label: Tensor | None, code: Tensor | None) -> Tensor | None:
        return self.loss_on_real(fake, label)


class SemiSupervised(Score):
    """K classes and `fake` in one softmax, the logit of `fake` held at 0 (Salimans et al. 2016, section 5).

    Then D(x) = Z / (Z + 1) with Z = sum exp(class logits), so the game's logit is log Z. Classes are learned from a
    separate batch of labeled images in each step, as in the authors' code.
    """

    column = "class_loss"
    labeled_batch = True

    def __init__(self, config: HeadConfig) -> None:
        super().__init__(config)
        self.output = nn.Linear(config.features, config.condition.size)

    def forward(self, features: Tensor, label: Tensor | None) -> Judgment:
        class_logits = self.output(features).float()
        return Judgment(class_logits.logsumexp(1), features, class_logits=class_logits)

    def loss_on_real(self, real: Judgment, label: Tensor | None) -> Tensor | None:
        assert real.class_logits is not None
        assert label is not None
        return cross_entropy(real.class_logits, label)


class Origin(Score):
    """Three classes in one softmax: made from the other domain, made from its own, and real (Taigman et al. 2017, 4).

    The game's logit is log p / (1 - p), with p the probability of real; `class_logits` `[M,3]` are in this order.
    """

    def __init__(self, config: HeadConfig) -> None:
        super().__init__(config)
        self.output = nn.Linear(config.features, 3)

    def forward(self, features: Tensor, label: Tensor | None) -> Judgment:
        kinds = self.output(features).float()
        return Judgment(kinds[:, 2] - kinds[:, :2].logsumexp(1), features, class_logits=kinds)


class InformationCode(Score):
    """It predicts the code from which an image was made: categories, and continuous values as means of unit Gaussians.

    Its loss bounds the mutual information of code and image (Chen et al. 2016, equation 5). As in the authors' code,
    both parts have the same weight, and its hidden layer has batch norm.
    """

    column = "code_loss"
    batch_norm = True

    def __init__(self, config: HeadConfig) -> None:
        super().__init__(config)
        size = config.categories + config.continuous
        self.read = nn.Sequential(
            nn.Linear(config.features, _CODE_HIDDEN, bias=False),
            nn.BatchNorm1d(_CODE_HIDDEN, track_running_stats=False),
            nn.LeakyReLU(0.1),
            nn.Linear(_CODE_HIDDEN, size),
        )

    def forward(self, features: Tensor, label: Tensor | None) -> Judgment:
        return replace(super().forward(features, label), code=self.read(features).float())

    def loss_on_fake(self, fake: Judgment, label: Tensor | None, code: Tensor | None) -> Tensor | None:
        assert fake.code is not None
        assert code is not None
        numbers = self.config.categories  # the continuous values follow the categories
        losses = [(fake.code - code)[:, numbers:].square().sum(1).mean() / 2]
        if self.config.categories:
            losses.append(cross_entropy(fake.code[:, :numbers], code[:, :numbers]))
        return torch.stack(losses).sum()
