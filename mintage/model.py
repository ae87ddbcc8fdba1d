"""A trained generator for users: classes by name, images by seed, files."""

import json
import math
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_in
from torch import Tensor

from mintage import release
from mintage.arguments import checked
from mintage.checkpoint import weights_of, write_whole
from mintage.conditions import Attributes, Label, conditions_asked, is_one, labels_asked, sources_asked
from mintage.dataset import Dataset, images_in_range, images_of_shape, tensor_of
from mintage.frames import as_source
from mintage.nearest import nearest
from mintage.players import Generator, build_generator
from mintage.projection import Projection, project
from mintage.sampling import encode, images_of, samples
from mintage.tokens import as_tokens
from mintage.windows import Windows

_OF_SOUND = 2
"""How many axes a sound `[C,T]` has."""


class Model:
    """A generator that is ready to sample.

    Example:
        >>> import torch, mintage
        >>> data = mintage.Dataset(torch.rand(64, 1, 8, 8) * 2 - 1, torch.arange(64) % 2, classes=["bag", "boot"])
        >>> model = mintage.train(data, "cgan", images=640, recipe={"width": 8}, progress=False).model
        >>> model.sample(16, seed=0, label="boot").shape
        torch.Size([16, 1, 8, 8])
    """

    def __init__(self, generator: Generator) -> None:
        self.generator = generator
        """The network: (latents `[N,L]`, labels `[N]`, attributes `[N,K]`, sources or None) to images `[N,C,*S]`."""

    def __repr__(self) -> str:
        taken = [f"{name}={list(values)}" for name in ("classes", "attributes") if (values := getattr(self, name))]
        source = self.generator.config.bare_source_shape
        taken += [f"source={list(source)}"] if source else []
        return f"Model({', '.join([f'shape={list(self.shape)}', *taken])})"

    @property
    def classes(self) -> tuple[str, ...] | None:
        """The classes that the model can make, by label; None if it takes none."""
        return self.generator.config.classes if self.generator.config.conditional else None

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, H, W) of an image, (C, T) of sound or (C, D, H, W) of a volume."""
        return self.generator.config.image_shape

    @property
    def attributes(self) -> tuple[str, ...] | None:
        """The names of the attributes that the model takes, a word of a column as `hair=red`; None without any."""
        return self.generator.config.attributes

    @property
    def vocabulary(self) -> tuple[str, ...] | None:
        """The words that it writes; None if it makes images."""
        return self.generator.config.vocabulary

    @property
    def domains(self) -> tuple[str, str] | None:
        """The two domains between which it translates, or in both of which it makes an image from one latent (then they
        are its `classes`, too); None for a model of pairs or of one kind of images.
        """
        return self.generator.config.domains

    @checked
    def sample(
        self,
        count: int,
        seed: int = 0,
        label: Label | None = None,
        attributes: Attributes | None = None,
    ) -> Tensor:
        """Images `[count,C,*S]` in [-1,1], on the CPU.

        Image i depends on the seed and i alone: more images of the same seed begin with the same ones.

        Args:
            count: How many.
            seed: Which ones.
            label: A class by name or number, or several, used in turn; by default all classes in turn.
            attributes: What all images should have, such as `{"glasses": True, "hair": "red", "age": 0.5}`; the others
                are as in training images, in turn.

        Raises:
            ValueError: The model has no such class or attribute, or takes none; it translates, and needs
                sources; or `count` is below 1.
        """
        self._require("sample")
        if count < 1:
            raise ValueError(f"count = {count}: ask for 1 image or more")
        asked = conditions_asked(self.generator, label, attributes)
        return torch.cat([images for images, _ in samples(self.generator, count, seed, asked)])

    @checked
    def translate(
        self, sources: Any, seed: int = 0, to: str | None = None, *, attributes: Attributes | None = None
    ) -> Tensor:
        """The images `[N,C,H,W]`, or sounds `[N,C,T]`, in [-1,1], on the CPU, that the model makes from others.

        Sounds may be of any length: longer ones go through as half-overlapping windows (`mintage.windows`), shorter
        ones are filled with silence. Memory: twice the sounds.

        Args:
            sources: `[N,S,H,W]`, or `[N,H,W]` of one channel: floats in [-1,1], or 8-bit levels in [0,255]; or sounds
                `[N,S,T]` or `[N,T]`.
            seed: Decides the noise, if the model takes some beside the source.
            to: For a model of two domains, the one of `domains` to make; sources are then of the other.
            attributes: For a model that takes some beside the source, what all images should have, as in `sample`; or
                sources have them as their last channels (`mintage.sources.with_attributes`).

        Raises:
            ValueError: It translates nothing, sources are of another shape, or there is no such domain or attribute.

        Example:
            >>> import torch, mintage
            >>> pictures = torch.rand(64, 1, 16, 16) * 2 - 1
            >>> data = mintage.Dataset(image=pictures, source=-pictures)
            >>> model = mintage.train(data, "pix2pix", images=640, recipe={"width": 4}, progress=False).model
            >>> model.translate(-pictures[:3]).shape
            torch.Size([3, 1, 16, 16])
            >>> unpaired = mintage.Dataset(pictures, domain=torch.arange(64) % 2, domains=("photo", "drawing"))
            >>> model = mintage.train(unpaired, "cyclegan", images=64, recipe={"width": 4}, progress=False).model
            >>> model.domains, model.translate(pictures[:3], to="photo").shape  # which are drawings
            (('photo', 'drawing'), torch.Size([3, 1, 16, 16]))
        """
        self._require("translate")
        shape = self.generator.config.source_shape or ()
        own = images_in_range(sources, len(shape) - 1)
        given = sources_asked(self.generator, own, attributes)
        if len(shape) == _OF_SOUND and given.shape[1] == shape[0] and given.shape[2] != shape[1] and given.numel():
            return self._through_windows(given, Windows(given.shape[2], shape[1]), seed, to)
        if given.shape[1:] != shape:
            wanted = self.generator.config.bare_source_shape
            raise ValueError(f"sources are {tuple(own.shape[1:])} (S, H, W), and the model's are {wanted}")
        return torch.cat([images for images, _ in samples(self.towards(to), len(given), seed, given)])

    def _through_windows(self, sounds: Tensor, windows: Windows, seed: int, to: str | None) -> Tensor:
        """Translate sounds `[N,S,T]` of another length than the model's, window by window: `[N,C,T]`."""
        cut = torch.cat([windows.cut(sound) for sound in sounds])
        made = (one for batch, _ in samples(self.towards(to), len(cut), seed, cut) for one in batch)
        return torch.stack([windows.joined(islice(made, len(windows))) for _ in sounds])

    @checked
    def write(self, count: int, seed: int = 0) -> Tensor:
        """Sequences of words: `[count,T]`, indices into `vocabulary`, int64, on the CPU.

        Sequence i depends on the seed and i alone. Raises ValueError if the model makes images.

        Example:
            >>> import torch, mintage
            >>> from mintage.tokens import sequences
            >>> data = sequences(torch.arange(64).reshape(16, 4) % 3, ["a", "rose", "is"])
            >>> model = mintage.train(data, "lstm", images=640, recipe={"width": 8}, progress=False).model
            >>> [len([model.vocabulary[token] for token in row]) for row in model.write(2)]
            [4, 4]
        """
        self._require("write")
        assert self.vocabulary is not None
        if count < 1:
            raise ValueError(f"count = {count}: ask for 1 sequence or more")
        written = torch.cat([made for made, _ in samples(self.generator, count, seed, None)])
        return as_tokens(written, len(self.vocabulary))

    @torch.no_grad()
    def log_likelihood(self, data: Dataset) -> Tensor:
        """The log-likelihood of each word, given those before it, in nats: `[N,T]`, on the CPU.

        Raises ValueError if the model writes no words, or the data are of other words or another length.
        """
        if self.vocabulary is None:
            raise ValueError("this model writes no words, and finds none likely")
        if not isinstance(data, Dataset):
            raise ValueError("data are a Dataset: give mintage.tokens.sequences(tokens, model.vocabulary)")
        if (data.vocabulary, data.shape) != (self.vocabulary, self.shape):
            raise ValueError(
                f"the data are of other words, or not of {math.prod(self.shape)} each: give the model's own"
            )
        network, device = self.generator.network, next(self.generator.parameters()).device
        found: Tensor = network.log_likelihood(as_tokens(data.image, len(self.vocabulary)).to(device))
        return found.cpu()

    @checked
    def predict(self, frames: Any, steps: int = 1, seed: int = 0) -> Tensor:
        """The frames `[N,steps,C,H,W]` in [-1,1] that follow others, each made from those before it.

        Args:
            frames: `[N,k,C,H,W]`, the latest last, as many as the model learned from (`mintage.frames.next_frames`).
            steps: How many follow.
            seed: Decides the noise, if the model takes some beside the frames.

        Raises:
            ValueError: The model makes no images of so many frames of this shape.

        Example:
            >>> import torch, mintage
            >>> from mintage.frames import next_frames
            >>> videos = torch.rand(16, 6, 1, 16, 16) * 2 - 1
            >>> model = mintage.train(next_frames(videos, 4), "next_frame", 64, {"width": 4}, progress=False).model
            >>> model.predict(videos[:2, :4], steps=3).shape
            torch.Size([2, 3, 1, 16, 16])
        """
        known = tensor_of(frames)
        if known.ndim != 5 or steps < 1:
            raise ValueError(f"frames are {list(known.shape)}, steps = {steps}: give [N,k,C,H,W], and 1 step or more")
        self._require("translate")
        if known.shape[1:] != (self._frames, *self.shape):
            raise ValueError(
                f"frames are {list(known.shape)}, and the model learned from [N,{self._frames},"
                f"{','.join(map(str, self.shape))}]"
            )
        given = images_in_range(known.flatten(0, 1)).reshape(known.shape)
        made: list[Tensor] = []
        for _ in range(steps):
            made.append(self.translate(as_source(given), seed)[:, None])
            given = torch.cat([given[:, 1:], made[-1]], dim=1)
        return torch.cat(made, dim=1)

    def encode(self, images: Any) -> Tensor:
        """The latents `[N,L]`, on the CPU, from which the model makes the images most like these.

        Args:
            images: `[N,C,*S]`, or `[N,*S]` of one channel: floats in [-1,1], or 8-bit levels in [0,255].

        Raises:
            ValueError: The model came without an encoder, or images are of another shape.

        Example:
            >>> import torch, mintage
            >>> pictures = torch.rand(64, 1, 16, 16) * 2 - 1
            >>> data = mintage.Dataset(pictures)
            >>> model = mintage.train(data, "vae_gan", images=640, recipe={"width": 4}, progress=False).model
            >>> model.encode(pictures[:3]).shape, model.reconstruct(pictures[:3]).shape
            (torch.Size([3, 32]), torch.Size([3, 1, 16, 16]))
        """
        if self.generator.encoder is None:
            raise ValueError("this model has no encoder: train a family that has one, such as vae_gan")
        return encode(self.generator, images_of_shape(images, self.shape))

    @property
    def latent_size(self) -> int:
        """Size of a latent, with its information code."""
        return self.generator.config.latent_size + self.generator.config.code_size

    def decode(self, latents: Any, label: Label | None = None, attributes: Attributes | None = None) -> Tensor:
        """The images `[N,C,*S]` in [-1,1], on the CPU, that the model makes from latents `[N, latent_size]`.

        Latents are a tensor, an array or lists; classes and attributes are asked for as in `sample`.

        Raises:
            ValueError: Latents are of another size, the model has no such class or attribute, or translates.

        Example:
            >>> import torch, mintage
            >>> data = mintage.Dataset(torch.rand(64, 1, 8, 8) * 2 - 1, torch.arange(64) % 2, classes=["bag", "boot"])
            >>> model = mintage.train(data, "cgan", images=640, recipe={"width": 8}, progress=False).model
            >>> first, last = torch.randn(2, model.latent_size)
            >>> model.decode(torch.stack([first, (first + last) / 2, last]), label="boot").shape
            torch.Size([3, 1, 8, 8])
        """
        self._require("sample")
        given = tensor_of(latents).float()
        if given.shape[1:] != (self.latent_size,) or not len(given):
            raise ValueError(f"latents are {list(given.shape)}, and the model's are [N, {self.latent_size}]")
        return images_of(self.generator, given, conditions_asked(self.generator, label, attributes))

    def reconstruct(self, images: Any, label: Label | None = None, attributes: Attributes | None = None) -> Tensor:
        """Images `[N,C,*S]` encoded and decoded: `project` without descent; errors are those of `encode`."""
        self.encode(images)
        return self.project(images, label, attributes, steps=0).images

    @checked
    def project(
        self,
        images: Any,
        label: Label | None = None,
        attributes: Attributes | None = None,
        steps: int = 200,
        seed: int = 0,
    ) -> Projection:
        """The latents from which the model makes images most like these, by descent; slower than an encoder.

        Args:
            images: `[N,C,*S]` as the model makes them: floats in [-1,1], or 8-bit levels in [0,255].
            label: The class of each by name or number, or one for all; by default the class that fits each best.
            attributes: What all of them have; the others are those of training images that fit each best.
            steps: Of the descent, from the encoder's latent, or the best of 2,048 latents (of 32 for several labels).
            seed: Decides these latents.

        Raises:
            ValueError: Images are of another shape, the model has no such class or attribute, translates or writes, or
                `steps` is no whole number, or below 0.

        Example:
            >>> import torch, mintage
            >>> data = mintage.Dataset(torch.rand(64, 1, 8, 8) * 2 - 1, torch.arange(64) % 2, classes=["bag", "boot"])
            >>> model = mintage.train(data, "cgan", images=640, recipe={"width": 8}, progress=False).model
            >>> found = model.project(data.image[:3], steps=10)
            >>> found.latents.shape, found.images.shape, found.condition.shape
            (torch.Size([3, 100]), torch.Size([3, 1, 8, 8]), torch.Size([3]))
            >>> boots = model.decode(found.latents, label="boot")
        """
        if self.generator.config.translates or self.vocabulary is not None:
            raise ValueError("this model makes nothing of latents alone: call translate(sources), or write(count)")
        if steps < 0:
            raise ValueError(f"steps = {steps}: give 0 or more")
        given = images_of_shape(images, self.shape)
        labels = labels_asked(self.generator.config, label)
        if label is not None and not is_one(label):
            if labels is None or len(labels) != len(given):
                raise ValueError(f"there are {len(labels or [])} labels for {len(given)} images: name one for each")
            return project(self.generator, given, labels, own=True, steps=steps, seed=seed)
        asked = conditions_asked(self.generator, label, attributes)
        return project(self.generator, given, asked, steps=steps, seed=seed)

    def towards(self, domain: str | None) -> Generator:
        """The generator that translates into this domain; the only generator if the model has no two directions.

        Raises ValueError if there is no such domain, or if there are two and none is named.
        """
        directions = self.generator.directions
        known = list(directions or self.domains or ())
        if not known and domain is not None:
            raise ValueError("this model is of no domains: leave out `to`")
        if known and domain is None:
            raise ValueError(f"say which domain to make: to={' or to='.join(map(repr, known))}")
        if domain is not None and domain not in known:
            raise ValueError(f"there is no domain {domain!r}{nearest(str(domain), known)}")
        return directions.get(domain or "", self.generator)

    def save(self, folder: str | Path) -> None:
        """Write `generator.safetensors` and `config.json`, which `load` reads; neither is ever half written."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / "generator.safetensors", weights_of(self.generator))
        write_whole(folder / "config.json", json.dumps(asdict(self.generator.config), indent=2).encode())

    def _require(self, asked: str) -> None:
        """Raise ValueError if this model is not used by the method `asked`, but by another."""
        frames = ", or predict(frames) where these are frames" if self._frames > 1 else ""
        ways = {
            "write": "writes words: call write(count)",
            "translate": f"makes images of others: call translate(sources){frames}",
            "sample": "makes images from noise: call sample(count)",
        }
        config = self.generator.config
        own = "write" if self.vocabulary is not None else "translate" if config.translates else "sample"
        if own != asked:
            raise ValueError(f"this model {ways[own]}")

    @property
    def _frames(self) -> int:
        """How many images of the model's own shape a source joins; 0 without a source, or if it is of another size."""
        source = self.generator.config.bare_source_shape
        return 0 if source is None or source[1:] != self.shape[1:] else source[0] // self.shape[0]


@checked
def load(address: str | Path, cache: str | Path | None = None) -> Model:
    """The model of a release, checked against its manifest, or of a folder that `Model.save` or the pipeline wrote.

    Nothing of it is executed: weights are safetensors, the rest is JSON.

    Args:
        address: `s3://bucket/prefix/channels/production`, a release there, or a path to the same or to a folder.
        cache: Where files of a release are kept by their SHA-256; else $MINTAGE_CACHE, else ~/.cache/mintage.

    Raises:
        ReleaseError: Something is missing, damaged, or not what it is named.

    Example:
        >>> import mintage
        >>> model = mintage.load("s3://bucket/prefix/channels/production")  # doctest: +SKIP
    """
    folder = Path(address)
    if (folder / "config.json").is_file() and not (folder / "manifest.json").exists():
        return Model(_of_folder(folder))
    return Model(release.load(address, cache))


def _of_folder(folder: Path) -> Generator:
    try:
        config = json.loads((folder / "config.json").read_text())
        return build_generator(config, tensors_in((folder / "generator.safetensors").read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise release.ReleaseError(f"{folder} cannot be loaded ({error}): make it again") from None
