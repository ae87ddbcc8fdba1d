"""The inputs of select: the checkpoints of a training, and the real images to compare with."""

from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from mintage.metrics.kernel import FEWEST_ROWS
from mintage.model_config import ModelConfig
from stages.common.device import steady_device_for
from stages.common.errors import UserError
from stages.common.files import read_json
from stages.common.mapping import MapShards
from stages.common.models import of_both, read_evaluator
from stages.common.params import Select
from stages.common.reading import as_given
from stages.common.split import Split
from stages.common.stage import progress_bar
from stages.media import medium_of
from stages.media.medium import Medium
from stages.selection.cache import FOLDER
from stages.selection.checkpoints import measure_checkpoint, require_same_data
from stages.selection.extraction import Judge
from stages.selection.features import feature_network
from stages.selection.measure import floors, load_generator
from stages.selection.metrics import METRICS
from stages.selection.reference import COUPLED, Reference, reference


@dataclass(frozen=True)
class Inputs:
    """What is measured, and the facts that the outputs repeat."""

    checkpoints: list[Path]
    """In order of the images seen."""
    reals: list[Reference]
    """One; or one for each direction of a model between two domains, that out of the first domain first."""
    cache: Path
    evaluator_sha256: str
    manifest: dict[str, Any]
    trained: dict[str, Any]
    """`provenance/train.json`."""
    evaluator: dict[str, Any]
    """`metrics/evaluator.json`."""
    root: Path

    @property
    def real(self) -> Reference:
        """The first reference, for facts that are the same in both directions."""
        return self.reals[0]

    @property
    def held_out(self) -> int:
        """How many held-out images there are to compare with, in all directions together."""
        return sum(len(real.holdout) for real in self.reals)


def read_inputs(params: Select, root: Path) -> Inputs:
    """Read all inputs. Raises UserError that names an input that is missing, damaged or made from other data."""
    checkpoints = sorted((root / "models/checkpoints").glob("images-*.safetensors"))
    if not checkpoints:
        raise UserError("output-missing", f"{root / 'models/checkpoints'} holds no checkpoints: run `dvc repro train`")
    device = steady_device_for(params.device)
    train, holdout = (Split(root / "data/normalized" / name) for name in ("train", "holdout"))
    manifest = read_json(root / "data/normalized/manifest.json")
    medium = medium_of(manifest)
    if params.features == "inception" and (reason := medium.lacks.get("picture files")):
        raise UserError(
            "inception-of-pictures", f"select.features = 'inception' looks at pictures, and {reason}: set it to domain"
        )
    config = load_generator(checkpoints[-1], device)[0].config
    if config.encoder is not None and not asks_encoder(params):  # its generator is the same in all of them
        checkpoints = checkpoints[-1:]
    train, holdout = as_given(config, train), as_given(config, holdout)
    reals = _references(params, root, config, medium, train=train, holdout=holdout)
    digests = [real.judge.sha256 for real in reversed(reals)]
    return Inputs(
        checkpoints=checkpoints,
        reals=reals,
        cache=root / FOLDER,
        evaluator_sha256=of_both(digests) if train.domains else digests[0],
        manifest=manifest,
        trained=read_json(root / "provenance/train.json"),
        evaluator=read_json(root / "metrics/evaluator.json"),
        root=root,
    )


def _references(
    params: Select, root: Path, config: ModelConfig, medium: Medium, *, train: Split, holdout: Split
) -> list[Reference]:
    """What a generator is measured against: all images; or of two domains each, the last first."""
    device, cache = steady_device_for(params.device), root / FOLDER

    def judge_in(place: str, train: Split, holdout: Split) -> Judge:
        require_enough(params, train, holdout)
        folder = root / "models/evaluator" / place
        evaluator, sha256 = read_evaluator(folder, device)
        require_same_data(evaluator.config, holdout, str(folder), "evaluator")
        return Judge(evaluator, feature_network(params, evaluator, sha256, device, medium.words), medium, sha256)

    if not train.domains:
        judge, told = judge_in("", train, holdout), condition_of(config)
        return [reference(judge, train, holdout, params, condition=told, cache=cache, encodes=config.encodes)]
    reals = []
    for number, name in reversed([*enumerate(train.domains)]):
        of_train, of_holdout, others = train.of_domain(name), holdout.of_domain(name), holdout.of_other_domain(name)
        judge, about = judge_in(str(number), of_train, of_holdout), (of_train, of_holdout, params)
        if config.couples:
            partner = judge_in(str(1 - number), train.of_other_domain(name), others)
            reals.append(reference(judge, *about, condition=COUPLED, cache=cache, to=name, partner=partner))
        else:
            reals.append(reference(judge, *about, condition="domain", cache=cache, to=name, others=others))
    return reals


def condition_of(config: ModelConfig) -> str | None:
    """What a generator of one domain is given: "attributes", a "label", a "source" or nothing (None)."""
    if config.attributes and not config.translates:
        return "attributes"
    return "label" if config.conditional else "source" if config.translates else None


def asks_encoder(params: Select) -> bool:
    """Whether the metric or a guard of the selection measures an encoder."""
    return any(METRICS[name].needs == "encoder" for name in (params.metric, *(one.metric for one in params.guards)))


def require_enough(params: Select, train: Split, holdout: Split) -> None:
    counts = {
        "select.samples": (params.samples, "raise it"),
        "the train split": (len(train), "add images"),
        "the holdout": (len(holdout), "add images, or raise normalize.holdout"),
    }
    for what, (count, remedy) in counts.items():
        if count < FEWEST_ROWS:
            raise UserError(
                "samples-too-few",
                f"{what} is {count}, and distances need at least {FEWEST_ROWS} images a side: {remedy}",
            )


def measure_elsewhere(inputs: Inputs, params: Select, over_shards: MapShards) -> None:
    """Measure each checkpoint on a worker of `over_shards`; the figures go into the cache, which all workers share."""
    for real in inputs.reals:
        floors(real)
    keys = tuple(real.key for real in inputs.reals)
    work = partial(_measure_one, params.model_dump_json(by_alias=True), inputs.root.resolve(), keys)
    names = [path.name for path in inputs.checkpoints]
    with progress_bar("select", len(names) * sum(real.samples for real in inputs.reals)) as bar:
        for images in over_shards(work, names):
            bar.update(images)


def _measure_one(params: str, root: Path, keys: tuple[str, ...], checkpoint: str) -> int:
    """Measure a checkpoint, on a worker; the number of images that this took."""
    inputs = _inputs_there(params, root, keys)
    path = next(one for one in inputs.checkpoints if one.name == checkpoint)
    for real in inputs.reals:
        measure_checkpoint(path, real, inputs.cache)
    return sum(real.samples for real in inputs.reals)


@lru_cache(maxsize=1)
def _inputs_there(params: str, root: Path, keys: tuple[str, ...]) -> Inputs:
    """The inputs, read once for all checkpoints. Raises UserError if this machine's images are not those of `keys`."""
    inputs = read_inputs(Select.model_validate_json(params), root)
    if tuple(real.key for real in inputs.reals) != keys:
        raise UserError(
            "cluster-of-other-data", f"a worker of the cluster has other data in {root}: share the workspace with it"
        )
    return inputs
