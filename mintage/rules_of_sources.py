"""Rules on translations, in pairs or between domains, and on words; see `mintage.rules`."""

from mintage.conditioning.discriminator import NONE
from mintage.recipes import OF_IMAGES, OF_ONE_DISCRIMINATOR, set_axes
from mintage.setting import Rule, Setting

_FEWEST_CLASSES = _A_PAIR = 2


def _lacking(setting: Setting) -> list[str]:
    """The term that would tie a translation to its source in this game, if no term does; else empty."""
    held = setting.game.compares or any(term.of_domains for term in setting.terms)
    return ["constancy" if setting.game.learns_classes else "cycle"] if setting.unpaired and not held else []


DOMAINS: list[Rule] = [
    (
        lambda s: s.translates and not s.unpaired and not s.real.paired and s.real.domains is not None,
        "this family learns from pairs, and this data has two domains without pairs: name a family such as cyclegan",
    ),
    (
        lambda s: s.game.couples and s.real.domains is None,
        "this family learns from images of two domains, and this data has one: give each image's domain to "
        "mintage.Dataset, or name a family that makes images of one kind",
    ),
    (
        lambda s: (
            (s.game.couples, s.game.couples)
            != (s.generator_conditioning.takes == "domain", s.discriminator.needs_domains)
        ),
        "layers of each domain's own go with a game of both: set game to coupled and conditioning of both players to "
        "domain, or none of these",
    ),
    (
        lambda s: s.game.couples and not s.network.couples,
        "this network has no layers of each domain's own: set network to cogan",
    ),
    (
        lambda s: s.game.couples and s.recipe.packing > 1,
        "images judged together go through the first layer of one domain: set packing to 1",
    ),
    (
        lambda s: s.unpaired and s.real.paired and s.real.domains is None,
        "this family learns from two domains without pairs, and this data has pairs: name pix2pix, which learns more "
        "from them",
    ),
    (
        lambda s: s.unpaired and s.real.domains is None,
        "this family learns from images of two domains, and this data has one: give each image's domain to "
        "mintage.Dataset, or name a family that makes images from noise",
    ),
    (
        lambda s: s.unpaired and not s.translates,
        "between domains an image is made of an image: set generator.conditioning to source",
    ),
    (
        lambda s: [] if s.unpaired else s.named_terms(lambda term: term.of_domains),
        "images are not translated between two domains here: take {axes} out of terms, or name a family that does it, "
        "such as cyclegan",
    ),
    (
        _lacking,
        "without a term nothing holds a translation to its source: add {axes} to terms",
    ),
    (
        lambda s: s.unpaired and not s.game.learns_classes and s.discriminator is not NONE,
        "a discriminator of a domain is told nothing else: set discriminator.conditioning to none",
    ),
    (
        lambda s: s.game.learns_classes and len(s.real.classes or ()) < _FEWEST_CLASSES,
        "this family learns from the classes of both domains, and this data has none to tell apart: name a family that "
        "needs none, such as cyclegan",
    ),
    (
        lambda s: {s.game.learns_classes} != {s.network.extracts, s.discriminator.tells_origin},
        "features that are learned from classes go with a network that draws by them and a discriminator that tells of "
        "which domain an image was made: set network and game to transfer and discriminator.conditioning to origin, or "
        "none of these",
    ),
    (
        lambda s: s.unpaired and any(term.of_classes for term in s.terms) and not s.game.learns_classes,
        "no features stay as they are where none are learned from classes: take constancy out of terms, or set family "
        "to dtn",
    ),
    (
        lambda s: s.unpaired and sum(term.of_differences for term in s.terms) != _A_PAIR * s.game.compares,
        "travel asks that images differ as their sources do, contrast that sources differ at all, and only in game "
        "siamese: set game to siamese and terms to both, or neither",
    ),
    (
        lambda s: s.game.compares and s.share < _A_PAIR,
        "images are compared with each other: raise batch_size, or lower processes or accumulation",
    ),
    (
        lambda s: s.game.learns_classes and s.recipe.pretrain_images == 0,
        "features learn from classes before the game alone: set pretrain_images above 0",
    ),
    (
        lambda s: s.discriminator.tells_origin and s.recipe.label_smoothing > 0,
        "a discriminator of three classes has no smooth target: set label_smoothing to 0",
    ),
    (
        lambda s: s.unpaired and s.objective.reconstructs,
        "an autoencoder's balance is of one discriminator, and there are two: set objective to another",
    ),
    (
        lambda s: set_axes(s.recipe, OF_ONE_DISCRIMINATOR) if s.unpaired else [],
        "two domains have a discriminator each, which has no such axis: leave {axes} as the family has it",
    ),
]

