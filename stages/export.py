"""Export: the selected generator in ONNX's format, for people without this package, checked against torch.

Reads models/selected. Writes models/onnx/generator.onnx, of a model between two domains also back.onnx, of one with an
encoder also encoder.onnx (`images` to `latents`), and provenance/export.json.
Inputs: `latents` `[N, latent_size + code_size]` where there is noise; `labels` `[N]` (int64) where the generator is
conditional, or in their place `attributes` `[N,K]` on [-1,1], or `sources` `[N,S,H,W]` in [-1,1], where it takes these.
Output: `images` `[N,C,H,W]` in [-1,1]. N is free. The same generator gives the same bytes.
"""

import logging
import math
import os
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from mintage.latents import draw
from mintage.players import Generator
from mintage.randomness import draw_latents, stream
from mintage.sampling import encode, generate
from mintage.sources import with_attributes
from stages.common.errors import UserError, run_stage
from stages.common.files import replacing, replacing_directory
from stages.common.models import read_generator
from stages.common.params import Export, load_section
from stages.common.provenance import recorded
from stages.common.stage import parser_of, progress_bar

SELECTED, TARGET = Path("models/selected"), Path("models/onnx/generator.onnx")
BACK, ENCODER = "back.onnx", "encoder.onnx"
COMPARED = 256
"""Images that are compared."""
LARGEST_DIFFERENCE = 1e-3
"""Largest difference of a pixel from torch's: an eighth of a step of 8 bits."""
MOST_EXCHANGED = 0.02
"""Share of sequences of words that may differ: if a draw is between two words, rounding decides."""
Array = npt.NDArray[np.float32]


def main() -> None:
    params = load_section(Export)
    with recorded("export", params) as facts:
        torch.set_num_threads(1)  # so that the compared numbers are the same anywhere
        with replacing_directory(TARGET.parent) as folder:  # another model's files do not belong to this one
            difference = export(SELECTED, folder / TARGET.name, params.opset)
        facts["difference"] = difference
    print(f"{TARGET}: differs from torch by {difference:.1e} at most, in {COMPARED} samples")


def export(selected: Path, target: Path, opset: int) -> float:
    """Write the generator of the folder `selected` to `target`; returns its largest difference from torch.

    Between two domains, `target` is the direction from the first into the second; the other is written beside it, as
    `BACK`, and so is an encoder, as `ENCODER`. A file whose difference is above LARGEST_DIFFERENCE is not written, and
    UserError is raised.
    """
    generator = read_generator(selected, torch.device("cpu"))
    back, generator.back = generator.back, None  # each file has only its own weights
    encoder, generator.encoder = generator.encoder, None
    files = 1 + (back is not None) + (encoder is not None)
    with progress_bar("export", 1 + files, unit="step") as bar:
        import_module("onnxscript")  # which the exporter needs, and which takes long
        bar.update()
        differences = [_export(generator, target, opset)]
        bar.update()
        if back is not None:
            differences.append(_export(back, target.with_name(BACK), opset))
            bar.update()
        if encoder is not None:
            generator.encoder = encoder
            differences.append(_export_encoder(generator, target.with_name(ENCODER), opset))
            bar.update()
    return max(differences)


def _export(made: Generator, target: Path, opset: int) -> float:
    generator = AsExported(made)
    inputs = inputs_of(generator.generator, COMPARED)
    given = [*inputs.values()]
    given[-2:] = [with_attributes(*given[-2:])] if made.config.joins_attributes else given[-2:]
    first, *others = given
    images = generate(generator, first, others[0] if others else None)
    unlike = _share_unlike if made.config.vocabulary else _largest_difference
    return _write(target, to_onnx(generator.generator, opset), inputs, images, unlike)


def _export_encoder(generator: Generator, target: Path, opset: int) -> float:
    shape = generator.config.image_shape
    images = draw_latents("uniform", COMPARED, math.prod(shape), stream(0, "export/encoder")).view(-1, *shape)
    latents = encode(generator, images)
    content = in_onnx(AsEncoder(generator), {"images": images[:2]}, "latents", opset)
    return _write(target, content, {"images": images}, latents)


def _largest_difference(found: Array, expected: Array) -> float:
    return float(np.abs(found - expected).max())


