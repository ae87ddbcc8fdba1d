import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from mintage.conditioning.embedding import Condition
from mintage.conditioning.generator import BatchNorm, Concat, Plane, SharedBatchNorm
from mintage.conditioning.heads import Auxiliary, HeadConfig, InformationCode, Projection, SemiSupervised
from mintage.conditioning.images import ConcatPlane, Product, Repeat
from mintage.data import HIDDEN_LABEL, hide_labels, wrong_labels
from mintage.model_config import ModelConfig
from mintage.players import Discriminator
from mintage.randomness import stream

LABELS = torch.tensor([0, 2, 1, 2])
FEATURES = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
HEAD = HeadConfig(features=6, condition=Condition(3), categories=4, continuous=2)


def test_the_generators_embedding_is_joined_to_the_latent_fifty_wide() -> None:
    latents = torch.randn(4, 7)
    inputs = Concat(Condition(3))(latents, LABELS)
    assert inputs.vector.shape == (4, 57)
    assert torch.equal(inputs.vector[:, :7], latents)
    assert torch.equal(inputs.vector[1, 7:], inputs.vector[3, 7:])


def test_conditional_batch_norm_has_a_row_a_class_and_the_shared_form_one_embedding() -> None:
    latents = torch.randn(4, 7)
    for kind, size in ((BatchNorm, 3), (SharedBatchNorm, 50)):
        inputs = kind(Condition(3))(latents, LABELS)
        assert inputs.modulation is not None
        assert inputs.modulation.shape == (4, size)
        assert torch.equal(inputs.vector, latents)
    plane = Plane(Condition(3))(latents, LABELS).plane
    assert plane is not None
    assert plane.shape == (4, 50)


def test_the_discriminator_sees_the_label_as_a_plane_a_product_or_repeated() -> None:
    images = torch.randn(4, 2, 5, 6)
    plane = ConcatPlane(Condition(3), (2, 5, 6))(images, LABELS)
    assert plane.shape == (4, 3, 5, 6)
    assert torch.equal(plane[:, :2], images)
    repeated = Repeat(Condition(3), (2, 5, 6))(images, LABELS)
    assert torch.equal(repeated[:, 2:].mean((2, 3)), torch.eye(3)[LABELS])
    product = Product(Condition(3), (2, 5, 6))
    with torch.no_grad():
        product.widen.weight.zero_()
        product.widen.bias.fill_(3.0)
    assert torch.allclose(product(images, LABELS), 3 * images)


def test_a_projection_adds_the_inner_product_of_label_and_features() -> None:
    """Equation 4 of Miyato and Koyama 2018."""
    head = Projection(HEAD)
    expected = head.output(FEATURES).squeeze(1) + torch.stack(
        [head.embedding(y) @ h for y, h in zip(LABELS, FEATURES, strict=True)]
    )
    assert torch.allclose(head(FEATURES, LABELS).logit, expected)


def test_class_losses_are_taken_on_logits_and_not_on_a_softmax() -> None:
    """A softmax before cross-entropy keeps the loss of a sure and right answer above 0."""
    head = Auxiliary(HEAD)
    judgment = head(FEATURES, LABELS)
    assert judgment.class_logits is not None
    assert judgment.class_logits.min() < 0
    found = head.loss_on_real(judgment, LABELS)
    assert found is not None
    assert torch.allclose(found, cross_entropy(judgment.class_logits, LABELS))
    sure = type(judgment)(judgment.logit, FEATURES, class_logits=100 * torch.eye(3)[LABELS])
    loss = head.loss_on_fake(sure, LABELS, None)
    assert loss is not None
    assert loss.item() == pytest.approx(0, abs=1e-6)


def test_a_semi_supervised_logit_is_the_share_of_k_classes_against_a_fake_one_at_zero() -> None:
    judgment = SemiSupervised(HEAD)(FEATURES, None)
    assert judgment.class_logits is not None
    with_fake = torch.cat([judgment.class_logits, torch.zeros(4, 1)], dim=1).softmax(1)
    assert torch.allclose(judgment.logit.sigmoid(), 1 - with_fake[:, 3], atol=1e-6)


@pytest.mark.parametrize("name", ["concat", "product", "repeat", "projection"])
def test_a_discriminator_sees_the_label_as_well_as_it_sees_the_image(name: str) -> None:
    """At a scale of 0.02 a label's plane varied by 0.011 beside pixels of 1: accuracy stayed at chance for long."""
    judge = discriminator(
        network="dcgan", width=16, discriminator_conditioning=name, discriminator_normalization="none"
    ).eval()
    images, labels = torch.rand(64, 2, 8, 8) * 2 - 1, torch.arange(3)
    logits = torch.stack([judge(images, label.expand(64)).logit for label in labels])
    assert logits.std(0).mean() > 0.1 * logits.std(1).mean()


def code_loss(read: Tensor, sentence: Tensor) -> float:
    head = InformationCode(HEAD)
    loss = head.loss_on_fake(type(head(FEATURES, None))(FEATURES[:, 0], FEATURES, code=read), None, sentence)
    assert loss is not None
    return loss.item()


