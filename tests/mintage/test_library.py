"""The library as a user of Python has it: arrays in memory in, images out."""

import doctest
import importlib
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
import torch

from mintage.damage import Damage
from mintage.dataset import Dataset
from mintage.devices import thread_count
from mintage.frames import next_frames
from mintage.measuring import measure
from mintage.model import Model, load
from mintage.release import ReleaseError
from mintage.training import train
from tests.mintage.helpers import TINY, labeled_digits

ANYHOW: Any = train
ANY_DATA: Any = Dataset
ANY_DAMAGE: Any = Damage
ANY_FRAMES: Any = next_frames
"""Without their types, which mypy would hold wrong arguments to."""


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return labeled_digits()


@pytest.fixture(scope="module")
def model(digits: Dataset) -> Model:
    return train(digits, "cgan", images=640, recipe=TINY, progress=False).model


def test_levels_become_values_between_minus_one_and_one(digits: Dataset) -> None:
    assert digits.image.min().item() == -1
    assert digits.image.max().item() == 1
    assert digits.shape == (1, 8, 8)
    assert len(digits) == 1797


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        ({"image": torch.zeros(4, 8)}, r"\[N,C,H,W\]"),
        ({"image": torch.zeros(0, 1, 8, 8)}, r"\[N,C,H,W\]"),
        ({"image": torch.full((4, 1, 8, 8), 255.0)}, r"scale them to \[-1,1\]"),
        ({"image": torch.full((4, 1, 8, 8), float("nan"))}, "not finite"),
        ({"image": torch.full((4, 1, 8, 8), float("-inf"))}, "not finite"),
        ({"image": torch.zeros(4, 1, 8, 8, dtype=torch.int64)}, "uint8"),
        ({"image": torch.zeros(4, 1, 8, 8), "label": [0, 1]}, "one for each of 4"),
        ({"image": torch.zeros(2, 1, 8, 8), "label": [0.5, 1.0]}, "whole numbers"),
        ({"image": torch.zeros(2, 1, 8, 8), "label": [-1, 1]}, "whole numbers"),
        ({"image": torch.zeros(2, 1, 8, 8), "label": [0, 2], "classes": ["a", "b"]}, "2 classes are named"),
        ({"image": torch.zeros(2, 1, 8, 8), "classes": ["a", "b"]}, "no image has a label"),
        ({"image": torch.zeros(2, 1, 8, 8), "label": ["a", "c"], "classes": ["a", "b"]}, "no class 'c'"),
        ({"image": torch.zeros(2, 1, 8, 8), "label": [0, 1], "classes": ["a", "a"]}, "two classes have one name"),
        ({"image": torch.zeros(2, 1, 8, 8), "label": [0, 1], "classes": 2}, "classes = 2: give a list of strings"),
        ({"image": torch.zeros(2, 1, 8, 8), "label": [0, 1], "classes": "ab"}, "give a list of strings"),
        ({"image": torch.zeros(2, 1, 8, 8), "label": [0, 1], "classes": b"ab"}, "give a list of strings"),
        ({"image": torch.zeros(2, 1, 8, 8), "label": [0, 1], "classes": {"a", "b"}}, "give a list of strings"),
        ({"image": torch.zeros(2, 1, 8, 8), "label": [0, 1], "classes": ["a", None]}, "a name is None"),
        ({"image": torch.zeros(2, 1, 8, 8), "attributes": [True, False]}, "give a dict"),
        ({"image": torch.zeros(2, 1, 8, 8), "still": 1}, "still = 1: give a list of whole numbers"),
        ({"image": torch.zeros(2, 1, 8, 8), "label": torch.eye(2)}, r"argmax\(1\)"),
        ({"image": torch.zeros(2, 1, 8, 8), "label": [0, None]}, "whole numbers from 0, or all of them names"),
        ({"image": torch.zeros(2, 1, 8, 8), "label": [0, 10**9]}, "labels go up to 1000000000"),
        ({"image": torch.zeros(2, 1, 8, 8), "domain": [0, 10**12]}, "domains go up to 1000000000000"),
    ],
)
def test_images_and_labels_that_do_not_fit_are_refused_with_what_would(wrong: dict[str, Any], part: str) -> None:
    with pytest.raises(ValueError, match=part):
        Dataset(**wrong)


def test_labels_may_be_names_which_are_the_classes() -> None:
    images = torch.zeros(3, 1, 8, 8)
    data = Dataset(images, ["dog", "cat", "dog"])
    assert data.classes == ("cat", "dog")
    assert data.label is not None
    assert data.label.tolist() == [1, 0, 1]
    assert Dataset(images, np.array(["dog", "cat", "dog"]), classes=["dog", "cat", "cow"]).classes[2] == "cow"  # type: ignore[index]


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32, np.uint64, np.int8, np.bool_])
def test_labels_and_domains_may_be_whole_numbers_of_any_kind(kind: type) -> None:
    numbers: Any = np.array([0, 1, 1], dtype=kind)
    data = Dataset(torch.zeros(3, 1, 8, 8), numbers, domain=numbers)
    assert data.label is not None
    assert data.domain is not None
    assert data.label.tolist() == data.domain.tolist() == [0, 1, 1]


