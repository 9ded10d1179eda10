#!/usr/bin/env python3
"""Writers with QuestDB's own client, and the account of what was acknowledged to them.

    PYTHONPATH=target/tools/questdb-client tests/cluster/writers.py PORT SEED WRITERS      WRITERS as JSON: see `Writer`

Every row carries `id`, unique in its table. What the client was told to be in goes into the account: how many rows, the sum of
their ids, the sum of their `qty`. What is in doubt after an error is looked up in the primary before the writer goes on.
Prints the account, as one line of JSON, for each line that it reads; ends the writers when its input ends, and prints it again.

A program of its own: the client's package and the tests' server have the same name, and its threads shall not wait for others.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections import defaultdict

from questdb import QuestDBError, Sender, TimestampMicros

# Timestamps in the past, so that partitions don't depend on when the test runs.
BEGIN_US = 1_767_225_600_000_000
HOUR_US = 3_600_000_000
VENUES = ["XNAS", "XNYS", "ARCX", "BATS", "äöü"]
TRIES = 20


class Writer(threading.Thread):
    """Writes `rate` commits a second of `batch` rows into one table, until it is told to stop.

    `late`: the share of rows that come up to two hours late. `again`: the share of commits that are sent once more, for tables
    with upsert keys. `grows`: every now and then a column that was not there. `now`: rows carry the time of the day.
    """

    def __init__(self, port: int, seed: int, table: str, number: int, batch: int = 100, rate: float = 10.0, late: float = 0.0,
                 again: float = 0.0, grows: bool = False, now: bool = False, step_us: int = 200_000):
        super().__init__(name=f"{table}-{number}", daemon=True)
        self.port, self.table, self.number = port, table, number
        self.batch, self.rate, self.late, self.again, self.grows, self.now, self.step_us = batch, rate, late, again, grows, now, step_us
        self.random = random.Random(f"{seed}:{table}:{number}")
        self.commits = self.rows_in = self.ids = self.qty = self.refused = 0
        self.slowest = 0.0
        self.failed: BaseException | None = None
        self.end = threading.Event()

    def run(self) -> None:
        try:
            with Sender.from_conf(f"http::addr=127.0.0.1:{self.port};auto_flush=off;retry_timeout=0;") as sender:
                self.write_all(sender)
        except BaseException as e:  # noqa: BLE001 (told in the account)
            self.failed = e

    def write_all(self, sender: Sender) -> None:
        begun, before = time.monotonic(), None
        while not self.end.is_set():
            rows = self.rows()
            self.write(sender, rows)
            self.rows_in += len(rows)
            self.ids += sum(r["id"] for r in rows)
            self.qty += sum(r["qty"] for r in rows)
            if before and self.random.random() < self.again:
                self.write(sender, before)
            before = rows
            self.commits += 1
            self.end.wait(max(0.0, begun + self.commits / self.rate - time.monotonic()))

    def rows(self) -> list[dict]:
        made, r = [], self.random
        for n in range(self.commits * self.batch, (self.commits + 1) * self.batch):
            at = time.time_ns() // 1000 if self.now else BEGIN_US + n * self.step_us
            # Distinct in all of the table: of rows with equal timestamps the order is nobody's promise.
            at += self.number
            if r.random() < self.late:
                at -= r.randrange(1, 2 * HOUR_US // 10) * 10
            made.append({"at": at, "id": self.number * 1_000_000_000 + n, "qty": r.randrange(1, 1000), "price": r.randrange(100, 50_000) / 100,
                         "sym": f"S{r.randrange(0, 40)}", "venue": r.choice(VENUES),
                         "note": "" if r.random() < 0.3 else f"note {n} " + "x" * r.randrange(0, 40)})
        return made

    def columns(self, row: dict) -> dict:
        columns = {name: row[name] for name in ("id", "qty", "price", "note")}
        if self.grows and self.commits >= 20:
            k = min(self.commits // 40, 7)
            columns[f"extra_{k}"] = float(row["id"]) if k % 2 else f"e{row['id']}"
        return columns

    def write(self, sender: Sender, rows: list[dict]) -> None:
        for attempt in range(TRIES):
            begun = time.monotonic()
            try:
                with sender.transaction(self.table) as t:
                    for r in rows:
                        t.row(symbols={"sym": r["sym"], "venue": r["venue"]}, columns=self.columns(r), at=TimestampMicros(r["at"]))
                self.slowest = max(self.slowest, time.monotonic() - begun)
                return
            except QuestDBError:
                # While a column is dropped or changed the server refuses a request now and then.
                self.refused += 1
                if attempt == TRIES - 1:
                    raise
                time.sleep(0.05)
                if self.are_in(rows):
                    return

    def are_in(self, rows: list[dict]) -> bool:
        """Looked up once the primary has applied what it has."""
        while self.ask(f"SELECT count() FROM wal_tables() WHERE name = '{self.table}' AND writerTxn < sequencerTxn")[0][0]:
            time.sleep(0.02)
        found = self.ask(f"SELECT count() FROM {self.table} WHERE id BETWEEN {rows[0]['id']} AND {rows[-1]['id']}")[0][0]
        if found not in (0, len(rows)):
            raise AssertionError(f"{found} of {len(rows)} rows of one commit are in {self.table}")
        return found > 0

    def ask(self, sql: str) -> list[list]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/exec?" + urllib.parse.urlencode({"query": sql}), timeout=60) as answer:
            return json.load(answer)["dataset"]


def account(writers: list[Writer]) -> str:
    tables: dict[str, dict] = defaultdict(lambda: {"rows": 0, "ids": 0, "qty": 0, "commits": 0, "refused": 0})
    for w in writers:
        t = tables[w.table]
        t["rows"] += w.rows_in
        t["ids"] += w.ids
        t["qty"] += w.qty
        t["commits"] += w.commits
        t["refused"] += w.refused
    failed = [f"{w.name} after {w.commits} commits: {w.failed!r}" for w in writers if w.failed]
    return json.dumps({"tables": tables, "failed": failed})


def main() -> int:
    port, seed = int(sys.argv[1]), int(sys.argv[2])
    writers = [Writer(port, seed, **w) for w in json.loads(sys.argv[3])]
    for w in writers:
        w.start()
    for _ in sys.stdin:
        print(account(writers), flush=True)
    for w in writers:
        w.end.set()
    for w in writers:
        w.join()
    print(account(writers), flush=True)
    return 1 if any(w.failed for w in writers) else 0


if __name__ == "__main__":
    sys.exit(main())
