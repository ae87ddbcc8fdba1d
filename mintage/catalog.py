"""What a recipe may name: for each kind, names and their places. Nothing is imported before it is used.

Other packages add names by entry points in the kind's group, such as `mintage.networks`: docs/extending.md.
"""

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from mintage.nearest import nearest

BUILT_IN: dict[str, dict[str, str]] = {
    "game": {
        "adversarial": "mintage.games.adversarial:Adversarial",
        "unpaired": "mintage.games.unpaired:Unpaired",
        "transfer": "mintage.games.transfer:Transfer",
        "siamese": "mintage.games.siamese:Siamese",
        "coupled": "mintage.games.coupled:Coupled",
        "policy": "mintage.games.policy:Policy",
        "autoencoding": "mintage.games.autoencoding:Autoencoding",
        "inversion": "mintage.games.inversion:Inversion",
    },
    "network": {
        "mlp": "mintage.networks.mlp:NETWORK",
        "points": "mintage.networks.points:NETWORK",
        "dcgan": "mintage.networks.dcgan:NETWORK",
        "infogan": "mintage.networks.infogan:NETWORK",
        "cogan": "mintage.networks.cogan:NETWORK",
        "resnet": "mintage.networks.resnet:NETWORK",
        "biggan": "mintage.networks.biggan:NETWORK",
        "began": "mintage.networks.began:NETWORK",
        "r3gan": "mintage.networks.r3gan:NETWORK",
        "unet": "mintage.networks.unet:NETWORK",
        "coarse_to_fine": "mintage.networks.coarse_to_fine:NETWORK",
        "srresnet": "mintage.networks.srresnet:NETWORK",
        "stacked": "mintage.networks.stacked:NETWORK",
        "resnet_translator": "mintage.networks.resnet_translator:NETWORK",
        "encoder_decoder": "mintage.networks.encoder_decoder:NETWORK",
        "transfer": "mintage.networks.transfer:NETWORK",
        "recurrent": "mintage.networks.recurrent:NETWORK",
        "midinet": "mintage.networks.midinet:NETWORK",
        "midinet_following": "mintage.networks.midinet:FOLLOWING",
        "melody": "mintage.networks.melody:NETWORK",
        "melody_following": "mintage.networks.melody:FOLLOWING",
    },
    "objective": {
        "minimax": "mintage.objectives:Minimax",
        "non_saturating": "mintage.objectives:NonSaturating",
        "least_squares": "mintage.objectives:LeastSquares",
        "wasserstein": "mintage.objectives:Wasserstein",
        "hinge": "mintage.objectives:Hinge",
        "relativistic": "mintage.objectives:Relativistic",
        "began": "mintage.objectives:Began",
    },
    "penalty": {
        "clipping": "mintage.penalties:CLIPPING",
        "wgan_gp": "mintage.penalties:WGAN_GP",
        "dragan": "mintage.penalties:DRAGAN",
        "r1": "mintage.penalties:R1",
        "r2": "mintage.penalties:R2",
        "roth": "mintage.penalties:ROTH",
    },
    "term": {
        "gradient_difference": "mintage.terms:GRADIENT_DIFFERENCE",
        "l1": "mintage.terms:L1",
        "l2": "mintage.terms:L2",
        "orthogonal": "mintage.terms:ORTHOGONAL",
        "cycle": "mintage.terms:CYCLE",
        "cycle_squares": "mintage.terms:CYCLE_SQUARES",
        "identity": "mintage.terms:IDENTITY",
        "identity_squares": "mintage.terms:IDENTITY_SQUARES",
        "constancy": "mintage.terms:CONSTANCY",
        "travel": "mintage.terms:TRAVEL",
        "contrast": "mintage.terms:CONTRAST",
        "features": "mintage.terms:FEATURES",
        "spectrum": "mintage.terms:SPECTRUM",
        "mean_image": "mintage.terms:MEAN_IMAGE",
    },
    # In the order in which they are applied.
    "augment": {
        "color": "mintage.augment:color",
        "translation": "mintage.augment:translation",
        "cutout": "mintage.augment:cutout",
        "turns": "mintage.augment:turns",
        "mirrors": "mintage.augment:mirrors",
    },
    "generator_conditioning": {
        "none": "mintage.conditioning.generator:Unconditional",
        "concat": "mintage.conditioning.generator:Concat",
        "plane": "mintage.conditioning.generator:Plane",
        "batch_norm": "mintage.conditioning.generator:BatchNorm",
        "shared_batch_norm": "mintage.conditioning.generator:SharedBatchNorm",
        "source": "mintage.conditioning.generator:Source",
        "domain": "mintage.conditioning.generator:Domain",
    },
    "discriminator_conditioning": {
        "none": "mintage.conditioning.discriminator:NONE",
        "concat": "mintage.conditioning.discriminator:CONCAT",
        "product": "mintage.conditioning.discriminator:PRODUCT",
        "repeat": "mintage.conditioning.discriminator:REPEAT",
        "projection": "mintage.conditioning.discriminator:PROJECTION",
        "auxiliary": "mintage.conditioning.discriminator:AUXILIARY",
        "semi_supervised": "mintage.conditioning.discriminator:SEMI_SUPERVISED",
        "code": "mintage.conditioning.discriminator:CODE",
        "source": "mintage.conditioning.discriminator:SOURCE",
        "hole": "mintage.conditioning.discriminator:HOLE",
        "domain": "mintage.conditioning.discriminator:DOMAIN",
        "origin": "mintage.conditioning.discriminator:ORIGIN",
    },
    # The built-in ones are in stages/selection/metrics.py.
    "metric": {},
    "optimizer": {
        "adam": "mintage.optimizers:adam",
        "sgd": "mintage.optimizers:sgd",
        "rmsprop": "mintage.optimizers:rmsprop",
    },
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
