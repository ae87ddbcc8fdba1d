"""Networks by name. Each has a `Generator`, a `Discriminator` (image -> features) and a default normalisation."""

from gan.networks import biggan, dcgan, infogan, mlp, r3gan, resnet

NETWORKS = {"mlp": mlp, "dcgan": dcgan, "infogan": infogan, "resnet": resnet, "biggan": biggan, "r3gan": r3gan}
