"""What a recipe may name: for each kind, names and their places. Nothing is imported before it is used.

Other packages add names by entry points in the kind's group, such as `mintage.networks`: docs/extending.md.
"""

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from mintage.nearest import nearest


def _at(place: str, *names: str) -> dict[str, str]:
    """Each name with its place, in which `{name}`, `{Name}` or `{NAME}` stands for it."""
    return {name: place.format(name=name, Name=name.title().replace("_", ""), NAME=name.upper()) for name in names}


BUILT_IN: dict[str, dict[str, str]] = {
    "game": _at(
        "mintage.games.{name}:{Name}",
        *("adversarial", "unpaired", "transfer", "siamese", "coupled", "policy", "autoencoding", "inversion"),
    ),
    "network": {
        **_at(
            "mintage.networks.{name}:NETWORK",
            *("mlp", "points", "dcgan", "infogan", "cogan", "resnet", "biggan", "began", "r3gan", "unet"),
            *("coarse_to_fine", "srresnet", "stacked", "resnet_translator", "encoder_decoder", "transfer"),
            *("recurrent", "midinet"),
        ),
        "midinet_following": "mintage.networks.midinet:FOLLOWING",
        "melody": "mintage.networks.melody:NETWORK",
        "melody_following": "mintage.networks.melody:FOLLOWING",
    },
    "objective": _at(
        "mintage.objectives:{Name}",
        *("minimax", "non_saturating", "least_squares", "wasserstein", "hinge", "relativistic", "began"),
    ),
    "penalty": _at("mintage.penalties:{NAME}", "clipping", "wgan_gp", "dragan", "r1", "r2", "roth"),
    "term": _at(
        "mintage.terms:{NAME}",
        *("gradient_difference", "l1", "l2", "orthogonal", "cycle", "cycle_squares", "identity", "identity_squares"),
        *("constancy", "travel", "contrast", "features", "spectrum", "mean_image"),
    ),
    # In the order in which they are applied.
    "augment": _at("mintage.augment:{name}", "color", "translation", "cutout", "turns", "mirrors"),
    "generator_conditioning": {
        "none": "mintage.conditioning.generator:Unconditional",
        **_at(
            "mintage.conditioning.generator:{Name}",
            *("concat", "plane", "batch_norm", "shared_batch_norm", "source", "domain"),
        ),
    },
    "discriminator_conditioning": _at(
        "mintage.conditioning.discriminator:{NAME}",
        *("none", "concat", "product", "repeat", "projection", "auxiliary", "semi_supervised", "code"),
        *("source", "hole", "domain", "origin"),
    ),
    # The built-in ones are in stages/selection/metrics.py.
    "metric": {},
    "optimizer": _at("mintage.optimizers:{name}", "adam", "sgd", "rmsprop"),
}
WITHOUT_MAPS = {"mlp", "points", "recurrent"}
"""Networks for images too small for feature maps (not `Network.has_maps`). This set and the next need no torch."""
WRITING = {"recurrent"}
"""Networks that write words (`Network.writes`)."""
OF_ONE_VOICE = {"melody": "midinet", "melody_following": "midinet_following"}
"""Networks that write one voice, each with the network for several notes at once."""
OF_ANY_SIDES = {"mlp", "dcgan", "unet", "coarse_to_fine"}
"""Networks that also make sound and volumes (`Network.ranks`)."""
STACKED = {"stacked"}
"""Networks that refine the images of a released generator (`Network.stacks`)."""
INVERTING = {"inversion"}
"""Games in which only an encoder learns, for a released generator (`Game.inverts`)."""
ENCODING = {"autoencoding"} | INVERTING
"""Games in which an encoder learns, alone or with others (`Game.encodes` or `Game.inverts`)."""
ENLARGING = {"srresnet"}
"""Networks whose images may be larger than their sources (`Network.enlarges`)."""


@cache
def names(kind: str) -> tuple[str, ...]:
    """All names of a kind: the built-in ones in their order, then other packages' names in alphabetical order."""
    return (*BUILT_IN[kind], *sorted(set(brought(kind)) - set(BUILT_IN[kind])))


def place(kind: str, name: str) -> str:
    """The place of a name, as "module:attribute". Raises ValueError, with the nearest name, if it is unknown."""
    found = BUILT_IN[kind].get(name) or brought(kind).get(name)
    if found is None:
        raise ValueError(f"there is no {kind.replace('_', ' ')} {name!r}{nearest(name, names(kind))}")
    return found


@cache
def load(kind: str, name: str) -> Any:
    """The object of a name, imported now. Raises ValueError, with the nearest name, if it is unknown.

    Example:
        >>> load("penalty", "r1").weight
        1.0
    """
    module, _, attribute = place(kind, name).partition(":")
    return getattr(import_module(module), attribute)


@cache
def brought(kind: str) -> dict[str, str]:
    """The names of a kind that other packages add, each with its place."""
    group = "mintage.penalties" if kind == "penalty" else f"mintage.{kind}s"
    return {entry.name: entry.value for entry in _entries().select(group=group)}


@cache
def _entries() -> Any:
    """The entry points of all installed packages, read only once: there are hundreds."""
    return entry_points()
