"""What is in the images: the packages of their stages, and little else."""

from typing import Any

import pytest
from ruamel.yaml import YAML

from stages.common.identity import code_of
from tests.flows.docker_engine import GROUPS, TARGETS, data_image_with, need_engine, run_in
from tests.flows.toy import ROOT

need_engine()
pytestmark = [pytest.mark.docker, pytest.mark.slow]

STAGES: dict[str, Any] = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
ONLY_IN = {
    "torch": {"train"},
    "safetensors": {"train"},
    "great_expectations": {"validate"},
    "pandas": {"validate"},
    "sklearn": {"data"},
    "matplotlib": {"publish", "train"},  # train: drawings of points
    "boto3": {"data", "publish", "worker"},
    "prefect": {"worker"},
    "dvc": {"worker"},
    "docker": {"worker"},
}
"""The images in which a package is that some stages need and others do not."""


def modules_of(stage: str) -> list[str]:
    """Every module that is the stage's code, whether all inputs make it import them or not."""
    return [name for name in code_of(stage) if "/" not in name]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_s_code_imports_in_its_image(stage: str) -> None:
    modules = modules_of(stage)
    assert f"stages.{stage}" in modules
    done = run_in(STAGES[stage]["meta"]["image"], "python", "-c", f"import {', '.join(modules)}")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_has_the_packages_of_its_group_and_not_those_of_another(target: str) -> None:
    look = f"from importlib.util import find_spec; print(*[name for name in {list(ONLY_IN)} if find_spec(name)])"
    found = run_in(target, "python", "-c", look)
    assert set(found.stdout.split()) == {name for name, images in ONLY_IN.items() if target in images}, found.stderr


def test_the_data_image_has_the_readers_of_those_media_that_are_asked_for() -> None:
    look = "from importlib.util import find_spec; print(*map(bool, map(find_spec, ('soundfile', 'mido', 'trimesh'))))"
    assert run_in("data", "python", "-c", look).stdout.split() == ["False", "False", "False"]
    assert run_in(data_image_with("sounds music"), "python", "-c", look).stdout.split() == ["True", "True", "False"]


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_runs_as_no_root_and_can_neither_install_nor_compile(target: str) -> None:
    tools = ["pip", "pip3", "uv", "gcc", "cc", "g++", "c++", "clang", "ld", "as", "make"]
    found = run_in(target, "sh", "-c", f"id -u; for tool in {' '.join(tools)}; do command -v $tool; done")
    assert found.stdout.split() == ["1000"]
    for module in ("pip", "ensurepip"):
        assert f"No module named {module}" in run_in(target, "python", "-m", module, "--version").stderr


def test_the_flow_imports_in_the_worker_s_image_and_finds_git() -> None:
    done = run_in("worker", "sh", "-c", "git --version && python -c 'import flows.pipeline, flows.container, dvc.api'")
    assert done.returncode == 0, done.stderr


def test_every_group_of_dvc_yaml_has_an_image() -> None:
    assert {entry["meta"]["image"] for entry in STAGES.values()} == set(GROUPS)