def test_images_between_0_and_1_bring_a_warning() -> None:
    with pytest.warns(UserWarning, match="2 \\* image - 1"):
        Dataset(torch.rand(4, 1, 8, 8))


def test_images_whose_channels_seem_to_be_last_bring_a_warning() -> None:
    with pytest.warns(UserWarning, match="permute"):
        Dataset(torch.zeros(4, 8, 8, 3))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda data, _: ANY_DATA(data.image, rank="2"), "rank = '2': give a whole number"),
        (lambda data, _: ANY_DATA(data.image, label=5), "5 is given: give one for each image"),
        (lambda _, __: ANY_DAMAGE("noisy", "0.1"), "strength = '0.1': give a number above 0"),
        (lambda _, __: ANY_FRAMES(torch.zeros(4, 6, 1, 8, 8), 2.5), "past = 2.5: give a whole number"),
        (lambda data, _: ANYHOW(data, "gan", images="20k"), "images = '20k': give a whole number, such as 200000"),
        (lambda data, _: ANYHOW(data, "gan", 64, seed=1.5), "seed = 1.5: give a whole number, such as 0"),
        (lambda data, _: ANYHOW(data, "gan", 64, device=None), "device = None: give a string, such as 'auto'"),
        (
            lambda data, _: ANYHOW(data, "gan", 64, threads=True),
            "threads = True: give a whole number or None",
        ),
        (lambda data, _: ANYHOW(data, "gan", 64, folder=3), "folder = 3: give a string or a path"),
        (lambda data, _: ANYHOW(data, 64), "family = 64: give a string"),
        (lambda _, model: model.sample("4"), "count = '4': give a whole number"),
        (lambda data, model: model.project(data.image, steps=1.5), "steps = 1.5: give a whole number, such as 200"),
        (
            lambda data, _: ANYHOW(data.image, "gan", 64),
            "data is a Tensor: give mintage.Dataset(image=...), as in train(data, family)",
        ),
        (
            lambda data, model: measure(model, data.image, data),
            "holdout is a Tensor: give mintage.Dataset(image=...), as in measure(model, holdout, train)",
        ),
        (
            lambda data, model: measure(data, model, data),
            "model is a Dataset: give a Model, such as run.model, as in measure(model, holdout, train)",
        ),
    ],
)
def test_an_argument_of_another_type_is_one_sentence_that_names_it(
    call: Callable[[Any, Any], object], sentence: str, digits: Dataset, model: Model
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}"):
        call(digits, model)


@pytest.mark.parametrize("four", [np.int64(4), np.array(4), torch.tensor(4), 4.0, np.float64(4)])
def test_whole_numbers_of_any_kind_are_numbers(four: Any, model: Model) -> None:
    assert torch.equal(model.sample(four, seed=four), model.sample(4, seed=4))


def test_arguments_of_numpy_and_torch_go_through_a_training_as_plain_ones(tmp_path: Path) -> None:
    names: Any = np.array(["cat", "dog"])
    data = Dataset(torch.zeros(32, 1, 8, 8), [0, 1] * 16, classes=names)
    changes = {**TINY, "batch_size": np.int64(16), "generator": {"learning_rate": np.float32(0.001)}}
    folder, device = PurePosixPath(tmp_path), torch.device("cpu")
    ANYHOW(data, "cgan", 3.2e1, changes, seed=np.int64(3), device=device, folder=folder, progress=False)
    assert load(tmp_path).classes == ("cat", "dog")


@pytest.mark.parametrize("truth", [True, np.True_, torch.tensor(True)])
def test_true_is_no_number(truth: Any, model: Model) -> None:
    with pytest.raises(ValueError, match="give a whole number"):
        model.sample(truth)


def test_data_and_models_say_what_they_are(digits: Dataset, model: Model) -> None:
    assert repr(digits) == "Dataset(1797 images of [1, 8, 8], 10 classes)"
    assert repr(model).startswith("Model(shape=[1, 8, 8], classes=['digit 0', ")


def test_samples_of_a_seed_begin_alike_whatever_their_number(model: Model) -> None:
    few, many = model.sample(3, seed=5), model.sample(70, seed=5)
    assert many.shape == (70, 1, 8, 8)
    assert torch.equal(many[:3], few)
    assert not torch.equal(model.sample(3, seed=6), few)


