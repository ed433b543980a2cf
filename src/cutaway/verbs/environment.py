"""What a number was measured with: versions, processor, threads, seconds by stage, peak memory."""

from __future__ import annotations

import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

import torch

from cutaway import __version__

_LIBRARIES = ("torch", "torchvision", "timm", "numpy", "pillow", "scikit-learn")


class Stopwatch:
    """Wall seconds by stage: `lap(name)` closes the stage since the last one."""

    def __init__(self) -> None:
        self._began = self._last = time.perf_counter()
        self.laps: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.laps[stage] = round(self.laps.get(stage, 0.0) + now - self._last, 3)
        self._last = now

    def total(self) -> float:
        return round(time.perf_counter() - self._began, 3)


def environment() -> dict[str, str]:
    """-> name: value of everything that can change a result."""
    found = {
        "cutaway": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in _LIBRARIES},
        "processor": processor(),
        "threads": str(torch.get_num_threads()),
        "system": platform.platform(terse=True),
    }
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
    return found


def processor() -> str:
    """-> the processor's own name where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def peak_memory_mb() -> float:
    """-> the most memory this process ever held, in MiB; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024 if sys.platform != "darwin" else 2**20), 1)


def use_threads(asked: int | None, processes: int = 1) -> None:
    """Sets torch's threads: as asked, else the machine's processors shared among this run's processes."""
    if asked is not None:
        torch.set_num_threads(asked)
    elif processes > 1:
        torch.set_num_threads(max(1, torch.get_num_threads() // processes))
