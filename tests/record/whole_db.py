#!/usr/bin/env python3
"""Stores the whole `db` directory of a stopped server, partitions and indexes included.

    python3 tests/record/whole_db.py                          # tests/data/applied/whole.tar.gz, from SCENARIO below
    python3 tests/record/whole_db.py ooo --out target/ooo     # the directory that a scenario leaves, unpacked
    python3 tests/record/whole_db.py random:7:40 --out target/random-7      # that of random_db.py's 40 tables of seed 7

The archive holds what the checker of directories is tried on: every kind of column, an index of many blocks, column tops, split
partitions, a Parquet partition, renamed, dropped and converted columns, upsert keys, a materialized view. The server's own tables are
left out.
"""

from __future__ import annotations

import argparse
import importlib
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import layout  # noqa: E402
import recorder  # noqa: E402
from random_db import RandomDb  # noqa: E402

ARCHIVE = Path(__file__).resolve().parents[1] / "data" / "applied" / "whole.tar.gz"
START = 1_709_251_200_000_000  # 2024-03-01
MINUTE = 60_000_000


class Whole:
    """The scenario of the archive."""

    DESCRIPTION = "The whole directory of a database with everything that a table can hold"
    # Partitions are split where a late row would rewrite more than this.
    SETTINGS = {"cairo.o3.partition.split.min.size": "1k", "cairo.o3.last.partition.max.splits": "10"}

    def run(self, db) -> None:
        r = db.random
        db.sql(
            "CREATE TABLE all_kinds (ts TIMESTAMP, k SYMBOL INDEX CAPACITY 4, s STRING, v VARCHAR, b BINARY, a DOUBLE[], n LONG, x DOUBLE, "
            "y BOOLEAN, i INT, u UUID, l LONG256, g GEOHASH(5c), d DECIMAL(18, 3), old VARCHAR) TIMESTAMP(ts) PARTITION BY DAY TTL 9 WEEKS WAL"
        )

        def row(i: int) -> str:
            ts = START + i * 7 * MINUTE
            words = r.choice(["null", "''", "'short'", "'a longer text that is not inlined'", "'ünï€ 😀'"])
            return (
                f"{ts}, {r.choice(['null'] + [f'{chr(39)}k{n}{chr(39)}' for n in range(9)])}, {words}, {words}, null, "
                f"{r.choice(['null', 'ARRAY[1.0, 2.5]', 'ARRAY[3.0]'])}, {r.choice(['null', str(i)])}, {i}.25, {r.choice(['true', 'false'])}, "
                f"{i}, rnd_uuid4(), 0x0abc, #u33d8, 12.5m, {words}"
            )

        db.insert("all_kinds", [row(i) for i in range(800)], chunk=200)
        db.sql("ALTER TABLE all_kinds ADD COLUMN later SYMBOL", "ALTER TABLE all_kinds ADD COLUMN text STRING")
        db.insert("all_kinds", [f"{START + i * 7 * MINUTE}, 'k1', 'l{i % 3}', 't{i}'" for i in range(700, 900, 3)], "(ts, k, later, text)")
        db.applied()
        # Late rows near the end of a full partition split it.
        db.insert("all_kinds", [f"{START + (4 * 24 - 2) * 60 * MINUTE + i}, 'k2', 'late'" for i in range(5)], "(ts, k, later)")
        db.applied()
        db.sql("ALTER TABLE all_kinds DROP COLUMN old", "ALTER TABLE all_kinds RENAME COLUMN x TO z", "ALTER TABLE all_kinds ALTER COLUMN i TYPE LONG")
        db.insert("all_kinds", [f"{START + (95 * 60 + i) * MINUTE}, 'k3', {i}" for i in range(5)], "(ts, k, i)")
        db.sql("ALTER TABLE all_kinds CONVERT PARTITION TO PARQUET LIST '2024-03-02'")
        db.applied()

        db.sql("CREATE TABLE upserts (ts TIMESTAMP, s SYMBOL, n LONG) TIMESTAMP(ts) PARTITION BY HOUR WAL DEDUP UPSERT KEYS(ts, s)")
        for i in range(4):
            db.insert("upserts", [f"{START + r.randrange(200) * MINUTE}, 's{r.randrange(40)}', {i}" for _ in range(60)])
        db.sql("ALTER TABLE upserts ALTER COLUMN s SYMBOL CAPACITY 4096")
        db.insert("upserts", [f"{START + 201 * MINUTE}, 'new', 1"])
        db.sql("CREATE TABLE empty (ts TIMESTAMP, s SYMBOL INDEX) TIMESTAMP(ts) PARTITION BY MONTH WAL")
        db.applied()
        db.sql("CREATE MATERIALIZED VIEW hourly WITH BASE upserts REFRESH MANUAL AS (SELECT ts, count() n FROM upserts SAMPLE BY 1h) PARTITION BY DAY")
        db.refresh_view("hourly", "FULL")


def made(scenario, name: str, version: str, seed: int, root: Path) -> Path:
    """Runs a scenario; the directory that the stopped server leaves. No answers: reading some Parquet partitions stops the server."""
    made = recorder.Recorder(name, version, seed, getattr(scenario, "SETTINGS", {}), root)
    try:
        made.server.start()
        scenario.run(made)
        made.applied()
        made.server.stop()
        return made.server.db
    finally:
        made.server.kill()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", nargs="?", help="a module of scenarios/, or random:SEED:TABLES")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="write the directory here instead of the archive")
    args = parser.parse_args()
    if args.scenario is None:
        name, scenario = "whole", Whole()
    elif args.scenario.startswith("random:"):
        _, seed, tables = args.scenario.split(":")
        args.seed, name, scenario = int(seed), "random", RandomDb(int(tables), None, 4)
    else:
        name, scenario = args.scenario, importlib.import_module(f"scenarios.{args.scenario}")
    with tempfile.TemporaryDirectory(prefix="record-whole-") as root:
        version = getattr(scenario, "VERSION", "9.3.4")
        db = made(scenario, name, version, args.seed, Path(root))
        if args.out:
            shutil.rmtree(args.out, ignore_errors=True)
            args.out.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(db, args.out)
            return 0
        for path in db.iterdir():
            if layout.SYSTEM_TABLE.match(path.name):
                shutil.rmtree(path)
        ARCHIVE.parent.mkdir(exist_ok=True)
        ARCHIVE.write_bytes(recorder.archive(db))
    return 0


if __name__ == "__main__":
    sys.exit(main())
