"""What a later stage would refuse, reported as soon as it is known: nothing is trained if params do not fit the data.

Here are a few facts about the names in recipes, which would otherwise need torch; a test compares them with `mintage`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mintage.attribute_names import asked_values
from mintage.catalog import BUILT_IN, ENCODING, ENLARGING, INVERTING, OF_ANY_SIDES, OF_ONE_VOICE, WITHOUT_MAPS, WRITING
from mintage.families import FAMILIES, recipe_of
from mintage.recipes import OF_GENERATORS, OF_IMAGES, OF_ONE_DISCRIMINATOR, OF_TWO_PLAYERS, Recipe, set_axes
from stages.common.errors import UserError
from stages.common.params import Normalize, Params, Sample, Select, load_params
from stages.common.train_params import Train
from stages.media import medium_of, words_for
from stages.media.medium import Medium
from stages.selection.metrics import METRICS

LABELED = {"concat", "product", "repeat", "projection", "auxiliary", "semi_supervised"}
"""Conditionings of a discriminator that learn from labels."""
TRANSLATES = "source"
"""The conditioning of a generator that translates."""
OF_DOMAINS = "domain"
"""The conditioning of a generator that makes images of both of two domains from one latent."""
BETWEEN_DOMAINS = {"unpaired", "transfer", "siamese", "coupled"}
"""Games with two domains without pairs."""
BY_CLASSES = {"transfer"}
"""Games that also learn from the classes of both domains."""
ATTRIBUTES = "sngan_attributes"
"""The family that learns from attributes, of pictures."""
OF_PICTURES_ALONE = "infogan"
"""The family for pictures without labels, by the figures of docs/families.md."""
SAME_SIZE = set(BUILT_IN["network"]) - ENLARGING
OF_PICTURES = set(BUILT_IN["network"]) - OF_ANY_SIDES
SMALLEST = 8
_OF_MODELS = (
    "pairs", "domains", "pairs of pictures", "pairs of sounds", "source pictures", "masks", "colors", "attributes",
    "encoder",
)  # fmt: skip
"""What a metric may need that the medium alone does not decide."""
_WITHOUT_ENCODER = set(BUILT_IN["game"]) - ENCODING
ABSENT = {
    "unpaired": OF_ONE_DISCRIMINATOR,
    "transfer": OF_ONE_DISCRIMINATOR,
    "siamese": OF_ONE_DISCRIMINATOR,
    "policy": OF_IMAGES,
    "autoencoding": OF_TWO_PLAYERS,
    "inversion": OF_GENERATORS,
}
"""Axes of recipes that a game does not have."""
_OF_CLASSES = {"conditional_accuracy", "class_frechet_distance"}


@dataclass(frozen=True)
class Known:
    """What is known about the data so far."""

    shape: tuple[int, ...]
    """(C, *S)."""
    medium: Medium
    classes: int | None = None
    """The number of classes, 0 without labels; None if unknown."""
    paired: bool | None = None
    """Whether each image comes with a partner; None if unknown."""
    attributes: bool | None = None
    """Whether images have attributes; None if unknown."""
    attribute_names: tuple[str, ...] = ()
    """Names of the attributes; empty if unknown."""
    domains: bool | None = None
    """Whether there are two domains without pairs; None if unknown."""
    smaller: bool = False
    """Whether partners are smaller than images."""
    maps: int = 0
    """How many pictures join each partner as more channels."""
    class_names: tuple[str, ...] = ()
    """Names of the classes, by label; empty if unknown."""

    @property
    def few_classes(self) -> bool:
        """Whether there are known to be no classes to tell apart."""
        return self.classes is not None and self.classes < 2


def known_of(manifest: Mapping[str, Any]) -> Known:
    """What the manifest of normalized images contains."""
    names, shape, partner = tuple(manifest["attributes"] or ()), tuple(manifest["shape"]), manifest["partner_shape"]
    return Known(
        shape=shape,
        medium=medium_of(manifest),
        classes=len(manifest["classes"] or ()),
        paired=partner is not None,
        attributes=bool(names),
        attribute_names=names,
        domains=manifest["domains"] is not None,
        smaller=partner is not None and tuple(partner[1:]) != shape[1:],
    )


def require_fit(known: Known) -> None:
    """Raise a UserError that names everything in params.yaml that a later stage would refuse with these data."""
    if problems := foreseen(load_params(), known):
        raise UserError("params-do-not-fit", "; ".join(f"params.yaml: {problem}" for problem in problems))


def foreseen_of_names(known: Callable[[Normalize], Known]) -> list[str]:
    """What `require_fit` will refuse, as far as the names in a source show before an image is read."""
    params = load_params()
    return foreseen(params, known(params.normalize))


def foreseen(params: Params, known: Known) -> list[str]:
    """Sentences on what does not fit; the effects of most overrides of a family's axes are left to the stage."""
    train = params.train
    of_training = (_family(params, known), _axes(train), _voices(train, known), _metrics(params.select, train, known))
    of_parts = (*of_training, _labels(params, known), _attributes(params, known))
    return [problem for problems in of_parts for problem in problems]


