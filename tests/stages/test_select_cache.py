"""What was measured is not measured again, and what is out of date or damaged is."""

import ast
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from stages.common.checkpoint import write_checkpoint
from stages.common.files import read_json
from stages.common.identity import code_behind, imports_of
from stages.common.mapping import one_by_one
from stages.common.models import read_evaluator, write_evaluator
from stages.select import select
from stages.selection import cache, figures, measure
from stages.selection.cache import FOLDER, code_digest, code_used
from stages.selection.extraction import Extraction, Judge
from stages.selection.inputs import measure_elsewhere, read_inputs
from stages.selection.metrics import METRICS, SELECTABLE
from stages.selection.reference import Reference
from tests.stages.tiny_models import CHECKPOINTS, checkpoint, select_params

OUTPUTS = ("metrics/selection.json", "metrics/checkpoints.tsv", "models/selected/generator.safetensors")


@pytest.fixture
def folder(digits_selected: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(digits_selected, tmp_path / "copy"))


class Work:
    """What a selection did."""

    def __init__(self) -> None:
        self.generated = 0
        self.computed: list[str] = []


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    """Counts the checkpoints that generate, and names the measurements that are computed."""
    done, generate, compute = Work(), measure.generated, measure._one

    def generated(*arguments: Any) -> Extraction:
        done.generated += 1
        return generate(*arguments)

    def computed(function: Any, *arguments: Any) -> dict[str, Any]:
        done.computed.append(function.__name__)
        return compute(function, *arguments)

    monkeypatch.setattr(measure, "generated", generated)
    monkeypatch.setattr(measure, "_one", computed)
    return done


def outputs(folder: Path) -> list[bytes]:
    return [(folder / output).read_bytes() for output in OUTPUTS]


def entries(folder: Path, name: str = "*") -> list[Path]:
    return sorted((folder / FOLDER).glob(f"*/{name}"))


def test_a_second_selection_measures_nothing_and_says_the_same(folder: Path, work: Work) -> None:
    before = outputs(folder)
    select(select_params(folder), folder)
    assert (work.generated, work.computed) == (0, [])
    assert outputs(folder) == before


def test_another_rule_measures_nothing(folder: Path, work: Work) -> None:
    for metric in (name for name in SELECTABLE if METRICS[name].needs is None):  # of any images
        # Without what is measured of the chosen checkpoint alone, which another rule may change.
        selection = select(select_params(folder, metric=metric, truncation=[]), folder)
        assert selection["metric"] == metric
    assert (work.generated, work.computed) == (0, [])


def test_what_workers_measured_is_not_measured_again_nor_counted_again(
    folder: Path, work: Work, capsys: pytest.CaptureFixture[str]
) -> None:
    before = outputs(folder)
    shutil.rmtree(folder / FOLDER)
    params = select_params(folder)
    measure_elsewhere(read_inputs(params, folder), params, one_by_one)
    assert work.generated == len(CHECKPOINTS)
    capsys.readouterr()
    select(params, folder, one_by_one)
    assert "select:" not in "".join(capsys.readouterr().err.split("select:", 2)[2:])
    assert work.generated == len(CHECKPOINTS)
    assert outputs(folder) == before


def brightest(drawn: Extraction, real: Reference) -> dict[str, Any]:
    return {"brightest": drawn.features.max().item()}