def test_a_class_is_asked_for_by_name_or_number_or_several_in_turn(model: Model) -> None:
    by_name = model.sample(4, label="digit 3")
    assert torch.equal(by_name, model.sample(4, label=3))
    mixed = model.sample(4, label=["digit 3", 5])
    assert torch.equal(mixed[0::2], by_name[0::2])
    assert not torch.equal(mixed[1::2], by_name[1::2])
    with pytest.raises(ValueError, match="ask for one of digit 0"):
        model.sample(1, label="digit 10")
    with pytest.raises(ValueError, match="no class -1"):
        model.sample(1, label=-1)


@pytest.mark.parametrize("given", [torch.tensor, np.array, lambda labels: [np.int64(label) for label in labels]])
def test_classes_may_be_asked_for_by_a_tensor_or_an_array(given: Any, digits: Dataset, model: Model) -> None:
    labels, images = [3, 5, 3], digits.image[:3]
    assert torch.equal(model.sample(3, label=given(labels)), model.sample(3, label=labels))
    assert torch.equal(model.sample(2, label=given([5])[0]), model.sample(2, label=5))
    known = [model.project(images, label=named, steps=0).condition for named in (given(labels), given([5])[0])]
    assert [one.tolist() for one in known if one is not None] == [labels, [5, 5, 5]]
    refused: list[Any] = [given([0, 10]), torch.tensor([0.5]), True, []]
    for wrong in refused:
        with pytest.raises(ValueError, match=r"there is no class|no class is named"):
            model.sample(2, label=wrong)


def test_what_a_model_makes_can_be_changed_in_place_and_learned_from(digits: Dataset, model: Model) -> None:
    pictures = Dataset(torch.rand(8, 1, 16, 16) * 2 - 1)
    encoding = train(pictures, "vae_gan", 16, {"width": 4, "batch_size": 8}, progress=False).model
    latents = torch.zeros(2, model.latent_size)
    for made in (
        model.sample(2),
        model.decode(latents),
        model.project(digits.image[:1], steps=0).images,
        encoding.encode(pictures.image),
    ):
        made.add_(1)
        assert made.requires_grad_().sum().requires_grad


def test_a_class_beside_attributes_is_refused_and_so_is_none_of_several(digits: Dataset, model: Model) -> None:
    dark = Dataset(digits.image[:8], attributes={"dark": [True, False] * 4})
    of_attributes = train(dark, "cgan", 16, {**TINY, "condition": "attributes"}, progress=False).model
    with pytest.raises(ValueError, match="takes no class"):
        of_attributes.sample(1, label=0, attributes={"dark": True})
    with pytest.raises(ValueError, match="no class is named"):
        model.sample(1, label=[])
    with pytest.raises(ValueError, match=r"latents are \[0, 8\]"):
        model.decode(torch.zeros(0, 8))


@pytest.mark.parametrize(
    ("how", "part"),
    [
        ({"precision": "bf16"}, "precision = 'bf16': did you mean 'bfloat16'"),
        ({"precision": "double"}, "precision = 'double' is not one of 'auto'"),
        ({"device": "gpu"}, "no device 'gpu': give auto, cpu, cuda or cuda:N"),
        ({"device": "meta"}, "no device 'meta'"),
    ],
)
def test_a_device_or_precision_that_is_none_is_refused(digits: Dataset, how: dict[str, str], part: str) -> None:
    with pytest.raises(ValueError, match=part):
        train(
            digits,
            "gan",
            16,
            TINY,
            progress=False,
            device=how.get("device", "cpu"),
            precision=how.get("precision", "auto"),
        )


def test_no_images_are_neither_sampled_nor_trained_on(digits: Dataset, model: Model) -> None:
    with pytest.raises(ValueError, match="count = 0"):
        model.sample(0)
    for images, threads, named in ((0, 1, "images"), (64, 0, "threads")):
        with pytest.raises(ValueError, match=f"^{named} = 0: give 1 or more"):
            train(digits, "gan", images, TINY, threads=threads, progress=False)


def test_a_training_takes_the_threads_that_it_is_given_and_leaves_torch_s_own() -> None:
    before = torch.get_num_threads()
    for count, expected in ((1, 1), (2, 2), (None, before)):
        with thread_count(count):
            assert torch.get_num_threads() == expected
        assert torch.get_num_threads() == before


def test_a_model_that_takes_no_class_refuses_one(digits: Dataset) -> None:
    model = train(digits, "gan", images=64, recipe=TINY, progress=False).model
    assert model.classes is None
    with pytest.raises(ValueError, match="takes no class"):
        model.sample(1, label=0)


def test_a_saved_model_loads_and_makes_the_same_images(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "mine")
    assert torch.equal(load(tmp_path / "mine").sample(5, seed=1), model.sample(5, seed=1))


