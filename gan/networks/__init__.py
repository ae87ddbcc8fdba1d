"""Networks by name. Each module has a `Generator` (vector -> image) and a `Discriminator` (image -> features)."""

from gan.networks import dcgan, mlp

NETWORKS = {"mlp": mlp, "dcgan": dcgan}