def _family(params: Params, known: Known) -> Iterator[str]:
    train = params.train
    shown, recipe, many = f"train.family = {train.family!r}", train.whole_recipe, known.medium.words.many
    if makes := _other_kind(recipe, known):
        yield f"{shown} {makes}, and these are {many}: set train.family to {_fitting(known)}"
        return
    yield from _domains(params, recipe, known) if recipe.game in BETWEEN_DOMAINS else _pairs(shown, recipe, known)
    of_conditions = list(_conditions(shown, train, known))
    yield from of_conditions or _sides(shown, recipe, known)


def _other_kind(recipe: Recipe, known: Known) -> str | None:
    """What the family makes in place of such data; None if it can make these."""
    if (recipe.network in WRITING) != known.medium.is_text:
        return "writes words" if recipe.network in WRITING else "makes no words"
    return "makes pictures" if len(known.shape) != 3 and recipe.network in OF_PICTURES else None


def _pairs(shown: str, recipe: Recipe, known: Known) -> Iterator[str]:
    """Sentences on domains or partners that are not those of the family."""
    medium, translates = known.medium, recipe.generator.conditioning == TRANSLATES
    if known.domains:
        fits = "set it to cyclegan, or ingest.domains to null, which takes all images alike"
        yield f"{shown} has no use of two domains: {fits}"
    elif translates and known.paired is False:
        lacks = f"your {medium.words.many} have no partner"
        yield f"{shown} needs pairs, and {lacks}: set {medium.pairs_by}, or another family"
    elif translates and known.smaller and recipe.network in SAME_SIZE:
        yield f"{shown} makes images as large as their sources, and these are smaller: set train.family to srgan"


def _conditions(shown: str, train: Train, known: Known) -> Iterator[str]:
    """Sentences on labels or attributes from which the family learns, and which the data do not have."""
    recipe, medium, many = train.whole_recipe, known.medium, known.medium.words.many
    if learns_from_attributes(recipe) and known.attributes is False:
        yield f"{shown} learns from attributes, and {many} have none: set {medium.attributes_by}, or another family"
    elif learns_from_labels(recipe) and known.attributes:
        fits = medium.attributes_family or ATTRIBUTES
        yield f"{shown} learns from labels, and {many} have attributes in their place: set train.family to {fits}"
    elif learns_from_labels(recipe) and _plain(train) and known.few_classes:
        have = "has no labels" if known.classes == 0 else "is all of one class"
        fits = medium.unconditional_family or OF_PICTURES_ALONE
        yield f"{shown} learns from labels, and this data {have}: set train.family to {fits}, which needs none"


def _axes(train: Train) -> Iterator[str]:
    """Sentences on axes that the family does not have with any data."""
    recipe, shown = train.whole_recipe, f"train.family = {train.family!r}"
    if found := set_axes(recipe, ABSENT.get(recipe.game, ())):
        named = " and ".join(f"train.recipe.{axis}" for axis in found)
        yield f"{shown} has no {' and no '.join(found)}: leave {named} out"
    elif recipe.generator.conditioning == TRANSLATES and recipe.augment:
        why = "makes images of images, and one that is moved no longer fits its source"
        yield f"{shown} {why}: leave train.recipe.augment out"


