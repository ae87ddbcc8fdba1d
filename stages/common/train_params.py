"""The section `train` of params.yaml: a family, and what overrides its axes."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from stages.common.sections import (
    Count,
    Device,
    Finite,
    Normalization,
    Positive,
    Processes,
    Section,
    Seed,
    Share,
    Weight,
    Window,
)


class Generator(Section):
    conditioning: Literal["none", "concat", "plane", "batch_norm", "shared_batch_norm"] | None
    normalization: Normalization | None
    dropout: Annotated[float, Field(ge=0, lt=1)] | None
    auxiliary_weight: Weight | None
    optimizer: Literal["adam", "sgd", "rmsprop"] | None
    learning_rate: Positive | None
    beta1: Annotated[float, Field(ge=0, lt=1)] | None
    beta2: Annotated[float, Field(ge=0, lt=1)] | None
    momentum: Annotated[float, Field(ge=0, lt=1)] | None
    nesterov: bool | None
    weight_decay: Annotated[float, Field(ge=0, le=1)] | None
    width: Annotated[int, Field(ge=4, le=1024)] | None


class Discriminator(Generator):
    conditioning: (  # type: ignore[assignment]  # its own ways to be told, or to be asked
        Literal["none", "concat", "product", "repeat", "projection", "auxiliary", "semi_supervised", "code"] | None
    )


class Penalty(Section):
    name: Literal["clipping", "wgan_gp", "dragan", "r1", "r2", "roth"]
    weight: Positive | None = None
    interval: Count = 1
    last: Annotated[float, Field(gt=0, le=1)] = 1.0


class Stop(Section):
    metric: Literal["frechet_distance"]
    patience: Count
    samples: Annotated[int, Field(ge=4)] = 1000
    evaluator_images: Count = 100_000


class Train(Section):
    family: Literal[
        "gan", "dcgan", "cgan", "lsgan", "wgan", "wgan_gp", "dragan", "began", "acgan", "infogan", "ssgan",
        "sngan", "sngan_projection", "biggan", "modern", "modern_points", "modern_conditional",
    ]  # fmt: skip
    recipe: Literal["short", "paper", "lecture"]
    seed: Seed
    images: Count
    checkpoint_every: Count
    log_every: Count
    resume_every: Positive
    device: Device
    threads: Annotated[int, Field(ge=1, le=1024)] | None
    precision: Literal["auto", "float32", "bfloat16"]
    deterministic: bool
    processes: Processes
    window: Window | None
    min_diversity: Share
    stop: Stop | None
    network: Literal["mlp", "points", "dcgan", "infogan", "resnet", "biggan", "began", "r3gan"] | None
    width: Annotated[int, Field(ge=4, le=1024)] | None
    objective: (
        Literal["minimax", "non_saturating", "least_squares", "wasserstein", "hinge", "relativistic", "began"] | None
    )
    batch_size: Annotated[int, Field(ge=2)] | None
    feature_matching: bool | None
    penalties: list[Penalty] | None
    orthogonal: Weight | None
    augment: list[Literal["colour", "translation", "cutout"]] | None
    packing: Annotated[int, Field(ge=1, le=16)] | None
    matching_aware: bool | None
    labelled: Annotated[float, Field(gt=0, le=1)] | None
    latent_size: Annotated[int, Field(ge=1, le=4096)] | None
    latent_distribution: Literal["normal", "uniform"] | None
    code_categories: Annotated[int, Field(ge=0, le=1000)] | None
    code_continuous: Annotated[int, Field(ge=0, le=1000)] | None
    discriminator_steps: Annotated[int, Field(ge=1, le=100)] | None
    generator_steps: Annotated[int, Field(ge=1, le=100)] | None
    warm_up: bool | None
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)] | None
    soft_labels: Annotated[float, Field(ge=0, lt=0.5)] | None
    flipped_labels: Annotated[float, Field(ge=0, lt=0.5)] | None
    instance_noise: Annotated[float, Field(ge=0, le=10)] | None
    instance_noise_images: Weight | None
    mixed_batches: bool | None
    balance: Annotated[float, Field(gt=0.5, le=1)] | None
    targets: Annotated[list[Finite], Field(min_length=3, max_length=3)] | None
    gamma: Share | None
    k_rate: Positive | None
    decay_images: Weight | None
    ema_half_life: Weight | None
    generator: Generator
    discriminator: Discriminator

    @model_validator(mode="after")
    def _intervals_fit_the_run(self) -> "Train":
        for name in ("checkpoint_every", "log_every"):
            if getattr(self, name) > self.images:
                what = f"{name} = {getattr(self, name)} is more than images = {self.images}"
                raise ValueError(f"{what}: no {name.split('_')[0]} would ever be made")
        return self

    @model_validator(mode="after")
    def _each_process_has_its_device(self) -> "Train":
        if self.processes > 1 and ":" in self.device:
            raise ValueError(f"device = '{self.device}' is one for {self.processes} processes: set it to auto or cuda")
        return self

    @model_validator(mode="after")
    def _each_penalty_once(self) -> "Train":
        names = [penalty.name for penalty in self.penalties or []]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"penalties names '{twice[0]}' twice: keep one of them")
        return self
