"""The cost of a stage: GPU-hours and energy, measured by the GPU if possible (NVML), else estimated and marked so."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stages.common.files import read_json, write_json

WATTS_OF_A_CORE = 10.0
"""Watts of a busy core of a desktop or a server, with its share of memory and power supply."""
WATTS_OF_A_GPU = 300.0
"""Watts of a busy GPU for training, if NVML does not measure it."""


@dataclass
class Cost:
    """What work took, summed over all its pieces."""

    seconds: float = 0.0
    gpu_hours: float = 0.0
    kilowatt_hours: float = 0.0
    images: int = 0
    """Images processed in `work_seconds`."""
    work_seconds: float = 0.0
    """The part of `seconds` without reading and starting."""

    @property
    def images_per_second(self) -> int | None:
        return round(self.images / self.work_seconds) if self.images and self.work_seconds else None


class Meter:
    """Measures from its creation on; resumed work sets `before` to the cost of its earlier pieces."""

    def __init__(self) -> None:
        self._start, self._cores, self._gpus = time.monotonic(), time.process_time(), _gpus()
        self.before = Cost()
        self._lap: tuple[float, int] | None = None

    def lap(self, images: int) -> None:
        """Called with the images so far when the work begins, and regularly while it goes on."""
        now = time.monotonic()
        if self._lap is not None:
            self.before.work_seconds += now - self._lap[0]
            self.before.images += images - self._lap[1]
        self._lap = now, images

    def cost(self, on_gpu: bool) -> Cost:
        """The cost until now, with earlier pieces."""
        seconds, used = time.monotonic() - self._start, self._used(on_gpu)
        return Cost(
            **asdict(self.before)
            | {
                "seconds": self.before.seconds + seconds,
                "gpu_hours": self.before.gpu_hours + used["gpu_hours"],
                "kilowatt_hours": self.before.kilowatt_hours + used["kilowatt_hours"],
            }
        )

    def used(self, on_gpu: bool) -> dict[str, Any]:
        """`gpu_hours`, `kilowatt_hours` of all pieces, and how energy was measured; all GPUs of the machine count."""
        facts, before = self._used(on_gpu), self.before
        facts["gpu_hours"] = round(before.gpu_hours + facts["gpu_hours"], 4)
        facts["kilowatt_hours"] = float(f"{before.kilowatt_hours + facts['kilowatt_hours']:.3g}")
        return facts

    def _used(self, on_gpu: bool) -> dict[str, Any]:
        """The same for this piece alone, not rounded."""
        hours = (time.monotonic() - self._start) / 3600
        joules, how = (time.process_time() - self._cores) * WATTS_OF_A_CORE, [f"cores: {WATTS_OF_A_CORE:g} W each"]
        facts: dict[str, Any] = {"gpu_hours": hours if on_gpu else 0.0}
        now = _gpus() if on_gpu else None
        if now and self._gpus:
            joules += now["joules"] - self._gpus["joules"]
            facts["driver"] = now["driver"]
        elif on_gpu:
            joules += hours * 3600 * WATTS_OF_A_GPU
            how.append(f"GPU: {WATTS_OF_A_GPU:g} W")
        known = "GPU read from NVML, " if now and self._gpus else ""
        facts["kilowatt_hours"] = joules / 3.6e6
        facts["energy_known"] = f"{known}estimated ({', '.join(how)})"
        return facts


def _gpus() -> dict[str, Any] | None:
    """Joules of all GPUs since the driver was loaded, and the driver's version; None if NVML has no answer."""
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


class Pieces:
    """The cost of the finished work in `folder`; `meter` continues from there."""

    def __init__(self, folder: Path, meter: Meter | None) -> None:
        self._path, self._meter = folder / "cost.json", meter or Meter()
        self._meter.before = Cost(**read_json(self._path)) if self._path.exists() else Cost()

    def note(self) -> None:
        """Called when another piece is finished."""
        write_json(self._path, asdict(self._meter.cost(on_gpu=False)))
