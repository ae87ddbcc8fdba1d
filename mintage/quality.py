"""How well an evaluator does its task on images that it never saw: accuracy, explained variance, or surprise."""

from collections.abc import Iterable

import torch
from torch import Tensor

from mintage.evaluator import Evaluator, attributes_right, classify, device_of, features_of
from mintage.metrics.accuracy import accuracy


@torch.inference_mode()
def explained_variance(evaluator: Evaluator, batches: Iterable[Tensor]) -> float:
    """1 - squared error of the rebuilt images / variance around the mean image: 1 is perfect, 0 the mean image.

    `batches` are `[n,C,*S]` each; 0 if images do not vary at all.
    """
    device = device_of(evaluator)
    error = squares = count = 0.0
    first, total = torch.tensor(0.0), torch.tensor(0.0, dtype=torch.float64)
    for batch in batches:
        images = evaluator.view(batch)
        error += (evaluator(batch.to(device)).cpu() - images).square().sum().item()
        first = first if count else images[0]
        apart = (images - first).double()  # near 0 if images hardly vary, so that no digits are lost
        squares, total, count = squares + apart.square().sum().item(), total + apart.sum(0), count + len(images)
    variance = squares - total.square().sum().item() / count
    return 1 - error / variance if variance > 0 else 0.0


@torch.inference_mode()
def surprise(evaluator: Evaluator, batches: Iterable[Tensor]) -> float:
    """Minus the mean log likelihood of a sequence, in nats; `batches` are `[n,C,*S]` each."""
    device, total, count = device_of(evaluator), 0.0, 0
    for batch in batches:
        likely = evaluator(batch.to(device))
        total, count = total - likely.double().sum().item(), count + len(likely)
    return total / count


def quality(evaluator: Evaluator, batches: Iterable[Tensor], conditions: Tensor | None) -> float:
    """The evaluator's quality on batches `[n,C,*S]`, with labels `[N]` or attributes `[N,K]` of all of them.

    With classes the accuracy; with attributes their mean accuracy; for words the mean surprise of a sequence, in nats;
    else the explained variance.
    """
    if evaluator.config.words:
        return surprise(evaluator, batches)
    if evaluator.config.kind == "attributes" and conditions is not None:
        features = torch.cat([features_of(evaluator, images) for images in batches])
        return attributes_right(evaluator, features, conditions).double().mean().item()
    if evaluator.config.classifies and conditions is not None:
        predicted = [classify(evaluator, features_of(evaluator, images)) for images in batches]
        return accuracy(torch.cat(predicted), conditions)
    if evaluator.config.kind == "coordinates":
        return 1.0  # points are their own features
    return explained_variance(evaluator, batches)
