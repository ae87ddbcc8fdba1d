"""`measure`: how good a model's images are, each figure beside what real images reach."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from mintage.arguments import checked
from mintage.data import RealImages
from mintage.dataset import Dataset
from mintage.devices import choose_device, thread_count
from mintage.evaluator import Evaluator, EvaluatorConfig, classify, features_of
from mintage.learning import Schedule, train_evaluator
from mintage.metrics import number, percent
from mintage.metrics.classifier_score import SPLITS
from mintage.metrics.kernel import FEWEST_ROWS
from mintage.metrics.pairs import absolute_error, luminance_correlation
from mintage.metrics.sequences import bleu, copies, counted_surprise, self_bleu
from mintage.metrics.voxels import shape_figures
from mintage.model import Model
from mintage.nearest import nearest
from mintage.observation import Observation, accuracy_of, condition_of, figures_beside, observe, rounded
from mintage.paired_figures import figures_of_reconstructions, translation_figures
from mintage.players import Generator
from mintage.randomness import stream
from mintage.sampling import asked_labels, asked_rows, rows_with, samples
from mintage.sources import untouched, with_attributes
from mintage.tokens import as_samples, as_tokens, end_of

_FEATURES, _BATCH, _RATE = 64, 128, 2e-3
_FEWEST = max(FEWEST_ROWS, SPLITS, 6)
_SOURCES, _FIRST = "sources themselves", "first stage, enlarged"
"""What baselines are of."""
SHARES = (
    *("precision", "recall", "coverage", "conditional_accuracy", "attribute_accuracy"),
    *("retrieval", "reconstruction_retrieval", "shape_coverage", "neighbor_accuracy", "largest_part"),
    *("bleu", "self_bleu", "copies"),
)
"""Figures that are printed in percent."""


@dataclass(frozen=True)
class Figure:
    """A measured value, and what real images reach against the same held-out ones."""

    value: float
    floor: float
    baseline: float | None = None
    """What is reached without what the model adds: one no better does nothing. None for figures without a baseline."""
    baseline_of: str | None = None
    """What reaches the baseline, in words; None where there is no baseline."""

    def __str__(self) -> str:
        return self.text(_measured)

    def text(self, form: Callable[[float], str]) -> str:
        """All its numbers in one form, such as `mintage.metrics.percent`."""
        beside = "" if self.baseline is None else f"; {self.baseline_of}: {form(self.baseline)}"
        return f"{form(self.value)} (real images: {form(self.floor)}{beside})"


def _measured(value: float) -> str:
    return number(value, counted=False)


class Figures(dict[str, Figure]):
    """Figures by name; printed, each is on a line of its own. Raises KeyError, with the nearest name, for another."""

    def __missing__(self, name: str) -> Figure:
        raise KeyError(f"{name!r} was not measured{nearest(name, list(self))}")

    def __str__(self) -> str:
        width = max(map(len, self))
        forms = {name: percent if name in SHARES else _measured for name in self}
        return "\n".join(f"{name:{width}}  {figure.text(forms[name])}" for name, figure in self.items())


_Train = Callable[[Dataset], Evaluator]
"""Trains the evaluator in whose features images like these are compared."""


@checked
def measure(
    model: Model,
    holdout: Dataset,
    train: Dataset | None = None,
    *,
    seed: int = 0,
    evaluator_images: int = 60_000,
    to: str | None = None,
    device: str = "auto",
    threads: int | None = 1,
) -> Figures:
    """Compare a model's images with held-out ones, in the features of a classifier of the real images.

    As many images are generated as there are real ones for the floor, so that both have equal counts. Without two
    classes the features are an autoencoder's. Figures depend on the data and its counts: compare them only with those
    of the same `holdout`, `train` and `seed`.

    Args:
        model: What to measure.
        holdout: Images that the model has not seen.
        train: The images it has seen, for the classifier and the floors; by default one half of `holdout` serves for
            the other. Floors of accuracies are of `holdout`, since the classifier has seen the training images.
        seed: Decides the samples, the halves and the classifier.
        evaluator_images: How many images the classifier is trained on.
        to: For a model of two domains, the domain that is made: figures are for one direction, in the features of a
            classifier of this domain.
        device: "auto" (a CUDA device, else the CPU), "cpu", "cuda" or "cuda:N".
        threads: Of the CPU; None: torch's default, as in `mintage.train`.

    Returns:
        By name, lower is better for `frechet_distance` (Heusel et al. 2017) and `kernel_distance` (Binkowski et al.
        2018), higher for `precision`, `recall` (Kynkaanniemi et al. 2019), `density`, `coverage` (Naeem et al. 2020),
        with classes `classifier_score` (Salimans et al. 2016), and for a conditional model `conditional_accuracy`, or
        `attribute_accuracy`, the mean over attributes.
        For volumes, by their occupied cells (above 0), also `shape_coverage` (the share of held-out shapes that are the
        nearest to some generated one, by intersection over union; Achlioptas et al. 2018), `neighbor_accuracy` (the
        accuracy of a nearest neighbor classifier between generated and held-out shapes, 0.5 is best; Lopez-Paz and
        Oquab 2017) and `largest_part` (the share of a shape in its largest connected part).
        For an encoder, also of held-out images that are encoded and made again of the same class or attributes,
        `reconstruction_psnr` in decibels and `reconstruction_retrieval`, the share that is nearest to itself in the
        features (higher is better). Their floor is what these images themselves reach, their baseline the better of the
        mean of their latents, made again, and the mean training image, both of which know nothing of an image.
        For a second stage (`stackgan`) each figure of samples has its baseline: the same latents and conditions through
        the first stage alone, enlarged.
        For translators, also against the truth, each figure with its baseline, the sources themselves brought to the
        image's shape: `l1` (lower is better), `psnr`, `ssim` (Wang et al. 2004), `luminance_correlation` (below 0 is an
        inverted image), `retrieval` (the share that is nearest to its own truth in the features), in color
        `chroma_error` (lower is better), and with a mask `hole_psnr`.
        For two domains `conditional_accuracy` is the share of translations in which a classifier of the wanted domain
        sees the class of their source; `cycle_error` (lower is better) is the mean absolute difference between sources
        and their translations back; a `luminance_correlation` of sources and translations below 0 (with a warning)
        means that light and dark were exchanged. The baseline is no translation at all. If one latent makes an image in
        each domain, `conditional_accuracy` is the share of pairs in which the two domains' classifiers see one class.
        For words, in the features of a language model, also `counted_surprise` (how surprising held-out words are to
        counts of runs in the generated ones, in nats, lower is better; Zhao et al. 2018), `bleu` (BLEU-3 against the
        held-out sequences, higher is better), `self_bleu` (against each other, higher is less varied; Zhu et al. 2018),
        and `copies`, the share that is in `train`.

    Raises:
        ValueError: There are too few images, or they are of another shape or other classes than the model's.

    Example:
        >>> import torch, mintage
        >>> data = mintage.Dataset(image=torch.rand(64, 1, 8, 8) * 2 - 1)
        >>> run = mintage.train(data, "gan", images=640, recipe={"width": 8}, progress=False)
        >>> table = mintage.measure(run.model, data, evaluator_images=640)
        >>> table["frechet_distance"].value > table["frechet_distance"].floor
        True
    """
    if evaluator_images < 1:
        raise ValueError(f"evaluator_images = {evaluator_images}: give 1 or more")
    if train is None:
        order = torch.randperm(len(holdout), generator=stream(seed, "measure/halves"))
        train, holdout = holdout.rows(order[::2]), holdout.rows(order[1::2])
    _require_fit(model, holdout, train)
    model.towards(to)  # raises where there is no such direction
    train_on = partial(_trained_evaluator, seed=seed, images=evaluator_images, device=choose_device(device))
    if model.domains is not None and to is not None:
        compare = _compare_coupled if model.generator.config.couples else _compare_domains
        with thread_count(threads):
            return compare(model, holdout, train, to, train_on, seed=seed)
    if model.attributes is None and train.label is not None:  # if images have both, labels are judged
        rank = len(train.shape) - 1
        train, holdout = (
            Dataset(one.image, one.label, one.classes, one.source, rank=rank, still=one.still)
            for one in (train, holdout)
        )
    with thread_count(threads):
        compare_all = _compare if model.vocabulary is None else _compare_words
        return compare_all(model, holdout, train, train_on(train), seed)


def _compare(model: Model, holdout: Dataset, train: Dataset, evaluator: Evaluator, seed: int) -> Figures:
    count, generator = min(len(holdout), len(train)), model.generator
    drawn = _floor(model, holdout, train, count, seed)
    held = observe(evaluator, holdout.image, condition_of(holdout))
    shown = holdout.rows(asked_rows(len(holdout), count, seed))
    if generator.config.translates:
        return _compare_translations(model, held, shown, drawn, evaluator, seed=seed)
    conditions = _asked(model, holdout, count, seed)

    def figures(images: Tensor, asked: Tensor | None) -> dict[str, float]:
        beside = figures_beside(held, observe(evaluator, images, asked), seed)
        return beside | (shape_figures(holdout.image[:count], images) if images.ndim == 5 else {})  # of volumes

    made = figures(_generated(generator, count, seed, conditions), conditions)
    real = figures(drawn.image, None) | accuracy_of(held)
    stands = generator.first is not None
    first = figures(_generated(generator.drafting, count, seed, conditions), conditions) if stands else {}
    of = _FIRST if stands else None
    found = Figures({name: Figure(value, real[name], first.get(name), of) for name, value in made.items()})
    if generator.encoder is not None:
        again = figures_of_reconstructions(generator, evaluator, shown, drawn.image)
        found |= {name: Figure(*figures) for name, figures in again.items()}
    return found


def _compare_translations(
    model: Model, held: Observation, asked: Dataset, drawn: Dataset, evaluator: Evaluator, *, seed: int
) -> Figures:
    assert asked.source is not None
    made, same, real = (
        translation_figures(evaluator, held, asked, images, seed)
        for images in (
            rounded(model.translate(_sources(model, asked), seed)),
            untouched(asked.source, model.shape),
            asked.image,
        )
    )
    real |= figures_beside(held, observe(evaluator, drawn.image, None), seed)  # accuracies stay those of asked images
    return Figures({name: Figure(value, real[name], same[name], _SOURCES) for name, value in made.items()})


def _compare_words(model: Model, holdout: Dataset, train: Dataset, evaluator: Evaluator, seed: int) -> Figures:
    words, end = model.vocabulary or (), end_of(model.vocabulary or ())
    count = min(len(holdout), len(train))
    drawn = _drawn(train, count, seed)
    trained, held = (as_tokens(one.image, len(words)) for one in (train, holdout))
    features = observe(evaluator, holdout.image, None)

    def figures(samples: Tensor) -> dict[str, float]:
        tokens = as_tokens(samples, len(words))
        return figures_beside(features, observe(evaluator, samples, None), seed) | {
            "counted_surprise": counted_surprise(held, tokens, len(words), end),
            "bleu": bleu(tokens, held, end),
            "self_bleu": self_bleu(tokens, end),
        }

    made = as_samples(model.write(count, seed), len(words)).reshape(-1, *model.shape)
    found, real = figures(made), figures(drawn.image)
    found["copies"], real["copies"] = (copies(as_tokens(made, len(words)), trained, end), copies(held, trained, end))
    return Figures({name: Figure(value, real[name]) for name, value in found.items()})


def _compare_domains(
    model: Model, holdout: Dataset, train: Dataset, to: str, train_on: _Train, *, seed: int
) -> Figures:
    """Compare one direction: translations of held-out images of the other domain, with real images of `to`."""
    (other,) = {*(model.domains or ())} - {to}
    trained, wanted, asked = train.of_domain(to), holdout.of_domain(to), holdout.of_domain(other)
    count = _count_of_each(trained, wanted, asked)
    evaluator = train_on(trained)
    held = observe(evaluator, wanted.image, condition_of(wanted))
    asked = asked.rows(asked_rows(len(asked), count, seed))
    drawn = _floor(model, asked, trained, count, seed)

    def figures(images: Tensor, of: Dataset) -> dict[str, float]:
        return figures_beside(held, observe(evaluator, images, condition_of(of)), seed)

    made = rounded(model.translate(asked.image, seed, to=to))
    back = model.translate(made, seed, to=other)
    found = figures(made, asked)
    found["cycle_error"] = absolute_error(back, asked.image).mean().item()
    found["luminance_correlation"] = correlation = luminance_correlation(made, asked.image).mean().item()
    if correlation < 0:
        warnings.warn(
            f"translations to {to!r} are light where their sources are dark (luminance correlation {correlation:.2f}): "
            "where that is not meant, raise the weight of identity in terms",
            stacklevel=4,  # the caller of `measure`, past its check of arguments
        )
    kept = {"cycle_error": 0.0, "luminance_correlation": 1.0}
    real = figures_beside(held, observe(evaluator, drawn.image, None), seed) | accuracy_of(held) | kept
    same = figures(asked.image, asked) | kept
    return Figures({name: Figure(value, real[name], same[name], _SOURCES) for name, value in found.items()})


def _compare_coupled(
    model: Model, holdout: Dataset, train: Dataset, to: str, train_on: _Train, *, seed: int
) -> Figures:
    """Compare the images made of one domain with real ones, and with those made of the other from the same latents."""
    (other,) = {*(model.domains or ())} - {to}
    trained, wanted = train.of_domain(to), holdout.of_domain(to)
    count = _count_of_each(trained, wanted)
    evaluator, named = train_on(trained), None
    if evaluator.config.classifies and wanted.label is not None:
        judge = train_on(train.of_domain(other))
        named = classify(judge, features_of(judge, rounded(model.sample(count, seed, label=other))))
    held = observe(evaluator, wanted.image, condition_of(wanted))
    made = figures_beside(held, observe(evaluator, rounded(model.sample(count, seed, label=to)), named), seed)
    drawn = _drawn(trained, count, seed)
    real = figures_beside(held, observe(evaluator, drawn.image, None), seed) | accuracy_of(held)
    return Figures({name: Figure(value, real[name]) for name, value in made.items()})


def _count_of_each(*sets: Dataset) -> int:
    """How many images all sets have. Raises ValueError if these are too few to compare."""
    count = min(map(len, sets))
    if count < _FEWEST:
        raise ValueError(f"there are too few images to compare: give at least {_FEWEST} of each domain on each side")
    return count


def _generated(generator: Generator, count: int, seed: int, asked: Tensor | None) -> Tensor:
    """Images `[count,C,*S]` as they are in files."""
    return rounded(torch.cat([images for images, _ in samples(generator, count, seed, asked)]))


def _floor(model: Model, asked: Dataset, train: Dataset, count: int, seed: int) -> Dataset:
    """The training images of the floor, of the classes that the model is asked for, or translates."""
    by_class = model.classes is not None or model.generator.config.translates
    if not by_class or asked.label is None or train.label is None:
        return _drawn(train, count, seed)
    return train.rows(rows_with(train.label, asked_labels(asked.label, count, seed), stream(seed, "measure/floor")))


def _drawn(train: Dataset, count: int, seed: int) -> Dataset:
    """The training images of the floor, of any class."""
    return train.rows(torch.randperm(len(train), generator=stream(seed, "measure/floor"))[:count])


def _sources(model: Model, asked: Dataset) -> Tensor:
    """The sources `[N,S,*S]`, with attributes as their last channels if the model takes these."""
    assert asked.source is not None
    if not model.generator.config.joins_attributes or asked.attributes is None:
        return asked.source
    return with_attributes(asked.source, asked.attributes)


def _asked(model: Model, holdout: Dataset, count: int, seed: int) -> Tensor | None:
    """Labels `[N]`, as frequent as in the holdout, or attributes `[N,K]` from it; None if the model takes neither."""
    if model.attributes is not None and holdout.attributes is not None:
        return holdout.attributes[asked_rows(len(holdout), count, seed)]
    if model.classes is None or holdout.label is None:
        return None
    return asked_labels(holdout.label, count, seed)


def _trained_evaluator(train: Dataset, *, seed: int, images: int, device: torch.device) -> Evaluator:
    real = RealImages(train.image, condition_of(train), seed, device)
    words = len(train.vocabulary or ())
    config = EvaluatorConfig(train.shape, train.classes, _FEATURES, train.attribute_names, words)
    schedule = Schedule(images, min(_BATCH, len(train)), _RATE, seed, train.still)
    return train_evaluator(config, real, schedule)


def _require_fit(model: Model, *sets: Dataset) -> None:
    for data in sets:
        if len(data) < _FEWEST:
            raise ValueError(f"there are {len(data)} images to compare: give at least {_FEWEST} on each side")
        if data.shape != model.shape:
            raise ValueError(f"images are {data.shape} (C, H, W), and the model's are {model.shape}")
        if data.vocabulary != model.vocabulary:
            raise ValueError("the words of the model and of the data are others: give data of the same vocabulary")
        if model.domains is not None and data.domains != model.domains:
            raise ValueError(f"the model's domains are {model.domains}, and the images' {data.domains}")
        if model.domains is None and model.generator.config.translates and data.source is None:
            raise ValueError("the model translates: give holdout and train with the `source` of each image")
        if model.attributes is not None and data.attribute_names != model.attributes:
            raise ValueError(f"the model's attributes are {model.attributes}, the images' {data.attribute_names}")
        if model.domains is None and model.classes is not None and data.classes != model.classes:
            raise ValueError(f"the model's classes are {model.classes}, and the images' {data.classes}")
