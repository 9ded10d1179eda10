"""What the primary goes through: writers, and statements that change their tables under them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from questdb import QuestDB, ServerError

HERE = Path(__file__).resolve().parent
COLUMNS = "ts TIMESTAMP, sym SYMBOL, venue SYMBOL, id LONG, qty LONG, price DOUBLE, note VARCHAR"
TABLES = [
    f"CREATE TABLE trades ({COLUMNS}) TIMESTAMP(ts) PARTITION BY HOUR WAL",
    f"CREATE TABLE late ({COLUMNS}) TIMESTAMP(ts) PARTITION BY HOUR WAL",
    f"CREATE TABLE upserts ({COLUMNS}) TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, id)",
    "CREATE TABLE to_drop (ts TIMESTAMP, v LONG) TIMESTAMP(ts) PARTITION BY DAY WAL",
    "CREATE TABLE to_rename (ts TIMESTAMP, v LONG, s SYMBOL) TIMESTAMP(ts) PARTITION BY DAY WAL",
    "CREATE TABLE emptied (ts TIMESTAMP, v LONG) TIMESTAMP(ts) PARTITION BY DAY WAL",
    "CREATE TABLE unlogged (ts TIMESTAMP, v LONG) TIMESTAMP(ts) PARTITION BY DAY BYPASS WAL",
    "CREATE MATERIALIZED VIEW upserts_1m AS (SELECT ts, sym, count() n, sum(qty) qty FROM upserts SAMPLE BY 1m) PARTITION BY DAY",
    "CREATE VIEW busy AS (SELECT sym, count() n FROM late WHERE qty > 500)",
]
# `trades` is what statements change; nobody else touches the others. `made` is created by its writer's first commit.
WRITERS = [
    {"table": "trades", "number": 1},
    {"table": "trades", "number": 2},
    {"table": "late", "number": 3, "late": 0.3, "grows": True},
    {"table": "upserts", "number": 4, "again": 0.3},
    {"table": "made", "number": 5, "rate": 5.0},
]

# (second, statement): an answer that isn't "ok" ends the test.
CHANGES = [
    (2, "INSERT INTO to_drop SELECT '2026-01-01'::TIMESTAMP + x * 1000000, x FROM long_sequence(1000)"),
    (2, "INSERT INTO to_rename SELECT '2026-01-01'::TIMESTAMP + x * 1000000, x, 's' || x % 7 FROM long_sequence(1000)"),
    (2, "INSERT INTO unlogged SELECT '2026-01-01'::TIMESTAMP + x * 1000000, x FROM long_sequence(10)"),
    (4, "ALTER TABLE trades ADD COLUMN added INT"),
    (6, "UPDATE trades SET sym = 'BY HAND' WHERE id = 1000000003"),
    (8, "ALTER TABLE trades RENAME COLUMN note TO remark"),
    (10, "ALTER TABLE trades ALTER COLUMN venue TYPE VARCHAR"),
    (12, "RENAME TABLE to_rename TO renamed"),
    (12, "INSERT INTO renamed VALUES ('2026-01-03', 1001, 'after')"),
    (14, "DROP TABLE to_drop"),
    (16, "CREATE TABLE to_drop (ts TIMESTAMP, other DOUBLE, v LONG) TIMESTAMP(ts) PARTITION BY DAY WAL"),
    (16, "INSERT INTO to_drop SELECT '2026-01-05'::TIMESTAMP + x * 1000000, x / 2.0, x FROM long_sequence(500)"),
    (18, "ALTER TABLE trades ALTER COLUMN sym ADD INDEX"),
    (20, "UPDATE trades SET price = price * 2 WHERE id % 97 = 0"),
    (22, "ALTER TABLE trades ALTER COLUMN price TYPE FLOAT"),
    (24, "ALTER TABLE trades DROP COLUMN added"),
    (26, "ALTER TABLE trades ADD COLUMN added VARCHAR"),
    (28, "UPDATE trades SET sym = 'BY HAND AGAIN', added = 'both' WHERE id = 2000000011"),
    (30, "INSERT INTO emptied VALUES ('2026-01-03', 1)"),
    (32, "TRUNCATE TABLE emptied"),
    (33, "INSERT INTO emptied VALUES ('2026-01-04', 2)"),
    (34, "ALTER TABLE late ALTER COLUMN qty TYPE DOUBLE"),
    (36, "ALTER MATERIALIZED VIEW upserts_1m SET TTL 100 DAYS"),
    (38, "RENAME TABLE renamed TO renamed_again"),
    (40, "UPDATE late SET note = 'late and changed' WHERE id = 3000000100"),
]


class Writers:
    """`writers.py` at work."""

    def __init__(self, server: QuestDB, client: Path, seed: int, writers: list[dict] = WRITERS, cores: str | None = None):
        command = [sys.executable, str(HERE / "writers.py"), str(server.port), str(seed), json.dumps(writers)]
        self.process = subprocess.Popen((["taskset", "-c", cores] if cores else []) + command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        start_new_session=True, env=os.environ | {"PYTHONPATH": str(client)})

    def account(self) -> dict:
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.checked(self.process.stdout.readline())

    def finish(self) -> dict:
        """Ends the writers; each finishes the commit that it is at."""
        out, _ = self.process.communicate(timeout=120)
        return self.checked(out.splitlines()[-1] if out else "")

    def checked(self, line: str) -> dict:
        if not line:
            raise RuntimeError(f"the writers ended with {self.process.wait()}")
        account = json.loads(line)
        if account["failed"]:
            raise RuntimeError("; ".join(account["failed"]))
        return account["tables"]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def change(server: QuestDB, statement: str) -> None:
    """Executes a statement; again, for a while, where it met a writer or an apply job at work."""
    until = time.monotonic() + 20
    while True:
        try:
            server.query(statement)
            return
        except ServerError as e:
            if time.monotonic() > until or not any(w in e.message for w in ("busy", "locked", "timeout", "retry", "concurrent")):
                raise
            time.sleep(0.2)