def test_a_folder_that_holds_no_model_or_a_damaged_one_is_refused(model: Model, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="is not there"):
        load(tmp_path / "nothing")
    model.save(tmp_path)
    weights = tmp_path / "generator.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(ReleaseError, match="cannot be loaded"):
        load(tmp_path)


def test_images_with_a_gradient_behind_them_are_taken_as_they_are() -> None:
    images = torch.rand(16, 1, 8, 8).requires_grad_() * 2 - 1
    assert train(Dataset(images), "gan", 32, TINY, progress=False).images == 32


@pytest.mark.parametrize(
    ("family", "recipe", "part"),
    [
        ("cgann", {}, "family = 'cgann': did you mean 'cgan'"),
        ("cgan", {"widht": 8}, "did you mean 'width'"),
        ("cgan", {"generator": {"learning_rat": 1}}, "did you mean 'learning_rate'"),
        ("cgan", {"objective": "hinge", "label_smoothing": 0.1}, "cgan: "),
    ],
)
def test_a_family_or_recipe_that_does_not_go_is_refused(
    digits: Dataset, family: str, recipe: dict[str, Any], part: str
) -> None:
    with pytest.raises(ValueError, match=part):
        train(digits, family, 16, recipe, progress=False)


def test_real_images_reach_their_floor_and_noise_is_far_from_it(digits: Dataset, model: Model) -> None:
    """An untrained generator stands for noise."""
    half = torch.arange(len(digits)) % 2 == 0
    seen, held = digits.rows(half.nonzero().squeeze(1)), digits.rows((~half).nonzero().squeeze(1))
    table = measure(model, held, seen, evaluator_images=6000)
    assert set(table) >= {"frechet_distance", "kernel_distance", "coverage", "classifier_score", "conditional_accuracy"}
    assert table["frechet_distance"].value > 10 * table["frechet_distance"].floor
    assert table["conditional_accuracy"].floor > 0.8
    assert table["coverage"].value < table["coverage"].floor
    with pytest.raises(KeyError, match="did you mean 'frechet_distance'"):
        table["fid"]
    assert table == measure(model, held, seen, evaluator_images=6000)


def test_the_floor_of_a_model_that_is_asked_for_classes_is_of_as_many_images_of_each(digits: Dataset) -> None:
    """Held out are few zeros, and many that a floor by chance would have in their place."""
    assert digits.label is not None
    zeros = digits.label == 0
    held = digits.rows(torch.cat([(~zeros).nonzero()[::9, 0], zeros.nonzero()[:2, 0]]))
    models = [train(digits, family, images=16, recipe=TINY, progress=False).model for family in ("gan", "cgan")]
    tables = [measure(model, held, digits, evaluator_images=6000) for model in models]
    by_chance, asked = (table["frechet_distance"].floor for table in tables)
    assert asked < 0.7 * by_chance


@pytest.mark.parametrize("family", ["cgan", "cogan", "discogan"])
def test_the_floor_of_accuracy_is_of_held_out_images_which_the_classifier_did_not_see(
    digits: Dataset, family: str
) -> None:
    """Each held-out image has a wrong label, so that the classifier is right on training images alone."""
    assert digits.label is not None
    domains: dict[str, Any] = {}
    if family != "cgan":
        domains = {"domain": torch.arange(len(digits)) % 2, "domains": ("day", "night")}
    seen, held = (Dataset(digits.image, label, **domains) for label in (digits.label, (digits.label + 1) % 10))
    recipe = {"width": 4, "batch_size": 8}
    model = train(seen, family, images=8, recipe=recipe, progress=False).model
    table = measure(model, held, seen, evaluator_images=3000, to="day" if domains else None)
    assert table["conditional_accuracy"].floor < 0.1


def test_images_that_do_not_fit_the_model_are_not_compared(digits: Dataset, model: Model) -> None:
    with pytest.raises(ValueError, match="at least"):
        measure(model, digits.rows(torch.arange(12)))
    with pytest.raises(ValueError, match="the model's are"):
        measure(model, Dataset(image=torch.zeros(40, 3, 8, 8)))
    with pytest.raises(ValueError, match="the model's classes"):
        measure(model, Dataset(image=torch.zeros(40, 1, 8, 8), label=[0, 1] * 20))
    with pytest.raises(ValueError, match="evaluator_images = 0: give 1 or more"):
        measure(model, digits, evaluator_images=0)


@pytest.mark.parametrize(
    "module",
    ["mintage", "mintage.arguments", "mintage.dataset", "mintage.model", "mintage.training", "mintage.measuring"],
)
def test_the_examples_of_the_docstrings_run(module: str) -> None:
    found = doctest.testmod(importlib.import_module(module))
    assert found.attempted > 0
    assert found.failed == 0
