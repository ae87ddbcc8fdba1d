import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits

from mintage import catalog
from mintage.objectives import VALUE_OPTIMUM, Began, Knobs, LeastSquares, NonSaturating, against_each, value

DATA = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
GENERATED = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
PAIR = (DATA, GENERATED)


def cross_entropy(real: Tensor, fake: Tensor, smoothing: float) -> Tensor:
    return NonSaturating(Knobs(label_smoothing=smoothing)).discriminator_loss(real, fake)


def best_discriminator(data: Tensor, generated: Tensor, smoothing: float = 0.0) -> Tensor:
    """Logits on a discrete space that minimize the discriminator's loss under the two densities."""
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


def generator_loss(name: str, fake: Tensor, real: Tensor | None = None) -> Tensor:
    loss: Tensor = catalog.load("objective", name)().generator_loss(fake, real)
    return loss


def test_generator_losses_are_those_of_the_paper() -> None:
    fake = torch.randn(50)
    d_of_fake = fake.sigmoid()
    assert generator_loss("minimax", fake).item() == pytest.approx((1 - d_of_fake).log().mean().item(), rel=1e-4)
    expected = binary_cross_entropy(d_of_fake, torch.ones(50)).item()
    assert generator_loss("non_saturating", fake).item() == pytest.approx(expected, rel=1e-4)


def test_only_the_minimax_gradient_fades_where_the_discriminator_is_sure() -> None:
    gradients = {}
    for name in catalog.BUILT_IN["objective"]:
        fake = torch.tensor([-10.0], requires_grad=True)
        torch.autograd.backward(generator_loss(name, fake, torch.zeros(1)))
        assert fake.grad is not None
        gradients[name] = fake.grad.item()
    assert abs(gradients.pop("minimax")) < 1e-4
    assert gradients.pop("least_squares") == pytest.approx(-11, abs=1e-4)
    assert list(gradients.values()) == pytest.approx([-1] * len(gradients), abs=1e-3)


def test_the_best_least_squares_discriminator_mixes_its_targets_by_the_densities() -> None:
    """D* = (b p_data + a p_g) / (p_data + p_g): equation 11 of Mao et al. 2017."""
    objective = LeastSquares(Knobs(targets=(-1.0, 3.0, 0.0)))
    best = (3 * DATA - GENERATED) / (DATA + GENERATED)
    logits = best.clone().requires_grad_(True)
    real, fake = (torch.stack([logits[i] for i, p in enumerate(d * 10) for _ in range(round(p.item()))]) for d in PAIR)
    torch.autograd.backward(objective.discriminator_loss(real, fake))
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-9
    assert objective.generator_loss(torch.zeros(3)).item() == 0
    assert objective.generator_loss(torch.full((3,), 2.0)).item() == 2


def test_a_hinge_discriminator_learns_nothing_from_what_is_beyond_the_margin() -> None:
    hinge = catalog.load("objective", "hinge")()
    assert hinge.discriminator_loss(torch.tensor([1.0, 5.0]), torch.tensor([-1.0, -9.0])).item() == 0
    assert hinge.discriminator_loss(torch.zeros(2), torch.zeros(2)).item() == 2


def test_the_wasserstein_critics_loss_is_the_difference_of_the_means() -> None:
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([-1.0, 0.0])
    assert catalog.load("objective", "wasserstein")().discriminator_loss(real, fake).item() == -2.5


def test_a_relativistic_loss_is_of_pairs_and_does_not_change_when_both_logits_move() -> None:
    real, fake = torch.randn(20), torch.randn(20)
    relativistic = catalog.load("objective", "relativistic")()
    loss = relativistic.discriminator_loss(real, fake)
    assert torch.allclose(relativistic.discriminator_loss(real + 5, fake + 5), loss, atol=1e-5)
    assert not torch.allclose(relativistic.discriminator_loss(real, fake.flip(0)), loss)
    assert torch.allclose(relativistic.generator_loss(fake, real), relativistic.discriminator_loss(fake, real))


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(-2, 0), st.floats(-2, 0)), min_size=1, max_size=30), st.floats(0.001, 10))
def test_began_keeps_k_between_zero_and_one(logits: list[tuple[float, float]], rate: float) -> None:
    began = Began(Knobs(k_rate=rate))
    for real, fake in logits:
        began.after_discriminator(torch.tensor([real]), torch.tensor([fake]))
        assert 0 <= began.k.item() <= 1


def test_began_raises_k_while_fakes_are_rebuilt_too_well_and_lowers_it_after() -> None:
    """k += lambda (gamma L(x) - L(G(z))): equation 9 of Berthelot et al. 2017."""
    began = Began(Knobs(gamma=0.5, k_rate=0.1))
    began.after_discriminator(real=torch.tensor([-1.0]), fake=torch.tensor([-0.1]))
    assert began.k.item() == pytest.approx(0.1 * (0.5 * 1.0 - 0.1))
    before = began.k.item()
    began.after_discriminator(real=torch.tensor([-1.0]), fake=torch.tensor([-0.6]))
    assert began.k.item() == pytest.approx(before - 0.1 * 0.1)


def test_began_is_saved_with_its_k_and_tells_the_papers_measure_of_convergence() -> None:
    began = Began(Knobs(gamma=0.5, k_rate=0.1))
    real, fake = torch.tensor([-1.0]), torch.tensor([-0.1])
    began.after_discriminator(real, fake)
    assert began.state_dict()["k"].item() > 0
    statistics = began.statistics(real, fake)
    assert statistics["convergence"].item() == pytest.approx(1.0 + abs(0.5 * 1.0 - 0.1))
    loss = began.discriminator_loss(real, fake).item()
    assert loss == pytest.approx(1.0 - began.k.item() * 0.1)
    assert began.generator_loss(fake).item() == pytest.approx(0.1)


def test_probabilities_and_the_value_are_told_only_where_there_are_any() -> None:
    real, fake = torch.full((4,), 2.0), torch.full((4,), -1.0)
    for name, kind in ((name, catalog.load("objective", name)) for name in catalog.names("objective")):
        statistics = kind().statistics(real, fake)
        assert ("value" in statistics) == (name in ("minimax", "non_saturating"))
        expected = torch.tensor(2.0).sigmoid().item() if "value" in statistics else 2.0
        assert statistics["d_real"].item() == pytest.approx(expected)


def test_several_kinds_of_negatives_share_the_weight_of_one() -> None:
    """Equation of Reed et al. 2016: log s_r + (log(1 - s_w) + log(1 - s_f)) / 2."""
    real, fake, wrong = torch.randn(3, 20)
    expected = -(real.sigmoid().log().mean())
    expected -= ((1 - wrong.sigmoid()).log().mean() + (1 - fake.sigmoid()).log().mean()) / 2
    assert torch.allclose(against_each(NonSaturating(), real, [fake, wrong]), expected, atol=1e-5)