def test_another_metric_measures_itself_alone_and_generates_nothing(
    folder: Path, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(figures.MEASUREMENTS, brightest, ())
    select(select_params(folder), folder)
    assert work.generated == 0
    assert work.computed == ["brightest"] * (1 + len(CHECKPOINTS))  # of the floor, and of each checkpoint


def test_a_metric_whose_code_has_changed_is_computed_again_and_no_other(
    folder: Path, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed(module: str) -> dict[str, str]:
        found = code_behind(module)
        return found | {name: "changed" for name in found if name == "mintage.metrics.copies"}

    monkeypatch.setattr(cache, "code_behind", changed)
    code_digest.cache_clear()
    select(select_params(folder), folder)
    code_digest.cache_clear()
    assert (work.generated, set(work.computed)) == (0, {"copies"})


@pytest.mark.parametrize("change", [{"seed": 7}, {"samples": 190}, {"features": "pixels"}])
def test_other_images_or_other_features_are_measured_anew(folder: Path, work: Work, change: dict[str, Any]) -> None:
    select(select_params(folder, **change), folder)
    assert work.generated == len(CHECKPOINTS)
    select(select_params(folder), folder)
    assert work.generated == len(CHECKPOINTS)  # both are known now


def test_another_evaluator_measures_everything_anew(folder: Path, work: Work) -> None:
    network, _ = read_evaluator(folder / "models/evaluator", torch.device("cpu"))
    network.project.weight.mul_(1.5)
    write_evaluator(folder / "models/evaluator", network)
    before = read_json(folder / "metrics/selection.json")["frechet_distance"]
    assert select(select_params(folder), folder)["frechet_distance"] > before
    assert work.generated == len(CHECKPOINTS)


@pytest.mark.parametrize("kind", ["drawn-*", "figures-*", "train-*", "holdout-*", "floors-*", "classifier-*"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied"])
def test_a_damaged_entry_is_made_again_and_says_the_same(folder: Path, kind: str, damage: str) -> None:
    before, damaged = outputs(folder), entries(folder, kind)
    assert damaged
    for path in damaged:
        content = path.read_bytes()
        middle = len(content) - 9
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        path.write_bytes({"cut": content[:middle], "flipped": flipped, "emptied": b""}[damage])
    select(select_params(folder), folder)
    assert outputs(folder) == before


def test_a_selection_stopped_half_way_goes_on_from_there(
    folder: Path, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = outputs(folder)
    shutil.rmtree(folder / FOLDER)
    write, written = write_checkpoint, list[Path]()

    def stops(path: Path, *arguments: Any) -> None:
        if len(written) == 8:
            raise KeyboardInterrupt
        written.append(path)
        write(path, *arguments)

    monkeypatch.setattr(cache, "write_checkpoint", stops)
    with pytest.raises(KeyboardInterrupt):
        select(select_params(folder), folder)
    known = work.generated = len(entries(folder, "drawn-*"))
    monkeypatch.setattr(cache, "write_checkpoint", write)
    select(select_params(folder), folder)
    assert work.generated == len(CHECKPOINTS)
    assert 0 < known < len(CHECKPOINTS)
    assert outputs(folder) == before


def test_what_is_known_of_a_checkpoint_that_is_gone_is_removed(folder: Path) -> None:
    before = {path.parent for path in entries(folder)}
    checkpoint(folder, CHECKPOINTS[0]).unlink()
    select(select_params(folder), folder)
    assert len({path.parent for path in entries(folder)}) == len(before) - 1


@pytest.mark.parametrize(
    "module", ["mintage.networks.resnet", "mintage.conditioning.generator", "mintage.latents", "mintage.evaluator"]
)
def test_whatever_decides_the_images_or_their_features_is_in_the_digest_of_what_is_kept_of_them(
    module: str,
) -> None:
    assert module in code_used(Judge, measure.load_generator)


def test_threads_that_ask_for_code_parse_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.11's parser may fail with SystemError where two threads are in it; inspect.getsource parses, too."""
    parse, inside, most = ast.parse, [0], [0]

    def watched(*arguments: Any, **named: Any) -> Any:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(0.01)  # others come meanwhile, where they may
        inside[0] -= 1
        return parse(*arguments, **named)

    monkeypatch.setattr(ast, "parse", watched)
    imports_of.cache_clear()
    code_digest.cache_clear()
    with ThreadPoolExecutor(4) as threads:
        found = set(threads.map(lambda _: code_digest(Judge, measure.load_generator), range(4)))
    assert len(found) == 1
    assert most[0] == 1
