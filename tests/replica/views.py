#!/usr/bin/env python3
"""Has a server make, change and drop views, and shows what the command made of them to another.

    python3 tests/replica/views.py --seed 7 --apply target/debug/understudy --replay target/debug/understudy --out target/views.json
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1] / "record")]

from drive import save, workplace  # noqa: E402
from questdb import QuestDB  # noqa: E402

FIRST = [
    "CREATE TABLE t (ts TIMESTAMP, s SYMBOL, d DOUBLE) TIMESTAMP(ts) PARTITION BY DAY WAL",
    "CREATE VIEW plain AS (SELECT ts, s, d FROM t WHERE d > 1)",
    "CREATE VIEW \"Ümlaut view\" AS (SELECT s, count() n FROM t)",
    "CREATE VIEW above AS (SELECT ts, d FROM plain WHERE s = 's2')",
    "CREATE VIEW gone AS (SELECT s FROM t)",
]
# What changes while the replica has the first ones already.
SECOND = [
    "CREATE OR REPLACE VIEW plain AS (SELECT ts, s, d * 2 d FROM t WHERE d > 2)",
    "ALTER VIEW \"Ümlaut view\" AS (SELECT s, max(d) top FROM t)",
    "DROP VIEW gone",
    "CREATE VIEW late AS (SELECT s, d FROM t LATEST ON ts PARTITION BY s)",
]
# What the server that takes over is told.
THIRD = ["ALTER VIEW plain AS (SELECT ts, s FROM t)", "DROP VIEW late", "CREATE VIEW own AS (SELECT d FROM t)"]
ASKED = ["plain", "Ümlaut view", "above", "gone", "late", "own"]


class Views:
    def __init__(self, args: argparse.Namespace, work: Path):
        self.args, self.work, self.random = args, work, random.Random(f"views:{args.seed}")
        self.result = {"asked": 0, "wrong": []}

    def run(self) -> None:
        source, replica = self.work / "source", self.work / "replica"
        for statements in (FIRST, SECOND):
            with QuestDB("9.3.4", source) as server:
                for statement in statements:
                    server.query(statement)
                rows = ", ".join(f"({n * 3_600_000_000}, 's{n % 4}', {self.random.randrange(9)})" for n in range(60))
                server.query(f"INSERT INTO t VALUES {rows}")
                server.wait_applied()
            done = subprocess.run([self.args.apply, "apply", source / "db", "--to", replica / "db", "--no-progress"], capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(f"apply ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        with QuestDB("9.3.4", source) as one, QuestDB("9.3.4", replica) as two:
            self.compare("as opened", one, two)
            for statement in THIRD:
                one.query(statement)
                two.query(statement)
            self.compare("changed", one, two)
        with QuestDB("9.3.4", source) as one, QuestDB("9.3.4", replica) as two:
            self.compare("after a restart", one, two)

    def compare(self, when: str, one: QuestDB, two: QuestDB) -> None:
        time.sleep(0.5)
        questions = [f'SELECT * FROM "{view}"' for view in ASKED]
        questions.append("SELECT view_name, view_sql, view_status FROM views() ORDER BY 1")
        questions.append("SELECT name, suspended, writerTxn, sequencerTxn FROM wal_tables() ORDER BY 1")
        for question in questions:
            answers = [asked(server, question) for server in (one, two)]
            self.result["asked"] += 1
            if answers[0] != answers[1]:
                self.result["wrong"].append(f"{when}: {question}: {answers[0]} and {answers[1]}")


def asked(server: QuestDB, question: str):
    try:
        # Nothing orders what a view groups.
        return sorted(server.query(question), key=str)
    except Exception as e:  # noqa: BLE001
        return f"{type(e).__name__}: {e}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--apply", required=True, help="the understudy command")
    parser.add_argument("--replay", help="not needed here")
    parser.add_argument("--out", type=Path, required=True, help="the result, as JSON")
    args = parser.parse_args()
    work = workplace("views-")
    run = Views(args, work)
    try:
        run.run()
    finally:
        save(run.result, args.out)
    print(f"{run.result['asked']} questions, {len(run.result['wrong'])} differ")
    shutil.rmtree(work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
