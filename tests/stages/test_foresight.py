"""What a later stage would refuse is refused by the first that can know it, with a way out that works."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mintage import catalog
from mintage.dataset import Signature
from mintage.families import FAMILIES, resolve
from mintage.recipes import condition_of, joins_attributes
from mintage.rules import refusal
from stages.advise import table_of
from stages.check import check
from stages.common.foresight import (
    BETWEEN_DOMAINS,
    BY_CLASSES,
    OF_PICTURES_ALONE,
    Known,
    foreseen,
    learns_from_attributes,
    learns_from_labels,
    require_fit,
)
from stages.common.params import Guard, Params, load_params
from stages.media.images import Images
from stages.media.medium import Medium
from stages.media.rolls import Rolls
from stages.media.sounds import Sounds
from stages.media.volumes import Volumes
from stages.sources import medium_from, open_source
from stages.sources.ring import MEDIUM as RING
from stages.sources.sentences import MEDIUM as LINES
from tests.refusals import refused
from tests.stages.source_files import run_stage_in, write_tree
from tests.stages.tiny_data import ROOT, write_params

IMAGES = Images()
PICTURES = Known((3, 32, 32), IMAGES, classes=10)
UNLABELED = Known((3, 32, 32), IMAGES, classes=0)
PARAMS = load_params(ROOT / "params.yaml")


def changed(**sections: dict[str, Any]) -> Params:
    return PARAMS.model_copy(
        update={name: getattr(PARAMS, name).model_copy(update=values) for name, values in sections.items()}
    )


def test_what_is_known_of_the_families_without_torch_is_what_the_families_are() -> None:
    recipes = [
        *(resolve(name, {}) for name in FAMILIES),
        *(
            resolve("gan", {"discriminator": {"conditioning": one}})
            for one in catalog.names("discriminator_conditioning")
        ),
        *(resolve("gan", {"generator": {"conditioning": one}}) for one in catalog.names("generator_conditioning")),
    ]
    assert [condition_of(recipe) == "label" for recipe in recipes] == [learns_from_labels(recipe) for recipe in recipes]
    assert [condition_of(recipe) == "attributes" or joins_attributes(recipe) for recipe in recipes] == [
        learns_from_attributes(recipe) for recipe in recipes
    ]
    assert {name for name in catalog.names("game") if catalog.load("game", name).of_domains} == BETWEEN_DOMAINS
    assert {name for name in catalog.names("game") if catalog.load("game", name).learns_classes} == BY_CLASSES
    assert {
        name for name in catalog.names("network") if not catalog.load("network", name).has_maps
    } == catalog.WITHOUT_MAPS
    ranks = {name: catalog.load("network", name).ranks for name in catalog.BUILT_IN["network"]}
    assert {name for name, found in ranks.items() if found != (2,)} == catalog.OF_ANY_SIDES
    assert {name for name in catalog.names("network") if catalog.load("network", name).writes} == catalog.WRITING


@pytest.mark.tried(
    "a family that writes words, of pictures",
    "train.family = '...' writes words, and these are images: set train.family to infogan",
)
@pytest.mark.parametrize("family", ["seqgan", "lstm"])
def test_a_family_of_words_is_refused_for_pictures_before_anything_runs(
    read: Callable[[str], None], family: str
) -> None:
    (sentence,) = foreseen(changed(train={"family": family}), UNLABELED)
    read(sentence)


@pytest.mark.parametrize(
    "data",
    [
        {"classes": 10},
        {"classes": 1},
        {"paired": True},
        {"paired": True, "smaller": True},
        {"attributes": True, "attribute_names": ("hat",)},
        {"domains": True},
        {"shape": (1, 8, 8, 8), "medium": Volumes()},
    ],
)
def test_the_family_that_a_sentence_names_fits_the_data(data: dict[str, Any]) -> None:
    known = replace(UNLABELED, **{"paired": False, "attributes": False, "domains": False} | data)
    (sentence,) = foreseen(changed(train={"family": "lstm"}), known)
    named = sentence.rpartition("set train.family to ")[2]
    assert foreseen(changed(train={"family": named}), known) == []
    assert (named == "cgan") == (known.classes == 10)


@pytest.mark.tried(
    "a family of pictures, of lines of text",
    "train.family = '...' makes no words, and these are lines: set train.family to lstm",
)
@pytest.mark.parametrize("family", ["cgan", "gan", "pix2pix", "gan3d"])
def test_a_family_that_writes_no_words_is_refused_for_lines(read: Callable[[str], None], family: str) -> None:
    lines = Known((1, 1, LINES.length), LINES, 0)
    (sentence,) = foreseen(changed(train={"family": family}), lines)
    read(sentence)
    assert foreseen(changed(train={"family": "lstm"}, select={"metric": "counted_surprise"}), lines) == []


@pytest.mark.parametrize("family", [name for name, recipe in FAMILIES.items() if learns_from_labels(recipe)])
@pytest.mark.parametrize(
    "classes",
    [
        pytest.param(
            0,
            marks=pytest.mark.tried(
                "pictures without labels, and a conditional family",
                "train.family = '...' learns from labels, and this data has no labels: set train.family to "
                "..., which needs none",
            ),
        ),
        pytest.param(
            1,
            marks=pytest.mark.tried(
                "pictures of one class, and a conditional family",
                "train.family = '...' learns from labels, and this data is all of one class: set train.family to "
                "..., which needs none",
            ),
        ),
    ],
)
def test_a_family_that_learns_from_labels_is_refused_with_one_that_fits(
    read: Callable[[str], None], family: str, classes: int
) -> None:
    (sentence,) = foreseen(changed(train={"family": family}), Known((3, 32, 32), IMAGES, classes=classes))
    read(sentence)
    named = sentence.split("set train.family to ")[1].split(",")[0]
    assert refusal(resolve(named, {}), Signature((3, 32, 32))) is None
    why = refusal(resolve(family, {}), Signature((3, 32, 32), ("only",) * classes or None))
    assert f"such as {named}" in str(why), "the library names the same"


def test_the_family_that_is_named_for_pictures_without_labels_is_the_best_that_was_measured() -> None:
    rows = table_of((ROOT / "docs/families.md").read_text(), "All families under one protocol")
    reached = {
        row["family"]: float(row["Frechet in 20 CPU s: selected"].split()[0])
        for row in rows
        if row["family"] in FAMILIES and not learns_from_labels(FAMILIES[row["family"]])
    }
    assert min(reached, key=reached.__getitem__) == OF_PICTURES_ALONE


@pytest.mark.tried(
    "pictures without attributes, and a family that learns from some",
    "train.family = 'sngan_attributes' learns from attributes, and images have none: set ingest.attributes, or another "
    "family",
)
def test_a_family_that_learns_from_attributes_is_refused_where_there_are_none(read: Callable[[str], None]) -> None:
    without, having = (Known((3, 32, 32), IMAGES, classes=0, attributes=one) for one in (False, True))
    (sentence,) = foreseen(changed(train={"family": "sngan_attributes"}), without)
    read(sentence)
    assert foreseen(changed(train={"family": "sngan_attributes"}), having) == []
    (other,) = foreseen(changed(train={"family": "cgan"}, sample={"attributes": {"smile": True}}), having)
    assert "set train.family to sngan_attributes" in other


def test_attributes_that_no_model_takes_are_refused_before_anything_is_trained() -> None:
    (sentence,) = foreseen(changed(sample={"attributes": {"smile": True}}), PICTURES)
    assert sentence.startswith("sample.attributes = {'smile': True}, and train.family = 'cgan' is told no attributes")


def test_a_word_that_no_image_has_is_refused_as_soon_as_the_words_are_known() -> None:
    asked = changed(train={"family": "sngan_attributes"}, sample={"attributes": {"hair": "purple"}})
    having = Known((3, 32, 32), IMAGES, classes=0, attributes=True)
    assert foreseen(asked, having) == []
    (sentence,) = foreseen(asked, replace(having, attribute_names=("hair=red", "hair=black")))
    assert sentence == "sample.attributes: there is no hair 'purple': ask for red or black"
    assert foreseen(asked, replace(having, attribute_names=("hair=red", "hair=purple"))) == []


def test_pictures_too_small_for_a_family_are_to_be_made_larger() -> None:
    (sentence,) = foreseen(changed(train={"family": "dcgan"}), replace(PICTURES, shape=(1, 4, 8)))
    assert sentence.endswith("and these are 8 x 4: set normalize.height and width to 8 or more"), "no family of points"


@pytest.mark.tried(
    "points, and a family of images",
    "train.family = 'dcgan' makes images of 8 x 8 and more, and these are 2 x 1: set train.family to modern_points, "
    "or gan",
)
@pytest.mark.tried(
    "points without labels, and a conditional family",
    "train.family = 'cgan' learns from labels, and this data has no labels: set train.family to modern_points, which "
    "needs none",
)
def test_images_too_small_for_a_family_and_points_without_labels_are_told_of_one_for_points(
    read: Callable[[str], None],
) -> None:
    (small,) = foreseen(changed(train={"family": "dcgan"}), Known((1, 1, 2), RING))
    read(small)
    (unlabeled,) = foreseen(PARAMS, Known((1, 1, 2), RING, classes=0))
    read(unlabeled)
    assert foreseen(changed(train={"family": "modern_points"}), Known((1, 1, 2), RING, classes=0)) == []


@pytest.mark.parametrize(
    "sections",
    [
        pytest.param(
            {"train": {"family": "dcgan"}, "select": {"metric": "class_frechet_distance"}},
            marks=pytest.mark.tried(
                "an unconditional family, and a metric of classes",
                "select.metric names 'class_frechet_distance', which is of classes, and train.family = 'dcgan' is "
                "told none: name another metric, or a conditional family",
            ),
        ),
        pytest.param(
            {"train": {"family": "dcgan"}, "select": {"metric": "reconstruction_retrieval"}},
            marks=pytest.mark.tried(
                "a family without an encoder, and a metric of one",
                "select.metric names 'reconstruction_retrieval', which is of an encoder, and train.family = 'dcgan' "
                "learns none: name another metric, or a family such as vae_gan",
            ),
        ),
        pytest.param(
            {"train": {"family": "dcgan"}, "sample": {"classes": [1]}},
            marks=pytest.mark.tried(
                "an unconditional family, and `sample.classes: [1]`",
                "sample.classes = [1], and train.family = 'dcgan' is told no class: set it to []",
            ),
        ),
        pytest.param(
            {"sample": {"classes": [3, 10]}},
            marks=pytest.mark.tried(
                "`sample.classes: [3, 10]` of ten classes",
                "sample.classes names label 10, and there are 10, from 0 to 9",
            ),
        ),
        pytest.param(
            {"sample": {"arithmetic": [[0], [1], [12]]}},
            marks=pytest.mark.tried(
                "`sample.arithmetic: [[0], [1], [12]]` of ten classes",
                "sample.arithmetic names label 12, and there are 10, from 0 to 9",
            ),
        ),
    ],
)
def test_metrics_and_labels_that_no_model_of_the_family_has_are_told_before_it_is_trained(
    read: Callable[[str], None], sections: dict[str, dict[str, Any]]
) -> None:
    (sentence,) = foreseen(changed(**sections), PICTURES)
    read(sentence)


@pytest.mark.parametrize("key", ["metric", "guards"])
def test_a_metric_that_needs_what_only_another_medium_offers_is_refused(key: str) -> None:
    guard = Guard(metric="reverse_kl", at_most=1.0)
    asked = changed(select={"metric": "reverse_kl"} if key == "metric" else {"guards": [guard]})
    (sentence,) = foreseen(asked, PICTURES)
    words = "names 'reverse_kl', which is of points whose truth is known: name another metric"
    assert sentence == f"select.{key} {words}"
    assert foreseen(asked, Known((1, 1, 2), RING, classes=8)) == foreseen(PARAMS, Known((1, 1, 2), RING, classes=8))


@pytest.mark.parametrize("metric", ["ssim", "luminance_correlation"])
def test_bars_of_music_are_not_selected_by_light_and_dark(metric: str) -> None:
    bars = Known((1, 16, 24), Rolls(48, 24), paired=True)
    asked = {"train": {"family": "midinet_following"}, "select": {"metric": metric}}
    (sentence,) = foreseen(changed(**asked), bars)
    assert sentence.startswith(f"select.metric names '{metric}', which is of ")


def test_what_an_override_of_the_conditioning_makes_of_a_family_is_left_to_the_training() -> None:
    recipe = {player: {"conditioning": "none"} for player in ("generator", "discriminator")}
    assert foreseen(changed(train={"recipe": recipe}), UNLABELED) == []


def test_the_stage_that_asks_is_told_all_of_it(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    write_params(tmp_path, {"sample.classes": [99]})
    monkeypatch.chdir(tmp_path)
    require_fit(Known((1, 8, 8), IMAGES))
    with refused("params-do-not-fit", "params.yaml: train.family = 'cgan' learns from labels"):
        require_fit(UNLABELED)


@pytest.mark.tried(
    "a family that turns volumes, where `normalize.depth` and `width` differ",
    "set train.recipe.augment to [mirrors], or normalize.depth and width to one number",
)
def test_volumes_that_a_quarter_turn_would_reshape_are_told_with_all_that_is_to_change(
    read: Callable[[str], None],
) -> None:
    known, family = Known((1, 12, 14, 16), Volumes(), classes=0), {"family": "gan3d"}
    turning = {**family, "recipe": {"augment": ["turns", "mirrors"]}}
    (sentence,) = foreseen(changed(train=turning), known)
    read(sentence)
    assert "depth and width must be equal, and these have 14 and 16" in sentence
    assert foreseen(changed(train=turning), replace(known, shape=(1, 12, 16, 16))) == []
    assert foreseen(changed(train=family), known) == []


@pytest.mark.parametrize(
    ("medium", "shape", "family"), [(Sounds(), (1, 4096), "segan"), (Rolls(60, 28), (1, 16, 28), "midinet_following")]
)
def test_data_with_partners_are_told_the_family_that_learns_from_them(
    medium: Medium, shape: tuple[int, ...], family: str
) -> None:
    known = Known(shape, medium, classes=0, paired=True)
    assert f"set train.family to {family}" in foreseen(changed(train={"family": "seqgan"}), known)[0]


def test_a_family_of_one_voice_is_no_family_of_chords_until_it_writes_each_pitch_by_itself() -> None:
    known = Known((1, 16, 60), Rolls(36, 60, "many"), classes=0, paired=False)
    [problem] = foreseen(changed(train={"family": "midinet"}), known)
    assert "train.recipe.network to midinet" in problem
    assert "bars of several" in problem
    assert not foreseen(changed(train={"family": "midinet", "recipe": {"network": "midinet"}}), known)
    assert not foreseen(
        changed(train={"family": "midinet"}), Known((1, 16, 28), Rolls(60, 28), classes=0, paired=False)
    )


@pytest.mark.parametrize("source", ["ring", "grid", "gaussian"])
def test_the_check_knows_the_shape_of_points_as_their_source_does(source: str) -> None:
    ingest = PARAMS.ingest.model_copy(update={"source": source})
    assert open_source(ingest).medium == medium_from(ingest)
    with refused("params-do-not-fit", f"source '{source}': the points have ", "width to "):
        check(changed(ingest={"source": source}), [], ROOT)


@pytest.mark.parametrize(("source", "options"), [("text", {"length": 16}), ("rolls", {"lowest": 55, "pitches": 28})])
def test_the_check_knows_the_shape_that_a_sources_options_ask_for(source: str, options: dict[str, Any]) -> None:
    asked = {"source": source, "options": options, "path": str(ROOT / "docs")}
    family = {"family": {"text": "lstm", "rolls": "midinet"}[source]}
    height, width = (1, 16) if source == "text" else (16, 28)
    check(changed(ingest=asked, normalize={"height": height, "width": width}, train=family), [], ROOT)
    with refused("params-do-not-fit", "must keep them", f"channels to 1, height to {height}, width to {width}"):
        check(changed(ingest=asked, normalize={"height": height, "width": width - 4}, train=family), [], ROOT)


@pytest.mark.parametrize(
    ("source", "options", "family"),
    [
        ("sounds", {"noise": "noise"}, "segan"),
        ("rolls", {"previous": True, "pitches": 28}, "midinet_following"),
        ("rolls", {"previous": True, "chords": True, "pitches": 28}, "midinet_both"),
        ("parquet", {"partner": "photo"}, "pix2pix"),
        ("s3", {"url": "s3://bucket/prefix", "columns": {"partner": "photo"}}, "pix2pix"),
    ],
)
def test_partners_that_a_sources_options_ask_for_are_known_before_anything_is_read(
    source: str, options: dict[str, Any], family: str
) -> None:
    asked = {"source": source, "options": options, "path": str(ROOT / "docs")}
    sides: dict[str, dict[str, Any]] = {"sounds": {"length": 4096, "fit": "crop"}, "rolls": {"height": 16, "width": 28}}
    check(changed(ingest=asked, normalize=sides.get(source, {}), train={"family": family}), [], ROOT)


@pytest.mark.tried(
    "`select.features: inception` without its weights",
    "params.yaml: select.inception.path = 'pt_inception.pth' is missing: bring that file, or set features to domain",
)
def test_weights_that_are_missing_are_told_before_the_training_whose_images_they_would_measure(
    read: Callable[[str], None],
) -> None:
    weights = {"path": "pt_inception.pth", "sha256": "0" * 64}
    select = PARAMS.select.model_validate(PARAMS.select.model_dump() | {"features": "inception", "inception": weights})
    with refused("params-do-not-fit") as refusal:
        check(PARAMS.model_copy(update={"select": select}), [], ROOT)
    read(str(refusal.value))


@pytest.mark.tried(
    "`python -m stages.ingest` of a folder without classes, with the family as it is",
    "train.family = 'cgan' learns from labels, and this data has no labels: set train.family to infogan, which",
)
def test_what_names_tell_of_the_data_is_compared_with_the_family_before_an_image_is_read(
    tmp_path: Path, read: Callable[[str], None]
) -> None:
    write_tree(tmp_path / "tree", {"": 5})
    run = run_stage_in(tmp_path, "ingest", {"ingest.source": "folder", "ingest.path": "tree"})
    read(run.stderr)
    assert run.stderr.index("note: ") < run.stderr.index("ingest:"), "before the bar"
    assert run.returncode == 0, "another family may learn from them"
