"""dvc.yaml against the code: what a stage depends on is what it uses."""

import re
import subprocess
from pathlib import Path
from typing import Any

import grimp
import pytest
from ruamel.yaml import YAML

from stages.common.dvc_file import Meta
from stages.common.identity import DECIDES_NOTHING, code_of
from stages.common.params import Params
from stages.selection.metrics import METRICS
from tests.programs import printed_by

ROOT = Path(__file__).parents[1]
PIPELINE: dict[str, Any] = YAML(typ="safe").load(ROOT / "dvc.yaml")
STAGES: dict[str, Any] = PIPELINE["stages"]
GRAPH = grimp.build_graph("mintage", "stages", exclude_type_checking_imports=True)
for importer in DECIDES_NOTHING & GRAPH.modules:
    for imported in GRAPH.find_modules_directly_imported_by(importer):
        GRAPH.remove_import(importer=importer, imported=imported)
PACKAGES = {"stages.selection", "stages.common", "stages.images"}
"""Folders whose `__init__` is empty."""
NO_RESULT = ["data", "flow"]
"""Sections of params that say how and when work is done; no result depends on them, so no stage lists them."""
FIRST = "identity"
"""The stage that tells the others of their code."""


@pytest.mark.parametrize("stage", [name for name in STAGES if name != FIRST])
def test_a_stage_depends_on_its_own_code_by_its_identity_alone(stage: str) -> None:
    code = [dep for dep in STAGES[stage]["deps"] if dep.split("/")[0] in ("mintage", "stages", FIRST)]
    assert code == [f"{FIRST}/{stage}.json"]


@pytest.mark.parametrize("stage", [name for name in STAGES if name != FIRST])
def test_the_identity_of_a_stage_has_all_modules_that_it_imports_but_those_that_decide_nothing(stage: str) -> None:
    """Another program's view of the same imports."""
    modules = GRAPH.find_upstream_modules(f"stages.{stage}") | {f"stages.{stage}"}
    listed = {name for name in code_of(stage) if "/" not in name}
    assert modules - listed <= DECIDES_NOTHING | PACKAGES
    assert listed <= modules


@pytest.mark.parametrize("stage", [name for name in STAGES if name != FIRST])
def test_a_stage_lists_exactly_the_sections_of_params_that_it_loads(stage: str) -> None:
    source = (ROOT / "stages" / f"{stage}.py").read_text()
    section_of = {re.findall(r"\w+", str(f.annotation))[-1]: f.alias or n for n, f in Params.model_fields.items()}
    loaded = [section_of[m.removesuffix("Params")] for m in re.findall(r"load_section\((\w+)\)", source)]
    loaded = [section for section in loaded if section not in NO_RESULT]
    elsewhere = re.findall(r'load_value\("([\w.]+)"', source)
    assert set(elsewhere) <= set(STAGES[FIRST]["params"]), "the identity tells of it where it decides"
    whole = "load_params(" in source  # upload publishes the params themselves
    of_file = [entry for entry in STAGES[stage]["params"] if isinstance(entry, str)]
    assert of_file == ([name for name in STAGES if name != FIRST] if whole else loaded)


def test_every_section_of_params_belongs_to_one_stage_but_those_of_no_result() -> None:
    assert [FIRST, *(field.alias or name for name, field in Params.model_fields.items())] == [*STAGES, *NO_RESULT]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_tells_an_orchestrator_what_it_needs(stage: str) -> None:
    meta = STAGES[stage]["meta"]
    assert {"image", "gpu", "memory", "timeout", "retries"} <= set(meta) <= set(Meta.model_fields)
    assert (ROOT / "requirements" / f"{meta['image']}.txt").exists()
    assert meta["timeout"] > 0


@pytest.mark.parametrize("stage", STAGES)
def test_no_two_outputs_overlap_and_every_output_is_ignored_by_git(stage: str) -> None:
    for out in outputs(stage):
        ignored = subprocess.run(["git", "check-ignore", "-q", out], cwd=ROOT, check=False).returncode == 0
        assert ignored, f"{out} would be seen by git"


def test_the_plots_are_of_metrics_and_their_floors() -> None:
    columns = {column for name, metric in METRICS.items() for column in (name, metric.floor)}
    for plot in PIPELINE["plots"]:
        (definition,) = plot.values()
        ((file, drawn),) = definition["y"].items()
        assert file in outputs("select")
        assert set(drawn) <= columns
        assert definition["x"] in {"images", *columns}


def outputs(stage: str) -> list[str]:
    listed = [out for kind in ("outs", "metrics", "plots") for out in STAGES[stage].get(kind, [])]
    return [next(iter(out)) if isinstance(out, dict) else out for out in listed]


@pytest.mark.parametrize(
    ("stage", "heavy"),
    [
        ("ingest", {"torch", "great_expectations", "matplotlib", "boto3"}),
        ("normalize", {"torch", "great_expectations", "matplotlib", "boto3", "sklearn"}),
        ("validate", {"torch", "great_expectations", "matplotlib", "boto3"}),
        ("train", {"great_expectations", "matplotlib", "boto3", "pandas", "sklearn"}),
        ("report", {"torch", "great_expectations", "boto3", "pandas", "sklearn"}),
        ("upload", {"torch", "great_expectations", "matplotlib", "pandas", "sklearn"}),
        ("releases.__main__", {"torch", "numpy", "boto3"}),
    ],
)
def test_a_stage_pays_only_for_what_it_uses(stage: str, heavy: set[str]) -> None:
    code = f"import sys, stages.{stage}; print(*{heavy!r} & set(sys.modules))"
    assert printed_by("-c", code).split() == []
