"""Percentiles, medians with intervals, and how much else the machine had to do."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from measure import machine_seconds


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def spread(values: list[float]) -> dict:
    return {"n": len(values), "p50": percentile(values, 0.5), "p99": percentile(values, 0.99), "max": max(values)}


def interval(values: list[float]) -> dict:
    """Median, and an interval that holds the true median with at least 95 % (by order statistics; all of the range below six values)."""
    ordered, n = sorted(values), len(values)
    low = 0
    # The chance that at most `low` of n values lie below the median, both ends: kept under 5 %.
    chance, term = 0.0, 0.5**n
    for k in range(n // 2):
        if 2 * (chance + term) > 0.05:
            break
        chance += term
        low, term = k, term * (n - k) / (k + 1)
    return {"n": n, "median": statistics.median(ordered), "low": ordered[low], "high": ordered[n - 1 - low]}


class Others:
    """CPU that processes other than ours took, in cores: a figure with much of it says little."""

    def __init__(self, ours):
        self.ours = ours

    def __enter__(self) -> "Others":
        self.begun, self.machine, self.mine = time.monotonic(), machine_seconds(), self.ours()
        return self

    def __exit__(self, *_) -> None:
        self.seconds = time.monotonic() - self.begun
        self.cores = (machine_seconds() - self.machine - (self.ours() - self.mine)) / self.seconds


def machine() -> str:
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "?")
    memory = int(Path("/proc/meminfo").read_text().split()[1]) >> 20
    return f"{model}, {len([1 for line in Path('/proc/cpuinfo').read_text().splitlines() if line.startswith('processor')])} cores, {memory} GiB"
