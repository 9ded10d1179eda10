"""Measures replication by way of a bucket, with a real QuestDB at work. See README.md."""

from __future__ import annotations

import argparse
import json
import resource
import signal
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE)]

import places  # noqa: E402 (it says where the other modules are)
import burden  # noqa: E402
import catchup  # noqa: E402
import cost  # noqa: E402
import figures  # noqa: E402
import latency  # noqa: E402
import quiet  # noqa: E402

PARTS = {"latency": latency, "cost": cost, "burden": burden, "catchup": catchup, "quiet": quiet}


def main() -> int:
    options = arguments()
    # Ends by an exception, so that nothing stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # A thousand tables are some twenty thousand open files for QuestDB.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    options.dir.mkdir(parents=True, exist_ok=True)
    print(figures.machine(), flush=True)
    for name in options.parts or PARTS:
        found = PARTS[name].measured(options)
        (options.dir / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")
        print("\n".join(["", f"## {name}", "", *PARTS[name].lines(found)]), flush=True)
    return 0


def arguments() -> argparse.Namespace:
    target = places.TOP / "target"
    p = argparse.ArgumentParser(prog="replication", description=__doc__)
    p.add_argument("parts", nargs="*", choices=[[], *PARTS], help="all unless some are named")
    p.add_argument("--understudy", type=Path, required=True, help="the command, built for speed")
    p.add_argument("--tools", type=Path, default=target / "tools", help="where scripts/stores.sh and scripts/setup.sh installed stores and client")
    p.add_argument("--dir", type=Path, default=target / "bench-replication", help="where it works, and leaves results")
    p.add_argument("--cache", type=Path, default=target / "bench-wal", help="where long logs are kept")
    p.add_argument("--questdb", default="9.3.4", help="version (default 9.3.4)")
    p.add_argument("--seconds", type=float, default=60, help="latency: measured time of each case (default 60)")
    p.add_argument("--warm-seconds", type=float, default=10, help="latency: time before that (default 10)")
    p.add_argument("--idle-seconds", type=float, default=240, help="cost, quiet: measured time at rest (default 240)")
    p.add_argument("--settle-seconds", type=float, default=75, help="cost, quiet: time before that (default 75)")
    p.add_argument("--many", type=int, default=1000, help="cost: tables where there are many (default 1,000)")
    p.add_argument("--quiet", type=int, default=10_000, help="quiet: tables to which nothing comes (default 10,000)")
    p.add_argument("--pairs", type=int, default=10, help="burden: rounds of each kind (default 10)")
    p.add_argument("--only", choices=("full", "half", "replicas", "active", "idle"), help="one of burden's three, or of cost's two")
    p.add_argument("--round-seconds", type=float, default=10, help="burden: seconds of each round (default 10)")
    p.add_argument("--rows", type=int, default=20_000_000, help="catchup: rows (default 20,000,000)")
    p.add_argument("--runs", type=int, default=3, help="catchup: runs of each (default 3)")
    p.add_argument("--keep", action="store_true", help="leaves directories")
    options = p.parse_args()
    for name in ("understudy", "tools", "dir", "cache"):
        setattr(options, name, getattr(options, name).resolve())
    return options


if __name__ == "__main__":
    sys.exit(main())
