"""The arithmetic that params ask for, and processors that have no such arithmetic."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch

from mintage.devices import choose_precision
from stages.check import check, outputs
from stages.common.device import precision_for
from stages.common.errors import UserError
from stages.common.params import load_params
from tests.refusals import refused

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")
PLAIN: Mapping[str, object] = {"avx2": True, "avx512_f": True, "avx512_bf16": False, "amx_bf16": False}
WITH = ({"avx512_bf16": True}, {"amx_bf16": True, "avx512_bf16": True}, {"bf16": True, "neon": True})


def processor(monkeypatch: pytest.MonkeyPatch, capabilities: Mapping[str, object]) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)


@pytest.mark.tried(
    "`train.precision: bfloat16` on a processor without that arithmetic",
    "train.precision 'bfloat16' would be far slower than float32 on this CPU, which has no such arithmetic: "
    "set train.precision to auto",
)
def test_bfloat16_on_a_processor_without_it_is_refused_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, read: Callable[[str], None]
) -> None:
    processor(monkeypatch, PLAIN)
    with refused("precision-unsuitable") as refusal:
        precision_for("bfloat16", CPU)
    read(str(refusal.value))


@pytest.mark.parametrize("capabilities", WITH)
def test_bfloat16_is_allowed_where_the_processor_has_it(
    monkeypatch: pytest.MonkeyPatch, capabilities: Mapping[str, object]
) -> None:
    processor(monkeypatch, capabilities)
    assert precision_for("bfloat16", CPU) is torch.bfloat16


def test_what_an_older_torch_cannot_tell_is_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert precision_for("bfloat16", CPU) is torch.bfloat16
    assert choose_precision("auto", CPU) is torch.float32


@pytest.mark.parametrize(
    ("feature", "expected"), [("amx_bf16", torch.bfloat16), ("avx512_bf16", torch.bfloat16), ("bf16", torch.float32)]
)
def test_auto_takes_bfloat16_only_where_it_is_faster(
    monkeypatch: pytest.MonkeyPatch, feature: str, expected: torch.dtype
) -> None:
    processor(monkeypatch, {feature: True})
    assert choose_precision("auto", CPU) is expected
    assert choose_precision("auto", CPU, (1, 1, 2)) is torch.float32  # points
    assert choose_precision("auto", CPU, (1, 40, 8)) is torch.float32  # a single column is left of it
    assert choose_precision("auto", CPU, (1, 8, 40)) is expected


def test_the_check_before_a_run_says_of_bfloat16_what_the_stage_would_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    params = load_params()
    params = params.model_copy(
        update={"train": params.train.model_copy(update={"precision": "bfloat16", "device": "cpu"})}
    )
    assert said(lambda: check(params, outputs(Path("dvc.yaml")))) == said(lambda: precision_for("bfloat16", CPU))


@pytest.mark.tried(
    "`evaluator.device` and `select.device: cuda:99` on a machine with fewer, before anything runs",
    "evaluator.device and select.device: device 'cuda:99' is not on this machine, which has ... CUDA devices: "
    "set the stage's device to auto or cpu",
)
def test_a_device_that_is_not_there_is_told_before_anything_runs_unless_containers_do_the_work(
    monkeypatch: pytest.MonkeyPatch, read: Callable[[str], None]
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("MINTAGE_RUNNER", raising=False)
    params = load_params()
    away = {name: getattr(params, name).model_copy(update={"device": "cuda:99"}) for name in ("evaluator", "select")}
    params = params.model_copy(update=away)
    read(said(lambda: check(params, outputs(Path("dvc.yaml")))) or "")
    monkeypatch.setenv("MINTAGE_RUNNER", "docker")
    assert said(lambda: check(params, outputs(Path("dvc.yaml")))) is None


def said(ask: Callable[[], object]) -> str | None:
    """The sentence of the refusal, without the name of the file; None where there is none, on this machine."""
    try:
        ask()
    except UserError as error:
        return str(error).removeprefix("params.yaml: ")
    return None