def _domains(params: Params, recipe: Recipe, known: Known) -> Iterator[str]:
    """Sentences on a family of two domains."""
    shown = f"train.family = {params.train.family!r}"
    if known.domains is False:
        yield f"{shown} learns from two domains without pairs: name them in ingest.domains, or another family"
    if known.paired:
        yield f"{shown} learns without pairs: {_without_pairs(params, known.medium)}"
    if recipe.game in BY_CLASSES and known.few_classes:
        yield f"{shown} learns from the classes of both domains, and these tell none apart: set it to cyclegan"


def _without_pairs(params: Params, medium: Medium) -> str:
    """The end of a sentence for data with pairs: the params that make them, and the family that learns from them."""
    makers = {
        "normalize.partner": params.normalize.partner,
        "ingest.pairs": params.ingest.pairs,
        "ingest.scenes": params.ingest.scenes,
    }
    named, fits = [name for name, value in makers.items() if value is not None], medium.paired_family or "pix2pix"
    if not named:
        return f"{medium.words.many} have partners here: set it to {fits}"
    return f"set {' and '.join(named)} to null, or it to {fits}"


def _voices(train: Train, known: Known) -> Iterator[str]:
    network = train.whole_recipe.network
    if known.medium.chords and network in OF_ONE_VOICE:
        many, fits = known.medium.words.many, f"train.recipe.network to {OF_ONE_VOICE[network]}"
        yield (
            f"train.family = {train.family!r} writes one voice, and these are {many} of several: set {fits}, or "
            "ingest.options.voices to one"
        )


def _sides(shown: str, recipe: Recipe, known: Known) -> Iterator[str]:
    if recipe.network not in WITHOUT_MAPS and 0 < min(known.shape[1:]) < SMALLEST:
        size = " x ".join(map(str, known.shape[:0:-1]))
        of_size = known.medium.shape is None and known.medium.of_pictures
        fits = f"train.family to {', or '.join(_for_few_pixels())}"
        larger = "normalize.height and width to 8 or more"
        yield f"{shown} makes images of 8 x 8 and more, and these are {size}: set {larger if of_size else fits}"
    elif changes := changes_for(recipe, known.shape):
        high, wide = known.medium.sides[-2:]
        yield (
            f"{shown} turns {known.medium.words.many} by quarters, for which {high} and {wide} must be equal, and "
            f"these have {' and '.join(map(str, known.shape[-2:]))}: set train.recipe.augment to "
            f"[{', '.join(changes['augment'])}], or normalize.{high} and {wide} to one number"
        )


def changes_for(recipe: Recipe, shape: tuple[int, ...]) -> dict[str, list[str]]:
    """Necessary changes of a recipe for samples `[C, *S]`: no quarter turns if these would change the shape."""
    if "turns" not in recipe.augment or len(shape) < 3 or shape[-2] == shape[-1]:
        return {}
    return {"augment": [name for name in recipe.augment if name != "turns"]}


def _fitting(known: Known) -> str:
    """The family for such data; for pictures, one that learns from what comes with them."""
    medium = known.medium
    if own := (known.paired and medium.paired_family) or medium.unconditional_family:
        return own
    if known.paired:
        return "srgan" if known.smaller else "pix2pix"
    if known.domains or known.attributes:
        return "cyclegan" if known.domains else ATTRIBUTES
    return "cgan" if (known.classes or 0) > 1 else OF_PICTURES_ALONE


