"""GPU-hours and energy: read where the GPU tells, else estimated and marked so."""

import sys
import time
from types import ModuleType
from typing import Any

import pytest

from stages.common.energy import WATTS_OF_A_CORE, Meter


def work(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A machine with two GPUs, which have used `joules` each."""
    module: Any = ModuleType("pynvml")
    module.joules = 1000.0
    module.NVMLError = RuntimeError
    module.nvmlInit = lambda: None
    module.nvmlDeviceGetCount = lambda: 2
    module.nvmlDeviceGetHandleByIndex = lambda index: index
    module.nvmlDeviceGetTotalEnergyConsumption = lambda handle: module.joules * 1000
    module.nvmlSystemGetDriverVersion = lambda: "580.1"
    monkeypatch.setitem(sys.modules, "pynvml", module)
    return module


def test_a_gpu_that_tells_is_read(nvml: Any) -> None:
    meter = Meter()
    nvml.joules += 1.8e6
    used = meter.used(on_gpu=True)
    assert used["kilowatt_hours"] == pytest.approx(1.0, rel=0.01)
    assert used["driver"] == "580.1"
    assert used["energy_known"].startswith("GPU read from NVML, ")


def test_a_gpu_that_does_not_tell_is_estimated_and_marked(nvml: Any) -> None:
    def refuse(handle: int) -> int:
        raise RuntimeError("not supported")

    nvml.nvmlDeviceGetTotalEnergyConsumption = refuse
    meter = Meter()
    meter._start -= 3600
    used = meter.used(on_gpu=True)
    assert used["gpu_hours"] == pytest.approx(1.0, rel=0.01)
    assert used["kilowatt_hours"] == pytest.approx(0.3, rel=0.01)
    assert used["energy_known"] == "estimated (cores: 10 W each, GPU: 300 W)"


def test_without_a_gpu_the_cores_are_counted_by_their_time_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    meter = Meter()
    work(0.2)
    used = meter.used(on_gpu=False)
    assert used["gpu_hours"] == 0
    assert used["kilowatt_hours"] >= 0.2 * WATTS_OF_A_CORE / 3.6e6 * 0.99
    assert used["energy_known"] == "estimated (cores: 10 W each)"
