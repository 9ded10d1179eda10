#!/usr/bin/env python3
"""Partitions in every form in a replica's directory: the server reads them as its own, writes to them, puts them back to native.

    python3 tests/replica/parquet.py --seed 7 --apply target/debug/understudy --replay target/debug/understudy --out target/parquet.json

A server makes tables with columns of every type, some of which are added in the middle of a partition, or dropped. `apply` makes a
replica of them and `convert` gives its partitions all forms. Then the log goes on, over partitions in Parquet form, and at last two
servers, on their own directories, are asked and written to.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1] / "record")]

import questions as q  # noqa: E402
import tablefiles as files  # noqa: E402
from drive import save, workplace  # noqa: E402
from questdb import QuestDB  # noqa: E402
from random_values import literal  # noqa: E402

TYPES = ["BOOLEAN", "BYTE", "SHORT", "CHAR", "INT", "LONG", "DATE", "TIMESTAMP", "TIMESTAMP_NS", "FLOAT", "DOUBLE", "STRING", "VARCHAR", "SYMBOL", "UUID", "IPv4",
         "LONG256", "GEOHASH(3b)", "GEOHASH(3c)", "GEOHASH(5c)", "GEOHASH(11c)", "DECIMAL(2,0)", "DECIMAL(4,2)", "DECIMAL(9,3)", "DECIMAL(18,2)", "DECIMAL(30,8)",
         "DECIMAL(70,12)", "DOUBLE[]", "DOUBLE[][]"]
DAYS = [f"2024-03-{day:02d}" for day in range(1, 7)]
ROWS = 40


class Table:
    """A table whose rows are made here, so that two servers can be told the same."""

    def __init__(self, r: Random, name: str, dedup: bool):
        self.r, self.name, self.dedup, self.added = r, name, dedup, 0
        self.columns: list[tuple[str, str]] = [("s", "SYMBOL"), ("n", "INT")]

    def create(self) -> str:
        self.columns += [(f"c{i}", kind) for i, kind in enumerate(TYPES)]
        columns = ", ".join(f"{n} {k}" + (" INDEX" if n == "s" else "") for n, k in self.columns)
        keys = " DEDUP UPSERT KEYS(ts, s)" if self.dedup else ""
        return f"CREATE TABLE {self.name} (ts TIMESTAMP, {columns}) TIMESTAMP(ts) PARTITION BY DAY WAL{keys}"

    def rows(self, day: str, first: int, last: int, count: int = ROWS) -> str:
        """Rows of a day, between two minutes of it; their order is that of their numbers."""
        names = ", ".join(["ts"] + [n for n, _ in self.columns])
        rows = []
        for number in range(count):
            minute = first + (last - first) * number // count
            ts = f"{day}T{minute // 60:02d}:{minute % 60:02d}:{number % 60:02d}.{self.r.randrange(10**6):06d}Z"
            values = [f"'{ts}'"] + [self.value(n, k) for n, k in self.columns]
            rows.append(f"({', '.join(values)})")
        return f"INSERT INTO {self.name} ({names}) VALUES {', '.join(rows)}"

    def value(self, name: str, kind: str) -> str:
        if name == "s" and self.dedup:
            return f"'k{self.r.randrange(5)}'"
        return literal(self.r, kind)

    def add(self, kind: str) -> str:
        name = f"a{self.added}"
        self.added += 1
        self.columns.append((name, kind))
        return f"ALTER TABLE {self.name} ADD COLUMN {name} {kind}" + (" INDEX" if kind == "SYMBOL" else "")

    def drop(self, name: str) -> str:
        self.columns = [c for c in self.columns if c[0] != name]
        return f"ALTER TABLE {self.name} DROP COLUMN {name}"

    def rename(self, name: str, to: str) -> str:
        self.columns = [(to if n == name else n, k) for n, k in self.columns]
        return f"ALTER TABLE {self.name} RENAME COLUMN {name} TO {to}"


class Forms:
    def __init__(self, args: argparse.Namespace, work: Path):
        self.args, self.work, self.r = args, work, Random(f"parquet:{args.seed}")
        self.result = {"asked": 0, "converted": 0, "statements": 0, "wrong": []}
        self.source, self.replica = work / "source", work / "replica"
        self.formed = [Table(self.r, "plain", False), Table(self.r, "keyed", True)]
        # Its partitions stay native: the server, with Parquet files of its own, suspends such a table at the next late row, or ends.
        self.dropped = Table(self.r, "dropped", False)
        self.tables = [*self.formed, self.dropped]

    def run(self) -> None:
        with QuestDB("9.3.4", self.source) as server:
            self.history(server)
        self.apply()
        # The last day stays native, and one in the middle; the others take all ways.
        for table in self.formed:
            for day in (0, 1, 2, 4):
                self.convert(table, day, "parquet")
            self.convert(table, 1, "native")
            self.convert(table, 1, "parquet")
        self.refused(self.dropped)
        self.same_files("converted")
        self.on_two_servers("converted", write=False)
        with QuestDB("9.3.4", self.source) as server:
            self.later(server)
        self.apply()
        self.same_files("went on")
        for table in self.formed:
            for day in (0, 1, 2, 4):
                self.convert(table, day, "parquet")
        self.same_files("converted again")
        known = [list(t.columns) for t in self.tables]
        self.on_two_servers("went on", write=True)
        for t, columns in zip(self.tables, known):
            t.columns = columns
        self.adopted()

    # -- the primary -------------------------------------------------------------------------------

    def history(self, server: QuestDB) -> None:
        for t in self.tables:
            self.tell(server, t.create())
            for day in DAYS[:3]:
                self.tell(server, t.rows(day, 0, 600))
            # Columns that begin in the middle of the third day, of all types.
            for kind in TYPES:
                self.tell(server, t.add(kind))
            self.tell(server, t.rows(DAYS[2], 700, 1400))
            self.tell(server, t.rows(DAYS[1], 100, 900, 9))
            for name in ("c3", "c13", "c5") if t is self.dropped else ():
                self.tell(server, t.drop(name))
            for kind in ("SYMBOL", "BYTE", "VARCHAR"):
                self.tell(server, t.add(kind))
            for day in DAYS[3:]:
                self.tell(server, t.rows(day, 0, 1400))
        server.wait_applied()

    def later(self, server: QuestDB) -> None:
        """What comes for partitions that the replica has in Parquet form."""
        for t in self.tables:
            self.tell(server, t.rows(DAYS[0], 0, 700, 7))
            self.tell(server, t.rows(DAYS[4], 1000, 1400, 5))
            self.tell(server, f"UPDATE {t.name} SET n = 77 WHERE ts IN '{DAYS[1]}'")
            self.tell(server, t.rows(DAYS[5], 1401, 1430, 5))
            self.tell(server, t.rename("c4", "renamed"))
            self.tell(server, t.add("SHORT"))
            # The last one leaves no gap when it goes.
            self.tell(server, t.add("LONG"))
            self.tell(server, t.drop(t.columns[-1][0]))
            if t is self.dropped:
                self.tell(server, f"ALTER TABLE {t.name} ALTER COLUMN c1 TYPE VARCHAR")
                t.columns = [(n, "VARCHAR" if n == "c1" else k) for n, k in t.columns]
            self.tell(server, t.rows(DAYS[2], 0, 1400, 5))
        server.wait_applied()

    def tell(self, server: QuestDB, statement: str) -> None:
        server.query(statement)
        self.result["statements"] += 1

    # -- the replica -------------------------------------------------------------------------------

    def command(self, *arguments) -> str:
        done = subprocess.run([self.args.apply, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def apply(self) -> None:
        self.command("apply", self.source / "db", "--to", self.replica / "db", "--no-progress")

    def convert(self, table: Table, day: int, to: str) -> None:
        told = json.loads(self.command("convert", self.replica / "db", table.name, DAYS[day], "--to", to, "--json"))
        if not told["converted"] or told["form"] != to:
            self.wrong(f"{table.name} {DAYS[day]} to {to}: {told}")
        self.result["converted"] += 1

    def refused(self, table: Table) -> None:
        done = subprocess.run([self.args.apply, "convert", self.replica / "db", table.name, DAYS[0], "--to", "parquet"], capture_output=True, text=True)
        if done.returncode != 1 or "dropped" not in done.stderr:
            self.wrong(f"{table.name}: convert ended with {done.returncode}: {done.stdout}{done.stderr}")

    def same_files(self, when: str, replica: Path | None = None) -> None:
        """By our own reading: the rows of both directories, and that nothing breaks a rule."""
        replica = replica or self.replica / "db"
        for verb in (("diff", self.source / "db", replica), ("verify", replica)):
            done = subprocess.run([self.args.apply, *map(str, verb)], capture_output=True, text=True)
            if done.returncode:
                self.wrong(f"{when}: {verb[0]}: {done.stdout[:1500]}{done.stderr[:500]}")

    def wrong(self, what: str) -> None:
        self.result["wrong"].append(what)
        print(what, file=sys.stderr)

    def adopted(self) -> None:
        """Goes on with a copy of the server's own directory, in which the server has made partitions Parquet files, the last one too."""
        copy = self.work / "copy"
        with QuestDB("9.3.4", self.source) as server:
            for t in self.formed:
                days = ", ".join(f"'{DAYS[i]}'" for i in (0, 2, 4, 5))
                self.tell(server, f"ALTER TABLE {t.name} CONVERT PARTITION TO PARQUET LIST {days}")
            server.wait_applied()
        shutil.copytree(self.source, copy, copy_function=shutil.copy2)
        with QuestDB("9.3.4", self.source) as server:
            for t in self.formed:
                for day in (0, 2, 4, 5):
                    self.tell(server, t.rows(DAYS[day], 0, 1439, 4))
            server.wait_applied()
        self.command("apply", self.source / "db", "--to", copy / "db", "--adopt", "--no-progress")
        self.same_files("adopted", copy / "db")

    # -- two servers -------------------------------------------------------------------------------

    def on_two_servers(self, when: str, write: bool) -> None:
        one, two = self.work / "one", self.work / "two"
        for mine, there in ((one, self.source), (two, self.replica)):
            shutil.rmtree(mine, ignore_errors=True)
            shutil.copytree(there, mine, copy_function=shutil.copy2)
        with QuestDB("9.3.4", one) as a, QuestDB("9.3.4", two) as b:
            for t in self.formed:
                forms = {p["name"]: p["isParquet"] for p in b.query(f"SELECT name, isParquet FROM table_partitions('{t.name}')")}
                if [d for d in DAYS if forms.get(d)] != [DAYS[i] for i in (0, 1, 2, 4)]:
                    self.wrong(f"{when}: {t.name} has {forms}")
            self.compare(when, a, b)
            if not write:
                return
            for t in self.tables:
                for day, count in ((0, 3), (1, 3), (2, 60), (4, 3), (3, 3), (5, 4)):
                    self.both(a, b, t.rows(DAYS[day], 0, 1400, count))
            # A reader that had no index of a column in a native partition goes on without one: they are opened anew for each question.
            self.restart(a, b)
            self.compare(f"{when}, late rows", a, b)
            for t in self.formed:
                for day in (0, 2, 4):
                    self.both(None, b, f"ALTER TABLE {t.name} CONVERT PARTITION TO NATIVE LIST '{DAYS[day]}'")
            self.compare(f"{when}, back to native", a, b)
            for t in self.tables:
                self.both(a, b, t.rows(DAYS[2], 300, 1000, 6))
                self.both(a, b, t.rows(DAYS[0], 300, 1000, 6))
            self.restart(a, b)
            self.compare(f"{when}, native and late rows", a, b)
            for t in self.tables:
                self.both(a, b, t.rows(DAYS[1], 0, 1400, 3))
                if t in self.formed:
                    self.both(None, b, f"ALTER TABLE {t.name} CONVERT PARTITION TO NATIVE LIST '{DAYS[1]}'")
                self.both(a, b, t.add("INT"))
                self.both(a, b, t.rows(DAYS[1], 0, 1400, 3))
            self.restart(a, b)
            self.compare(f"{when}, columns changed", a, b)

    @staticmethod
    def restart(*servers: QuestDB) -> None:
        for server in servers:
            server.wait_applied()
            server.stop()
            server.start()

    def both(self, a: QuestDB | None, b: QuestDB, statement: str) -> None:
        for server in filter(None, (a, b)):
            self.tell(server, statement)

    def compare(self, when: str, a: QuestDB, b: QuestDB) -> None:
        for server in (a, b):
            server.wait_applied()
        for t in self.tables:
            if any(row["suspended"] for row in b.query(f"SELECT suspended FROM wal_tables() WHERE name = '{t.name}'")):
                self.wrong(f"{when}: {t.name} is suspended")
                continue
            described = q.look_at(a, t.name)
            # Rows of one moment have the order of the log: none are alike here.
            for question in q.questions(a, described, True):
                self.result["asked"] += 1
                if difference := q.difference(question, q.ask(a, question.sql), q.ask(b, question.sql)):
                    self.wrong(f"{when}: {difference}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--apply", required=True, help="the understudy command")
    parser.add_argument("--replay", help="not needed here")
    parser.add_argument("--out", type=Path, required=True, help="the result, as JSON")
    args = parser.parse_args()
    work = workplace("parquet-")
    run = Forms(args, work)
    try:
        run.run()
    finally:
        save(run.result, args.out)
    print(f"{run.result['asked']} questions, {run.result['converted']} conversions, {len(run.result['wrong'])} differ")
    if not run.result["wrong"]:
        shutil.rmtree(work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