def test_a_code_loss_is_the_cross_entropy_of_the_category_and_the_numbers_gaussian_one() -> None:
    code = torch.tensor([[0.0, 1, 0, 0, 0.5, -0.5], [1, 0, 0, 0, 0.0, 1.0]])
    right = torch.cat([100 * code[:, :4], code[:, 4:]], dim=1)
    assert code_loss(right, code) == pytest.approx(0, abs=1e-6)
    unsure = torch.cat([torch.zeros(2, 4), code[:, 4:]], dim=1)
    assert code_loss(unsure, code) == pytest.approx(math.log(4))
    moved = torch.cat([100 * code[:, :4], code[:, 4:] + 2], dim=1)
    assert code_loss(moved, code) == pytest.approx(2**2 / 2 + 2**2 / 2)


def test_wrong_labels_are_never_right_and_each_other_class_is_as_likely() -> None:
    right = torch.arange(4).repeat(3000)
    wrong = wrong_labels(right, 4, stream(0, "test"))
    assert (wrong != right).all()
    assert wrong[right == 1].bincount(minlength=4).tolist()[1] == 0
    assert wrong[right == 1].bincount(minlength=4)[[0, 2, 3]].min() > 850


def test_a_share_of_each_class_keeps_its_label_at_least_one() -> None:
    labels = torch.cat([torch.zeros(100), torch.ones(10), torch.full((3,), 2.0)]).long()
    shown = hide_labels(labels, 0.1, seed=0)
    assert [(shown == label).sum().item() for label in (0, 1, 2)] == [10, 1, 1]
    assert ((shown == labels) | (shown == HIDDEN_LABEL)).all()
    assert torch.equal(hide_labels(labels, 1.0, seed=0), labels)
    assert (hide_labels(torch.zeros(100, dtype=torch.long), 0.07, seed=0) == 0).sum() == 7
    assert torch.equal(hide_labels(labels, 0.1, seed=0), shown)
    assert not torch.equal(hide_labels(labels, 0.1, seed=1), shown)


def discriminator(**changes: object) -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(ModelConfig(**{**PLAIN, **changes}))  # type: ignore[arg-type]


PLAIN: dict[str, object] = {
    "network": "mlp", "width": 4, "image_shape": (2, 8, 8), "classes": ("a", "b", "c"),
    "latent_size": 5, "latent_distribution": "normal",
}  # fmt: skip


def test_packed_images_are_judged_together_in_order() -> None:
    images = torch.randn(6, 2, 8, 8)
    packed = discriminator(packing=3)
    logits = packed(images).logit
    assert logits.shape == (2,)
    swapped = images[[3, 4, 5, 0, 1, 2]]
    assert torch.allclose(packed(swapped).logit, logits.flip(0))
    changed = images.clone()
    changed[1] += 1  # of the first pack
    assert packed(changed).logit[0] != logits[0]
    assert packed(changed).logit[1] == logits[1]


def test_packed_images_keep_their_own_label_plane() -> None:
    images, labels = torch.randn(4, 2, 8, 8), torch.tensor([0, 1, 0, 0])
    packed = discriminator(packing=2, discriminator_conditioning="concat")
    first = packed(images, labels).logit
    second = packed(images, torch.tensor([0, 2, 0, 0])).logit
    assert first[0] != second[0]
    assert first[1] == second[1]


def test_an_autoencoders_logit_is_minus_the_error_of_each_image() -> None:
    """And images that it rebuilds perfectly score 0, the highest there is."""
    judge = discriminator(reconstructs=True)
    images = torch.rand(3, 2, 8, 8) * 2 - 1
    assert (judge(images).logit < 0).all()
    assert judge.decoder is not None
    gray = torch.nn.Linear(4, 128)
    judge.decoder = torch.nn.Sequential(gray, torch.nn.Unflatten(1, (2, 8, 8)))
    for weight in gray.parameters():
        torch.nn.init.zeros_(weight)
    assert torch.allclose(judge(images).logit, -images.abs().mean((1, 2, 3)))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("count", [8, 2])
def test_planes_read_apart_give_what_planes_joined_to_the_image_give(count: int, packed: bool) -> None:
    """A fully connected player reads them apart where there are more images than classes; gradients' gradients too."""
    judge = discriminator(
        network="mlp",
        width=6,
        packing=2 if packed else 1,
        discriminator_conditioning="concat",
        discriminator_normalization="none",
    ).double()
    images, labels = torch.randn(count, 2, 8, 8, dtype=torch.double, requires_grad=True), torch.arange(count) % 3
    weights = [*judge.conditioning.parameters(), *judge.network.parameters()]

    def found(features: Tensor) -> tuple[Tensor, ...]:
        """The answer, its gradients, and those of the square of its slope, as a gradient penalty has them."""
        plain = torch.autograd.grad(features.sum(), weights, retain_graph=True)
        (slope,) = torch.autograd.grad(features.square().sum(), images, create_graph=True)
        return features, *plain, slope, *torch.autograd.grad(slope.square().sum() + features.sum(), weights)

    joined = judge.conditioning(images, labels)
    wanted = judge.network(joined.reshape(-1, judge.packing * joined.shape[1], 8, 8))
    for mine, theirs in zip(found(judge(images, labels).features), found(wanted), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-10)


def test_of_planes_that_are_read_apart_the_first_layer_sees_one_a_class() -> None:
    judge = discriminator(
        network="mlp", width=6, discriminator_conditioning="concat", discriminator_normalization="none"
    )
    counts = []
    for images in (3, 63):
        with FlopCounterMode(display=False) as counter:
            judge(torch.randn(images, 2, 8, 8), torch.arange(images) % 3)
        counts.append(counter.get_total_flops())
    more = (counts[1] - counts[0]) / 60
    assert more == 2 * (2 * 64 * 12 + 12 * 6 + 6)  # of an image: no product with a plane, nor one to widen it
