"""Rules on the players' layers, and on what a batch is made of; see `mintage.rules`."""

from mintage.setting import Rule

PLAYERS: list[Rule] = [
    (
        lambda s: s.small and s.network.has_maps,
        "an image smaller than 8 x 8, or a point, has no room for feature maps: set network to mlp or points, "
        "or family to modern_points",
    ),
    (
        lambda s: s.generator_conditioning.modulates and not s.norms[0].batch,
        "conditional batch norm needs batch norm: set generator.normalization to batch or spectral_batch",
    ),
    (
        lambda s: s.generator_conditioning.plane_size > 0 and not s.network.has_maps,
        "this network has no feature map for a label's plane: set generator.conditioning to concat",
    ),
    (
        lambda s: s.network.norms_units and "instance" in [norm.normalization for norm in s.norms],
        "instance norm is over the places of a feature map, and some layers of this network have none: "
        "set normalization to layer",
    ),
    (
        lambda s: s.recipe.drops and not s.network.plain,
        "dropout is for networks of plain layers: set dropout of both players to 0, or network to mlp or dcgan",
    ),
    (
        lambda s: any(p.activation != "network" for p in s.players) and not s.network.plain,
        "only plain layers have an activation to choose: set activation of both players to network, or network to mlp "
        "or dcgan",
    ),
    (
        lambda s: any(p.initialization != "network" for p in s.players) and not s.network.has_norms,
        "this network is built to train from its own first weights: set initialization of both players to network",
    ),
    (
        lambda s: any(p.resampling != "network" for p in s.players) and not s.network.strided,
        "this network has no convolutions of stride 2: set resampling of both players to network, or network to dcgan",
    ),
    (
        lambda s: any(p.resampling == "long" for p in s.players) and s.rank != 1,
        "long convolutions are of sound: set resampling of both players to network",
    ),
    (
        lambda s: s.recipe.discriminator.phase_shuffle > 0 and not (s.rank == 1 and s.network.strided),
        "feature maps of sound alone are moved along time: set discriminator.phase_shuffle to 0",
    ),
    (
        lambda s: s.recipe.discriminator.dropout_in_use,
        "only a generator is used after the training: set discriminator.dropout_in_use to false",
    ),
    (
        lambda s: s.recipe.generator.dropout_in_use and not s.recipe.generator.dropout,
        "no unit is left out without dropout: set generator.dropout above 0, or dropout_in_use to false",
    ),
    (
        lambda s: not s.network.has_norms and {norm.normalization for norm in s.norms} != {"none"},
        "this network is built to train without normalization: set normalization of both players to none",
    ),
]

BATCHES: list[Rule] = [
    (
        lambda s: s.recipe.pool > 0 and not (s.discriminator.plain and not s.discriminator.judges_match),
        "earlier fakes were made for other labels or sources: set pool to 0, or discriminator.conditioning to none",
    ),
    (
        lambda s: s.recipe.pool > 0 and s.recipe.mixed_batches,
        "images exchanged by a coin are of one batch: set pool to 0, or mixed_batches to false",
    ),
    (
        lambda s: s.recipe.pool > 0 and s.processes > 1,
        "earlier fakes are kept by one process: set pool to 0, or processes to 1",
    ),
    (
        lambda s: 0 < s.recipe.pool < s.share,
        "earlier fakes must be enough for a batch: set pool to batch_size or more, or to 0",
    ),
    (
        lambda s: s.recipe.mixed_batches and (s.recipe.packing > 1 or s.recipe.minibatch_stddev > 0),
        "images judged or compared together are all real or all fake: set packing to 1 and minibatch_stddev to 0, or "
        "mixed_batches to false",
    ),
    (
        lambda s: any(p.momentum > 0 and p.optimizer == "adam" for p in s.players),
        "Adam's momentum is beta1: set momentum to 0, or optimizer to sgd or rmsprop",
    ),
    (
        lambda s: any(p.nesterov and not (p.optimizer == "sgd" and p.momentum) for p in s.players),
        "Nesterov's is a momentum of SGD: set optimizer to sgd and momentum above 0, or nesterov to false",
    ),
    (
        lambda s: s.small and len(s.recipe.augment) > 0,
        "an image smaller than 8 x 8, or a point, is another one when its pixels are moved or cut: set augment to []",
    ),
    (
        lambda s: "color" in s.recipe.augment and (s.real.shape[0], s.rank) != (3, 2),
        "color changes are of RGB images: take color out of augment",
    ),
    (
        lambda s: "turns" in s.recipe.augment and (s.rank < 2 or s.real.shape[-2] != s.real.shape[-1]),
        "a quarter turn keeps its shape only where the last two sides are equal: take turns out of augment",
    ),
    (
        lambda s: s.recipe.packing > 1 and not s.discriminator.plain,
        "images judged together have no one class or code: "
        "set discriminator.conditioning to concat, product, repeat or none, or packing to 1",
    ),
    (
        lambda s: s.recipe.minibatch_stddev > 0 and not (s.discriminator.plain or s.discriminator.judges_match),
        "how much images differ says nothing of one image's class or code: set minibatch_stddev to 0",
    ),
    (
        lambda s: s.recipe.minibatch_stddev > 0 and s.objective.reconstructs,
        "an autoencoder's judgment is its error, to which no feature can be added: set minibatch_stddev to 0",
    ),
    (
        lambda s: s.recipe.minibatch_stddev > 0 and s.share // s.recipe.packing % s.recipe.minibatch_stddev > 0,
        "judgments are grouped by minibatch_stddev: set batch_size to a multiple of it, times packing and processes",
    ),
    (
        lambda s: s.recipe.batch_size % (s.processes * s.recipe.accumulation) > 0,
        "each process takes as many images of each part of a batch: set batch_size to a multiple of processes times "
        "accumulation",
    ),
    (
        lambda s: s.share % s.recipe.packing > 0,
        "a batch must be a whole number of packs: set batch_size to a multiple of packing, times processes",
    ),
    (
        lambda s: s.share // s.recipe.packing < 2 and s.norms[1].batch,
        "batch norm needs two judgments in a batch: raise batch_size, or lower packing or processes",
    ),
    (
        lambda s: s.share < 2 and s.norms[0].batch,
        "batch norm needs two images in each process: raise batch_size, or lower processes",
    ),
]