PAIRS: list[Rule] = [
    (
        lambda s: s.translates and not s.unpaired and not s.real.paired,
        "a family that translates learns from pairs, and this data has none: give each image a source (its partner), "
        "or name a family that makes images from noise",
    ),
    (
        lambda s: s.translates != s.network.translates,
        "a source goes with a network that makes images of images, and only with that: set network to unet or "
        "resnet_translator together with generator.conditioning to source, or neither",
    ),
    (
        lambda s: s.translates and not s.network.enlarges and s.enlargement != 1,
        "this network makes images as large as their sources, and these sources are of another size: set network to "
        "srresnet, which enlarges them, or family to srgan",
    ),
    (
        lambda s: s.translates and s.enlargement is None,
        "images must be 1, 2, 4 or 8 times as high and wide as their sources: give sources of such sides",
    ),
    (
        lambda s: s.recipe.residual and not s.network.adds,
        "this network begins with no source, or adds to it anyway: set residual to false, or network to unet or "
        "resnet_translator",
    ),
    (
        lambda s: s.translates and s.recipe.residual and s.network.adds and not s.alike,
        "nothing of a source is an image to begin as: set residual to false, or give sources of one channel, as many "
        "as the images', or of more, of which these are the first",
    ),
    (
        lambda s: s.recipe.blend > 0 and not (s.translates and s.alike),
        "nothing of a source is an image to stay in what is made: set blend to 0, or give sources of one channel, as "
        "many as the images', or of more, of which these are the first",
    ),
    (
        lambda s: s.recipe.redrawn and s.real.damage is None,
        "only sources that are made of images by chance can be drawn anew: take masked, noisy or salt ones, or set "
        "redrawn to false",
    ),
    (
        lambda s: s.translates and s.discriminator.needs_mask and not s.masked,
        "the discriminator is to see the hole of a source, and these have no mask: take masked ones, or set "
        "discriminator.conditioning to source",
    ),
    (
        lambda s: s.joins_attributes and (s.unpaired or s.masked or s.recipe.redrawn),
        "attributes stand beside the source of a pair, and of no other: set condition to label",
    ),
    (
        lambda s: (
            s.recipe.pretrain_images > 0
            and not (s.game.of_words or s.game.learns_classes)
            and not any(term.of_pairs for term in s.terms)
        ),
        "before the game there is nothing to learn by but the truth of a pair, and no term compares with it: set "
        "pretrain_images to 0 (of pairs, or terms to l1 or l2)",
    ),
    (
        lambda s: s.network.coarse and s.recipe.pretrain_images == 0,
        "the first of this network's two stages learns before the game alone: set pretrain_images above 0",
    ),
    (
        lambda s: s.discriminator.needs_sources and not s.translates,
        "the discriminator sees a source that the generator does not: set conditioning of both players to source",
    ),
    (
        lambda s: (
            s.translates
            and not s.unpaired
            and not s.discriminator.needs_sources
            and not any(term.of_pairs for term in s.terms)
        ),
        "nothing says that an image is to fit its source: set conditioning of both players to source, or terms to l1",
    ),
    (
        lambda s: s.named_terms(lambda term: term.of_pairs) if not s.translates or s.unpaired else [],
        "without pairs no generated image has a truth to be compared with: take {axes} out of terms",
    ),
    (
        lambda s: s.translates and len(s.recipe.augment) > 0,
        "an image that is moved no longer fits its source: set augment to []",
    ),
    (
        lambda s: s.recipe.latent_size == 0 and s.recipe.latent_distribution != "normal",
        "where there is no z, it has no distribution: set latent_size above 0, or latent_distribution to normal",
    ),
    (
        lambda s: s.recipe.latent_size == 0 and not s.translates,
        "without a source a generator starts from noise: set latent_size above 0",
    ),
    (
        lambda s: s.network.patches and (s.recipe.packing > 1 or s.recipe.minibatch_stddev > 0),
        "patches are judged apart, so no images can be judged together: set packing to 1 and minibatch_stddev to 0",
    ),
    (
        lambda s: s.network.patches and s.recipe.mixed_batches,
        "of each patch it must be known whether it is real: set mixed_batches to false",
    ),
    (
        lambda s: (s.network.patches or s.network.translates) and s.objective.reconstructs and not s.unpaired,
        "an autoencoder draws the whole image from its features, which neither patches nor a network that starts from "
        "an image do: set objective to another, or network",
    ),
]

WORDS: list[Rule] = [
    (
        lambda s: (
            ["cgan" if len(s.real.classes or ()) >= _FEWEST_CLASSES else "infogan"]
            if s.network.writes and s.real.vocabulary is None
            else []
        ),
        "this family writes words, and this data has none: give sequences of words (mintage.tokens.sequences), or name "
        "another family, such as {axes}",
    ),
    (
        lambda s: s.real.vocabulary is not None and not s.network.writes,
        "this data are sequences of words: set network to recurrent and game to policy, or family to seqgan or lstm",
    ),
    (
        lambda s: s.network.writes != s.game.of_words,
        "no gradient goes through the choice of a word: set network to recurrent together with game to policy, or "
        "neither",
    ),
    (
        lambda s: s.game.of_words and (s.generator_conditioning.takes is not None or s.discriminator is not NONE),
        "words are written and judged without a condition: set conditioning of both players to none",
    ),
    (
        lambda s: s.game.of_words and not s.objective.probability,
        "a word's reward is a probability, and this objective has none: set objective to non_saturating",
    ),
    (
        lambda s: s.game.of_words and s.recipe.latent_distribution != "uniform",
        "each number of a latent chooses a word, and must be as likely anywhere: set latent_distribution to uniform",
    ),
    (
        lambda s: s.game.of_words and any(p.activation != "network" for p in s.players),
        "networks of words have activations of their own: set activation of both players to network",
    ),
    (
        lambda s: s.game.of_words and s.recipe.generator.dropout > 0,
        "rewards are of the words as they are written: set generator.dropout to 0",
    ),
    (
        lambda s: set_axes(s.recipe, OF_IMAGES) if s.game.of_words else [],
        "words have no such axis, which is of images: leave {axes} as the family has it",
    ),
    (
        lambda s: [] if s.game.of_words else set_axes(s.recipe, ("roll_outs",)),
        "only what is written word by word is finished again: leave roll_outs as it is",
    ),
]
