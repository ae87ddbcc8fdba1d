"""What a stage cost: GPU-hours and energy, read from the GPU where it tells (NVML), else estimated and marked so."""

import time
from typing import Any

WATTS_OF_A_CORE = 10.0
"""A busy core of a desktop's or a server's processor, with its share of memory and power supply."""
WATTS_OF_A_GPU = 300.0
"""A training card at work; where NVML does not tell."""


class Meter:
    """Started when it is made."""

    def __init__(self) -> None:
        self._start, self._cores, self._gpus = time.monotonic(), time.process_time(), _gpus()

    def used(self, on_gpu: bool) -> dict[str, Any]:
        """`gpu_hours`, `kilowatt_hours`, and how the latter is known; GPUs: all of the machine."""
        hours = (time.monotonic() - self._start) / 3600
        joules, how = (time.process_time() - self._cores) * WATTS_OF_A_CORE, [f"cores: {WATTS_OF_A_CORE:g} W each"]
        facts: dict[str, Any] = {"gpu_hours": round(hours, 4) if on_gpu else 0.0}
        now = _gpus() if on_gpu else None
        if now and self._gpus:
            joules += now["joules"] - self._gpus["joules"]
            facts["driver"] = now["driver"]
        elif on_gpu:
            joules += hours * 3600 * WATTS_OF_A_GPU
            how.append(f"GPU: {WATTS_OF_A_GPU:g} W")
        known = "GPU read from NVML, " if now and self._gpus else ""
        facts["kilowatt_hours"] = float(f"{joules / 3.6e6:.3g}")
        facts["energy_known"] = f"{known}estimated ({', '.join(how)})"
        return facts


def _gpus() -> dict[str, Any] | None:
    """Joules of all GPUs since the driver was loaded, and the driver's version; None where NVML does not tell."""
    try:
        import pynvml
    except ModuleNotFoundError:
        return None
    try:
        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        joules = sum(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) for handle in handles) / 1000
        return {"joules": joules, "driver": pynvml.nvmlSystemGetDriverVersion()}
    except pynvml.NVMLError:
        return None
