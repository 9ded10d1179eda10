#!/usr/bin/env python3
"""Storage policies on their way from an operator through the log to replicas, beside a real QuestDB: see README.md.

    python3 tests/cluster/policies.py --understudy target/debug/understudy --out target/policies
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), *(str(HERE.parent / d) for d in ("record", "replica"))]

import nodes  # noqa: E402
from questdb import QuestDB  # noqa: E402

TABLE, DIR, OWN_IDS = "sys.storage_policies", "sys.storage_policies~1073741824", 1 << 30
TABLES = [
    "CREATE TABLE trades (ts TIMESTAMP, sym SYMBOL, price DOUBLE) TIMESTAMP(ts) PARTITION BY DAY WAL",
    "CREATE TABLE quotes (ts TIMESTAMP, bid DOUBLE) TIMESTAMP(ts) PARTITION BY HOUR WAL",
    "CREATE TABLE gone (ts TIMESTAMP, x LONG) TIMESTAMP(ts) PARTITION BY DAY WAL",
    "CREATE TABLE old (ts TIMESTAMP, x LONG) TIMESTAMP(ts) PARTITION BY DAY TTL 1 WEEK WAL",
    "CREATE TABLE plain (ts TIMESTAMP, x LONG) TIMESTAMP(ts) PARTITION BY DAY BYPASS WAL",
    "INSERT INTO trades VALUES ('2026-08-01T00:00:00Z', 'a', 1.5), ('2026-08-02T00:00:00Z', 'b', 2.5)",
    "INSERT INTO quotes VALUES ('2026-08-01T00:00:00Z', 1.5)",
    "CREATE MATERIALIZED VIEW trades_1h AS (SELECT ts, sym, max(price) price FROM trades SAMPLE BY 1h) PARTITION BY DAY",
]
# Definitions that are refused before anything is asked, and by the primary: what is told.
WRONG = [
    ("TO PARQUET 3x", "3x", 2),
    ("DROP REMOTE 3d", "'DROP REMOTE' is not supported yet", 2),
    ("TO PARQUET 0d", "0", 2),
    ("TO PARQUET 2M, DROP LOCAL 1M", "DROP LOCAL", 2),
    ("TO PARQUET 36h", "TTL value must be an integer multiple of partition size", 1),
]
KILLS = 4


class Run:
    """A primary, a shipper, two replicas and an operator, on a directory as the store."""

    def __init__(self, understudy: Path, work: Path, seed: int):
        self.understudy, self.work, self.random = understudy, work, random.Random(seed)
        (work / "primary").mkdir()
        self.primary = QuestDB("9.3.4", work / "primary")
        self.store = f"fs::root={work / 'bucket'};"
        (work / "bucket").mkdir()
        self.ship = self.shipper()
        self.replicas = {name: nodes.replica(understudy, work / name, self.store, work, name, ["--poll", "100"]) for name in "ab"}
        # Changes that the log has.
        self.rows = 0

    def shipper(self, *more: str) -> nodes.Node:
        return nodes.shipper(self.understudy, self.primary.db, self.store, self.work, more=["--window", "50", *more])

    # -- the operator ----------------------------------------------------------------------------

    def command(self, *words: str) -> list[str]:
        return [str(self.understudy), "policy", *words[:1], "--to", self.store, *words[1:]]

    def policy(self, *words: str, code: int = 0) -> str:
        done = subprocess.run(self.command(*words), capture_output=True, text=True, timeout=120)
        said = done.stdout + done.stderr
        assert done.returncode == code, f"policy {words} ended with {done.returncode}, not {code}:\n{said}\n{self.ship.tail()}"
        return said

    def change(self, *words: str) -> str:
        said = self.policy(*words)
        assert "accepted: " in said, said
        self.rows += 1
        return said

    def shown(self) -> dict[str, dict]:
        told = json.loads(self.policy("show", "--json"))
        return {row["table_dir_name"]: row for row in told["storagePolicies"]}

    def status(self, target: str) -> dict:
        done = subprocess.run([str(self.understudy), "status", target, "--json"], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def dir_of(self, table: str) -> str:
        return self.primary.query(f"SELECT directoryName FROM tables() WHERE table_name = '{table}'")[0]["directoryName"]

    # -- what happens ----------------------------------------------------------------------------

    def run(self) -> str:
        begun = time.monotonic()
        self.primary.start()
        for statement in TABLES:
            self.primary.query(statement)
        nodes.wait_founded(self.ship.start(), self.primary.db)
        self.replicas["a"].start()
        self.set_and_switch()
        self.refuse()
        self.level("a")
        self.ttl()
        self.queue()
        self.kill()
        self.follow_tables()
        self.snapshot()
        self.opened()
        for node in [self.ship, self.replicas["b"]]:
            node.finish()
        assert not (self.primary.db / DIR).exists(), "the primary's directory has our table"
        self.primary.stop()
        return f"{self.rows} changes of storage policies, the same in the log and on two replicas; {time.monotonic() - begun:.0f} s"

    def set_and_switch(self) -> None:
        assert self.shown() == {}
        trades, quotes = self.dir_of("trades"), self.dir_of("quotes")
        said = self.change("set", "TRADES", "TO PARQUET 3d, DROP LOCAL 1M")
        assert "STORAGE POLICY(TO PARQUET 3 DAYS, DROP LOCAL 1 MONTH)" in said, said
        row = self.shown()[trades]
        assert row["last_updated"].startswith("20") and row["last_updated"].endswith("Z"), row
        want = {"to_parquet": "72h", "to_remote": "0h", "drop_local": "1m", "drop_remote": "0h", "status": "A"}
        assert {k: row[k] for k in want} == want, row
        self.change("disable", "trades")
        assert self.shown()[trades]["status"] == "D"
        self.change("enable", trades)
        self.change("set", "quotes", "to remote 1W, to parquet 2 hours")
        self.change("set", "trades_1h", "TO PARQUET 1 YEAR")
        # Replaces the whole.
        self.change("set", "quotes", "TO PARQUET 1h")
        assert self.shown()[quotes]["to_remote"] == "0h"
        self.change("drop", "trades_1h")
        assert set(self.shown()) == {trades, quotes}
        assert "there is no storage policy to remove" in self.policy("drop", "trades_1h")

    def refuse(self) -> None:
        before = self.shown()
        for definition, told, code in WRONG:
            said = self.policy("set", "trades", definition, code=code)
            assert told in said, (definition, said)
            assert code == 1 or "\n" + "  " in said and "^" in said, said
        assert "Cannot set storage policy, please, remove TTL settings" in self.policy("set", "old", "TO PARQUET 1d", code=1)
        assert 'there is no table "trads"; the nearest names are: trades' in self.policy("set", "trads", "TO PARQUET 1d", code=1)
        assert "not replicated" in self.policy("set", "plain", "TO PARQUET 1d", code=1)
        assert "storage policy" in self.policy("enable", "gone", code=1)
        self.policy("show", "gone", code=1)
        assert self.shown() == before

    def level(self, name: str) -> None:
        """The replica has what the log has."""
        until = time.monotonic() + 60
        want = {d: {k: row[k] for k in row if k != "last_updated"} for d, row in self.shown().items()}
        while (found := self.of_replica(name)) != {d: row["status"] for d, row in want.items()}:
            self.replicas[name].running()
            assert time.monotonic() < until, f"{name} has {found}, the log {want}:\n{self.replicas[name].tail()}"
            time.sleep(0.2)

    def of_replica(self, name: str) -> dict[str, str]:
        tables = self.status(str(self.work / name / "db"))["tables"]
        return {t["directory"]: t["policy"]["status"] for t in tables if "policy" in t}

    def ttl(self) -> None:
        """A TTL that comes in the log wins, and that is told."""
        trades = self.dir_of("trades")
        self.primary.query("ALTER TABLE trades SET TTL 100 WEEKS")
        for target, found in [(self.store, self.told_of_store), (str(self.work / "a" / "db"), self.told_of_dir)]:
            until = time.monotonic() + 60
            while found(trades).get("ttl") != "100 WEEKS":
                assert time.monotonic() < until, f"{target}: {found(trades)}"
                time.sleep(0.5)
        text = subprocess.run([str(self.understudy), "status", self.store], capture_output=True, text=True).stdout
        assert "suspended by the table's TTL of 100 WEEKS" in text, text
        self.primary.query("ALTER TABLE trades SET TTL 0 HOURS")
        self.primary.wait_applied(["trades"])

    def told_of_store(self, table: str) -> dict:
        return next((t["policy"] or {} for t in self.status(self.store)["tables"] if t["directory"] == table), {})

    def told_of_dir(self, table: str) -> dict:
        tables = self.status(str(self.work / "a" / "db"))["tables"]
        return next((t.get("policy", {}) for t in tables if t["directory"] == table), {})

    def queue(self) -> None:
        """Without a primary a request stays queued, and is answered by the next one."""
        self.ship.finish()
        said = self.policy("set", "gone", "TO PARQUET 5d", "--timeout", "2s", code=3)
        assert "no primary answered; the request stays queued" in said, said
        self.ship.start()
        until = time.monotonic() + 60
        while self.dir_of("gone") not in self.shown():
            assert time.monotonic() < until, self.ship.tail()
            time.sleep(0.3)
        self.rows += 1

    def kill(self) -> None:
        """A shipper that is killed somewhere between request and answer: each request is done once."""
        for days in range(1, KILLS + 1):
            asking = subprocess.Popen(self.command("set", "trades", f"TO PARQUET {days}d", "--timeout", "60s"), stdout=subprocess.PIPE, text=True)
            time.sleep(self.random.uniform(0, 1.5))
            self.ship.kill()
            self.ship.start()
            said, _ = asking.communicate(timeout=90)
            assert asking.returncode == 0 and "accepted: " in said, said
            self.rows += 1
        assert self.shown()[self.dir_of("trades")]["to_parquet"] == f"{24 * KILLS}h"

    def follow_tables(self) -> None:
        """A renamed table keeps its policy, a dropped one takes it along."""
        gone = self.dir_of("gone")
        self.primary.query("RENAME TABLE trades TO deals")
        assert self.dir_of("deals") in self.shown()
        until = time.monotonic() + 30
        while "accepted" not in (said := subprocess.run(self.command("disable", "deals"), capture_output=True, text=True).stdout):
            assert time.monotonic() < until, said
        self.rows += 1
        self.primary.query("DROP TABLE gone")
        until = time.monotonic() + 30
        while gone in self.shown():
            assert time.monotonic() < until, self.ship.tail()
            time.sleep(0.3)
        self.rows += 1
        self.level("a")

    def snapshot(self) -> None:
        """A replica that begins with a snapshot has the same, and a shipper that does goes on with the same numbers."""
        self.ship.finish()
        self.ship = self.shipper("--snapshot-now").start()
        until = time.monotonic() + 60
        while not list((self.work / "bucket" / "snapshots").glob("*.json")) or "snapshot" not in self.head():
            assert time.monotonic() < until, self.ship.tail()
            time.sleep(0.3)
        self.ship.finish()
        self.ship = self.shipper().start()
        before = len(list((self.work / "bucket" / "requests").glob("*.json")))
        self.change("set", "quotes", "TO PARQUET 7h, DROP LOCAL 30d")
        assert len(list((self.work / "bucket" / "requests").glob("*.json"))) == before + 1
        self.replicas["b"].start()
        for name in "ab":
            self.level(name)

    def head(self) -> str:
        path = self.work / "bucket" / "head.json"
        return path.read_text() if path.exists() else ""

    def opened(self) -> None:
        """A real server on a replica's directory reads the table as any other, and gives its own tables other ids."""
        until = time.monotonic() + 60
        while nodes.applied(self.work / "a" / "db" / DIR) < self.rows:
            assert time.monotonic() < until, f"{nodes.applied(self.work / 'a' / 'db' / DIR)} of {self.rows}"
            time.sleep(0.2)
        self.replicas["a"].finish()
        shown = self.shown()
        with QuestDB("9.3.4", self.work / "a") as server:
            server.wait_applied()
            rows = server.query(f"SELECT * FROM '{TABLE}' ORDER BY last_updated")
            latest = server.query(f"SELECT * FROM '{TABLE}' LATEST ON last_updated PARTITION BY table_dir_name")
            newest = {row["table_dir_name"]: row for row in latest}
            assert {d: row for d, row in newest.items() if row["status"] != "X"} == shown, f"{newest}\n{shown}"
            assert len(rows) == self.rows, f"{len(rows)} rows for {self.rows} changes: {rows}"
            server.query("CREATE TABLE fresh (ts TIMESTAMP, x LONG) TIMESTAMP(ts) PARTITION BY DAY WAL")
            server.query("INSERT INTO fresh VALUES ('2026-08-01T00:00:00Z', 1)")
            ids = {t["table_name"]: t["id"] for t in server.query("SELECT table_name, id FROM tables()")}
            # QuestDB does not list what it takes for its own.
            assert "fresh" in ids and TABLE not in ids and max(ids.values()) < OWN_IDS, ids
            # As a primary it goes on with the table, too.
            server.query(f"INSERT INTO '{TABLE}' VALUES ('x~1', '1h', '0h', '0h', '0h', 'A', now())")
            server.wait_applied()
            assert server.query(f"SELECT count() n FROM '{TABLE}'")[0]["n"] == self.rows + 1

    def end(self) -> None:
        for node in [self.ship, *self.replicas.values()]:
            with contextlib.suppress(Exception):
                node.kill()
        self.primary.kill()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--understudy", type=Path, required=True, help="the command")
    parser.add_argument("--out", type=Path, required=True, help="where a failed run is kept")
    parser.add_argument("--seed", type=int, default=17)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    work = Path(tempfile.mkdtemp(prefix="policies-"))
    run = Run(args.understudy.resolve(), work, args.seed)
    passed = False
    try:
        print(run.run(), flush=True)
        print("  1 passed", flush=True)
        passed = True
    finally:
        run.end()
        if not passed:
            shutil.rmtree(args.out, ignore_errors=True)
            shutil.copytree(work, args.out, symlinks=True)
            print(f"kept in {args.out}", flush=True)
        shutil.rmtree(work, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
