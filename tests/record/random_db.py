#!/usr/bin/env python3
"""Writes a database of random scenarios with a real QuestDB: one table for each, all from one seed.

    python3 tests/record/random_db.py --seed 7 --scenarios 30 --out target/random

OUT then is an unpacked recording (see README.md), with the history of each table in OUT/DIR.sql. The same seed gives the same statements and rows; commit
times, and the order in which concurrent writers get through, are the server's.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import recorder  # noqa: E402
from random_table import RandomTable  # noqa: E402


class RandomDb:
    """A scenario like those in `scenarios/`, of many tables."""

    DESCRIPTION = "Random tables: schema, commits, changes and statements drawn from the seed"
    SETTINGS = {"cairo.wal.segment.rollover.row.count": "300", "line.http.max.uncommitted.rows": "1000000"}

    def __init__(self, count: int, only: int | None, threads: int):
        self.numbers = [only] if only is not None else list(range(count))
        self.threads = threads

    def run(self, db) -> None:
        tables = [RandomTable(db, number) for number in self.numbers]
        self.phase("create", tables)
        self.phase("first_life", tables)
        db.restart()
        self.phase("second_life", tables)
        for table in tables:
            (db.out / f"{table.directory}.sql").write_text("\n".join(table.history) + "\n")
        refused = [line for t in tables for line in t.history if "refused by ILP" in line]
        if refused:
            print(f"{len(refused)} writes refused, such as: {refused[0]}", file=sys.stderr)

    def phase(self, name: str, tables: list[RandomTable]) -> None:
        started = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(self.threads) as pool:
            jobs = {pool.submit(getattr(t, name)): t for t in tables}
            for job in concurrent.futures.as_completed(jobs):
                if job.exception():
                    table = jobs[job]
                    history = "\n  ".join(table.history[-12:])
                    raise RuntimeError(f"scenario {table.number} in {name}, after\n  {history}") from job.exception()
        print(f"{name}: {time.monotonic() - started:.1f} s", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--scenarios", type=int, default=30)
    parser.add_argument("--only", type=int, help="run just this one of the scenarios")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--version", default="9.3.4")
    parser.add_argument("--applied", action="store_true", help="also keep the applied tables' files")
    parser.add_argument("--threads", type=int, default=6)
    args = parser.parse_args()
    started = time.monotonic()
    scenario = RandomDb(args.scenarios, args.only, args.threads)
    with tempfile.TemporaryDirectory(prefix="record-random-") as root:
        made = recorder.record(scenario, "random", args.version, args.seed, Path(root), {"applied": args.applied})
        shutil.rmtree(args.out, ignore_errors=True)
        args.out.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(made, args.out)
    print(f"{args.out}: {len(scenario.numbers)} scenarios of seed {args.seed}, {time.monotonic() - started:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
