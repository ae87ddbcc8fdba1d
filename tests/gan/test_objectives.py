import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits

from gan.objectives import OBJECTIVES, VALUE_OPTIMUM, cross_entropy, value

DATA = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
GENERATED = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)


def best_discriminator(data: Tensor, generated: Tensor, smoothing: float = 0.0) -> Tensor:
    """Logits on a discrete space that minimise the discriminator's loss under the two densities."""
    logits = torch.zeros(len(data), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=500, tolerance_grad=1e-12, tolerance_change=1e-16)

    def loss() -> Tensor:
        optimizer.zero_grad()
        each = [cross_entropy(logits[i : i + 1], torch.full((1,), -1e9), smoothing) for i in range(len(data))]
        on_real = sum((p * one for p, one in zip(data, each, strict=True)), torch.zeros(()))
        each = [cross_entropy(torch.full((1,), 1e9), logits[i : i + 1], 0.0) for i in range(len(data))]
        on_fake = sum((p * one for p, one in zip(generated, each, strict=True)), torch.zeros(()))
        total: Tensor = on_real + on_fake
        torch.autograd.backward(total)
        return total

    optimizer.step(loss)  # type: ignore[no-untyped-call]  # torch leaves LBFGS untyped
    return logits.detach()


def test_the_best_discriminator_is_the_share_of_the_data_in_the_mixture() -> None:
    """D* = p_data / (p_data + p_g): proposition 1 of Goodfellow et al. 2014."""
    found = best_discriminator(DATA, GENERATED).sigmoid()
    assert torch.allclose(found, DATA / (DATA + GENERATED), atol=1e-6)


def test_the_value_is_minus_log_four_where_the_densities_agree() -> None:
    """Theorem 1: at p_g = p_data the best D says 1/2 everywhere."""
    logits = best_discriminator(DATA, DATA)
    assert torch.allclose(logits.sigmoid(), torch.full_like(logits, 0.5), atol=1e-6)
    assert value(logits, logits).item() == pytest.approx(-math.log(4))
    assert pytest.approx(-math.log(4)) == VALUE_OPTIMUM


def test_one_sided_smoothing_lowers_the_best_discriminator_to_the_smoothed_share() -> None:
    """With target a = 1 - s for real images, D* = a p_data / (p_data + p_g) (Salimans et al. 2016)."""
    found = best_discriminator(DATA, GENERATED, smoothing=0.1).sigmoid()
    assert torch.allclose(found, 0.9 * DATA / (DATA + GENERATED), atol=1e-6)


def test_the_discriminators_loss_is_binary_cross_entropy_on_logits() -> None:
    """Taken on logits: a sigmoid before it would lose the gradient of a sure discriminator."""
    real, fake = torch.randn(50), torch.randn(50)
    expected = binary_cross_entropy_with_logits(real, torch.ones(50)) + binary_cross_entropy_with_logits(
        fake, torch.zeros(50)
    )
    assert cross_entropy(real, fake, 0.0).item() == pytest.approx(expected.item(), rel=1e-5)
    sure = torch.full((1,), 200.0)
    assert math.isfinite(cross_entropy(-sure, sure, 0.0).item())


def test_generator_losses_are_those_of_the_paper() -> None:
    fake = torch.randn(50)
    d_of_fake = fake.sigmoid()
    assert OBJECTIVES["minimax"].generator_loss(fake).item() == pytest.approx(
        (1 - d_of_fake).log().mean().item(), rel=1e-4
    )
    expected = binary_cross_entropy(d_of_fake, torch.ones(50)).item()
    assert OBJECTIVES["non_saturating"].generator_loss(fake).item() == pytest.approx(expected, rel=1e-4)


def test_only_the_minimax_gradient_fades_where_the_discriminator_is_sure() -> None:
    gradients = {}
    for name, objective in OBJECTIVES.items():
        fake = torch.tensor([-10.0], requires_grad=True)
        torch.autograd.backward(objective.generator_loss(fake))
        assert fake.grad is not None
        gradients[name] = fake.grad.item()
    assert abs(gradients["minimax"]) < 1e-4
    assert gradients["non_saturating"] == pytest.approx(-1, abs=1e-4)
