"""Medians of runs, as JSON and as a Markdown table."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ingest import Log
from limits import Limits
from measure import Cost
from workloads import Workload


@dataclass
class Result:
    """All runs of one workload. `runs` is by program; `compared` says what was found equal, `differs` what wasn't."""

    workload: Workload
    log: Log
    runs: dict[str, list[Cost]] = field(default_factory=dict)
    compared: str = "not compared"
    differs: str | None = None
    floor: float = 0.0

    def median(self, program: str) -> Cost | None:
        """The median of each figure by itself."""
        runs = self.runs.get(program)
        if not runs:
            return None
        names = ("seconds", "cpu", "resident", "anonymous", "written", "final", "others")
        return Cost(**{n: statistics.median(getattr(r, n) for r in runs) for n in names})

    def as_json(self) -> dict:
        return {
            "workload": self.workload.key,
            "order": self.workload.order.says,
            "shape": self.workload.shape.says,
            "rows": self.workload.rows,
            "commits": self.log.commits,
            "wal_bytes": self.log.wal_bytes,
            "compared": self.compared,
            "differs": self.differs,
            "floor_seconds": self.floor,
            "runs": {p: [asdict(r) | {"amplification": r.amplification} for r in runs] for p, runs in self.runs.items()},
        }


def machine(cores: str | None) -> dict:
    """Where this was measured."""
    cpu = [line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=Path(__file__).parent)
    return {
        "cpu": cpu[0] if cpu else platform.machine(),
        "cpus": os.cpu_count(),
        "cores": cores,
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
        "load": os.getloadavg()[0],
        "commit": commit.stdout.strip(),
    }


def write(out: Path, results: list[Result], limits: Limits | None, about: dict) -> None:
    """`out`.json and `out`.md."""
    out.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"machine": about, "limits": limits and asdict(limits), "results": [r.as_json() for r in results]}, indent=1)
    out.with_suffix(".json").write_text(text + "\n")
    out.with_suffix(".md").write_text(markdown(results, limits))


def markdown(results: list[Result], limits: Limits | None) -> str:
    """The two programs side by side; `x` is how many times faster ours is."""
    lines = []
    if limits:
        mb = lambda n: f"{n / 1e6:,.0f} MB/s"  # noqa: E731
        lines += [
            f"{limits.threads} threads: memcpy {mb(limits.copy)}, page cache written {mb(limits.cache)} and read"
            f" {mb(limits.cached_read)}, disk written {mb(limits.disk)}.",
            "",
        ]
    lines += [
        "| workload | rows | QuestDB | ours | x | CPU s | x by CPU | others' CPU s | peak anon MB | peak resident MB | written MB | amplification | over floor |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [_line(r) for r in results]
    bad = [f"* {r.workload.key}: {r.differs}" for r in results if r.differs]
    return "\n".join(lines + ([""] + bad if bad else [])) + "\n"


def _line(r: Result) -> str:
    q, u = r.median("questdb"), r.median("understudy")
    one_row = r.workload.order.commit == 1
    unit = "M txns/s" if one_row else "M rows/s"

    def rate(c: Cost | None) -> str:
        return f"{r.workload.rows / c.seconds / 1e6:.2f} {unit}" if c else ""

    def pair(figure) -> str:
        return " / ".join(figure(c) if c else "-" for c in (q, u))

    ours = "differs" if r.differs else rate(u)
    faster = f"{q.seconds / u.seconds:.1f}" if q and u and not r.differs else ""
    by_cpu = f"{q.cpu / u.cpu:.1f}" if q and u and u.cpu and not r.differs else ""
    cells = [
        f"{r.workload.order.says}; {r.workload.shape.says}",
        f"{r.workload.rows:,}",
        rate(q),
        ours,
        faster,
        pair(lambda c: f"{c.cpu:.1f}"),
        by_cpu,
        pair(lambda c: f"{c.others:.1f}"),
        pair(lambda c: f"{c.anonymous / 1e6:,.0f}"),
        pair(lambda c: f"{c.resident / 1e6:,.0f}"),
        pair(lambda c: f"{c.written / 1e6:,.0f}"),
        pair(lambda c: f"{c.amplification:.2f}"),
        pair(lambda c: f"{c.seconds / r.floor:.1f}" if r.floor else "-"),
    ]
    return "| " + " | ".join(cells) + " |"