def _share_unlike(found: Array, expected: Array) -> float:
    """The share of sequences with a different word, minus the share that rounding may change."""
    unlike = (np.abs(found - expected).reshape(len(found), -1) > 0).any(1).mean()
    return max(0.0, float(unlike) - MOST_EXCHANGED)


def _write(
    target: Path,
    content: bytes,
    inputs: dict[str, Tensor],
    expected: Tensor,
    unlike: Callable[[Array, Array], float] = _largest_difference,
) -> float:
    """Write a model if it gives torch's results; returns the largest difference."""
    with replacing(target) as partial:
        partial.write_bytes(content)
        session = runtime().InferenceSession(partial, providers=["CPUExecutionProvider"])
        found = session.run(None, {name: value.numpy() for name, value in inputs.items()})[0]
        difference = unlike(found, expected.numpy())
        if not difference <= LARGEST_DIFFERENCE:  # also for NaN
            raise UserError(
                "onnx-differs",
                f"the generator's ONNX form gives other values than torch (by up to {difference:g}): "
                "set export.opset to another, or report it with models/selected",
            )
    return difference


def runtime() -> ModuleType:
    """onnxruntime without telemetry: else it sends events to its makers and keeps a machine id in the user's home."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read at import
    import onnxruntime

    found: ModuleType = onnxruntime
    return found


class AsExported(nn.Module):
    """A generator with the inputs of `inputs_of`, in their order, and without dropout."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator.eval()
        for layer in generator.modules():
            if isinstance(layer, nn.Dropout):
                layer.eval()

    def forward(self, first: Tensor, second: Tensor | None = None, third: Tensor | None = None) -> Tensor:
        given = [one for one in (first, second, third) if one is not None]
        latent = given.pop(0) if self.generator.config.latent_size else first.new_empty((first.shape[0], 0))
        condition = with_attributes(*given) if len(given) > 1 else next(iter(given), None)
        images: Tensor = self.generator(latent, condition)
        return images


class AsEncoder(nn.Module):
    """The encoder of a generator: images to their likeliest latents."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator.eval()

    def forward(self, images: Tensor) -> Tensor:
        return self.generator.encode(images).mean


def inputs_of(generator: Generator, count: int) -> dict[str, Tensor]:
    """Inputs from which both models make images: latents; labels in turn, attributes or sources if it takes them."""
    config, random = generator.config, stream(0, "export")
    inputs = {"latents": draw(config, count, random)} if config.latent_size else {}
    if config.bare_source_shape is not None:
        values = draw_latents("uniform", count, math.prod(config.bare_source_shape), random)
        inputs["sources"] = values.view(count, *config.bare_source_shape)
    if generator.examples is not None:
        inputs["attributes"] = generator.examples[torch.arange(count) % len(generator.examples)]
    elif config.conditional:
        inputs["labels"] = torch.arange(count) % config.class_count
    return inputs


def to_onnx(generator: Generator, opset: int) -> bytes:
    """The generator, in evaluation mode, in ONNX's format. Changes it: spectral norm becomes plain weights."""
    return in_onnx(AsExported(generator), inputs_of(generator, 2), "images", opset)


def in_onnx(made: nn.Module, inputs: dict[str, Tensor], output: str, opset: int) -> bytes:
    """A module in ONNX's format, with these inputs and a free N."""
    for module in made.modules():
        if parametrize.is_parametrized(module):
            parametrize.remove_parametrizations(module, "weight")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns about packages that are not needed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside the exporter
        program = torch.onnx.export(
            made,
            tuple(inputs.values()),
            input_names=list(inputs),
            output_names=[output],
            dynamic_shapes=[{0: torch.export.Dim.DYNAMIC}] * len(inputs),
            opset_version=opset,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return without_traces(program)


def without_traces(program: torch.onnx.ONNXProgram) -> bytes:
    """The model without the exporter's notes on the code, which contain folders of this machine."""
    graph = program.model.graph
    graph.metadata_props.clear()
    for node in graph:
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()
    for value in [*graph.inputs, *graph.initializers.values()]:
        value.metadata_props.clear()
    content: bytes = program.model_proto.SerializeToString(deterministic=True)
    return content


if __name__ == "__main__":
    parser_of("stages.export", __doc__).parse_args()
    run_stage(main)