def _metrics(select: Select, train: Train, known: Known) -> Iterator[str]:
    named = [("metric", select.metric), *(("guards", guard.metric) for guard in select.guards)]
    for key, metric in named:
        needs = METRICS[metric].needs
        if needs not in (None, *_OF_MODELS, *known.medium.has):
            yield f"select.{key} names {metric!r}, which is of {words_for(str(needs))}: name another metric"
        elif (needs == "pairs of sounds" and (len(known.shape) != 2 or known.paired is False)) or (
            needs in ("pairs of pictures", "source pictures") and not known.medium.has_looks
        ):
            yield f"select.{key} names {metric!r}, which is of {needs}: name another metric"
        elif needs == "attributes" and known.attributes is False:
            yield f"select.{key} names {metric!r}, and images have no attributes: name another metric"
        elif needs == "encoder" and train.whole_recipe.game in _WITHOUT_ENCODER:
            why = f"which is of an encoder, and train.family = {train.family!r} learns none"
            yield f"select.{key} names {metric!r}, {why}: name another metric, or a family such as vae_gan"
        elif metric in _OF_CLASSES and (known.classes == 0 or (_tells_nothing(train) and not _of_domains(train))):
            why = f"which is of classes, and train.family = {train.family!r} is told none"
            yield f"select.{key} names {metric!r}, {why}: name another metric, or a conditional family"


def _labels(params: Params, known: Known) -> Iterator[str]:
    if _tells_nothing(params.train):
        if params.sample.classes:
            why = f"train.family = {params.train.family!r} is told no class"
            yield f"sample.classes = {params.sample.classes}, and {why}: set it to []"
    elif _plain(params.train) and known.classes:
        for key, label in _named(params.sample):
            if label >= known.classes:
                yield f"sample.{key} names label {label}, and there are {known.classes}, from 0 to {known.classes - 1}"
                return


def _attributes(params: Params, known: Known) -> Iterator[str]:
    recipe = params.train.whole_recipe
    told_by_first = recipe.game in INVERTING
    if params.sample.attributes and not (learns_from_attributes(recipe) or told_by_first):
        if known.attributes and learns_from_labels(recipe):
            return  # another family is needed, as already reported
        why = f"train.family = {params.train.family!r} is told no attributes"
        yield f"sample.attributes = {params.sample.attributes}, and {why}: set it to {{}}"
    elif params.sample.attributes and known.attribute_names:
        yield from _wrong_attributes(params.sample, known.attribute_names)


def _wrong_attributes(sample: Sample, names: tuple[str, ...]) -> Iterator[str]:
    """A sentence on an attribute, or a value of an attribute, that the data do not have."""
    try:
        asked_values(names, sample.attributes)
    except ValueError as error:
        yield f"sample.attributes: {error}"


def _named(sample: Sample) -> Iterator[tuple[str, int]]:
    """Labels that params name, with the key."""
    yield from (("classes", label) for label in sample.classes)
    yield from (("arithmetic", label) for operand in sample.arithmetic or [] for label in operand)


def _plain(train: Train) -> bool:
    """Whether no override changes the family's conditioning."""
    return not any((train.recipe.get(player) or {}).get("conditioning") for player in ("generator", "discriminator"))


def _tells_nothing(train: Train) -> bool:
    recipe = train.whole_recipe
    return not tells_classes(recipe) and _plain(train) and recipe.game not in INVERTING


def _of_domains(train: Train) -> bool:
    """Whether classes are only seen by a classifier: those of a translated image, or of the other image of a latent."""
    return train.whole_recipe.game in BETWEEN_DOMAINS


def tells_classes(recipe: Recipe) -> bool:
    """Whether its generator gets a class."""
    return recipe.generator.conditioning not in ("none", TRANSLATES, OF_DOMAINS) and recipe.condition == "label"


def learns_from_labels(recipe: Recipe) -> bool:
    return tells_classes(recipe) or (recipe.discriminator.conditioning in LABELED and recipe.condition == "label")


def learns_from_attributes(recipe: Recipe) -> bool:
    conditioned = recipe.generator.conditioning != "none"
    return recipe.condition == "attributes" and (conditioned or recipe.discriminator.conditioning in LABELED)


def _for_few_pixels() -> list[str]:
    """The families that make images under 8 x 8 and need no labels, the latest first."""
    recipes = {name: recipe_of(name, {}) for name in reversed(FAMILIES)}
    fitting = WITHOUT_MAPS - WRITING
    return [name for name, one in recipes.items() if one.network in fitting and one.generator.conditioning == "none"]
