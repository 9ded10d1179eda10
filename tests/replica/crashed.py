#!/usr/bin/env python3
"""Has a real server open, query and write to tables as crashes of a simulated disk left them (crashed.rs makes them).

    python3 tests/replica/crashed.py --tables DIR --out target/crashed.json

DIR holds `crashed.json`, which names the tables. They are collected as tables of one database, as many as a server takes at a time.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1] / "record")]

import tablefiles as files  # noqa: E402
from drive import save  # noqa: E402
from kills import COLLECTED_MAX, Crashed, Kills  # noqa: E402


@dataclass
class Left(Crashed):
    """A table as one of the simulated crashes left it."""

    rows: Path = Path()
    about: str = ""


class Simulated(Kills):
    """Judges what crashes left as `Kills` does; the rows of a prefix are there already."""

    def __init__(self, work: Path):
        self.work = work
        self.source = SimpleNamespace(settings={}, multisets=set())
        self.result = {"tables": 0, "states": Counter(), "compared": 0, "unlike": [], "wrong": [], "seconds": 0.0}
        self.rows: dict[str, Path] = {}

    def judge_all(self, tables: list[dict]) -> None:
        started = time.monotonic()
        crashed = []
        for number, t in enumerate(tables):
            folder = Path(t["folder"])
            txn, last = files.read_txn(folder), files.max_txn(folder)
            self.rows[t["directory"]] = Path(t["rows"])
            self.result["states"][t["crash"].split()[0]] += 1
            crashed.append(Left(number, folder, (t["name"], t["directory"], 0, files.WAL_TABLE), txn.seq_txn, last, 0, Path(t["rows"]), t["crash"]))
            if last < txn.seq_txn or txn.seq_txn < t["reported"]:
                self.wrong(f"crash {number}: _txn is at {txn.seq_txn}, the log at {last}, reported {t['reported']}")
        for i in range(0, len(crashed), COLLECTED_MAX):
            self.judge_collected(crashed[i : i + COLLECTED_MAX], "simulated", self.holds_a_prefix, True)
        self.result["wrong"] = [self.told(w, crashed) for w in self.result["wrong"]]
        self.result["seconds"] = round(time.monotonic() - started, 1)

    def prefix(self, directory: str, n: int) -> bytes | None:
        path = self.rows[directory] / f"{n}.csv"
        return path.read_bytes() if path.exists() else None

    @staticmethod
    def told(wrong: str, crashed: list[Left]) -> str:
        number = wrong.removeprefix("crash ").split(":")[0]
        return f"{crashed[int(number)].about}: {wrong}" if number.isdigit() else wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, required=True, help="what crashed.rs wrote")
    parser.add_argument("--out", type=Path, required=True, help="the result, as JSON")
    args = parser.parse_args()
    run = Simulated(args.tables)
    tables = json.loads((args.tables / "crashed.json").read_text())["tables"]
    run.judge_all(tables)
    save(run.result, args.out)
    print(f"{run.result['tables']} tables opened, {run.result['compared']} prefixes equal, {len(run.result['wrong'])} wrong, {run.result['seconds']} s")
    if not run.result["wrong"]:
        shutil.rmtree(args.tables)
    return 0


if __name__ == "__main__":
    sys.exit(main())
