"""What happens to a table on both servers, after both have opened it."""

from __future__ import annotations

import http.client
import re
import time

from questdb import QuestDB, ServerError
from random_table import CHANGES, RandomTable
import random_values as values


class Pair:
    """Stands where a table has its recorder: what is written goes to both servers, which have to agree on it."""

    def __init__(self, one: QuestDB, two: QuestDB, seed: int, multisets: set[str]):
        self.one, self.two, self.seed, self.multisets = one, two, seed, multisets
        self.server = self
        self.statements = 0
        self.wrong: list[str] = []
        # Those of them with a TTL are waited for after each statement: what goes depends on what is applied together.
        self.tables: list[RandomTable] = []

    def sql(self, statement: str) -> list[dict]:
        return self.one.query(statement)

    def attempt(self, statement: str) -> str | None:
        outcome = [refusal(s, statement) for s in (self.one, self.two)]
        self.statements += 1
        if (outcome[0] is None) != (outcome[1] is None):
            self.wrong.append(f"{statement[:300]}\n   one: {outcome[0]}\n   two: {outcome[1]}")
        self.keep_pace(re.search(r"(?:INTO|TABLE|UPDATE)\s+\"?(\w+)", statement))
        return outcome[0]

    def write(self, lines: list[str], precision: str = "u") -> None:
        """On a connection of its own: a writer that is kept learns of changed types late, and then refuses."""
        outcome = []
        for server in (self.one, self.two):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
            try:
                connection.request("POST", f"/write?precision={precision}", ("\n".join(lines) + "\n").encode())
                response = connection.getresponse()
                body = response.read().decode(errors="replace")
                outcome.append(None if response.status < 300 else body)
            finally:
                connection.close()
        self.statements += 1
        if (outcome[0] is None) != (outcome[1] is None):
            self.wrong.append(f"{len(lines)} lines such as {lines[0][:200]}\n   one: {outcome[0]}\n   two: {outcome[1]}")
        if outcome[0]:
            raise ServerError(outcome[0])
        self.keep_pace(re.match(r"(\w+)", lines[0]))

    def keep_pace(self, name: re.Match | None) -> None:
        table = next((t for t in self.tables if name and t.name == name.group(1)), None)
        # While it is being renamed, it is known by either name.
        if table and table.ttl and table.name in self.one.wal_tables([table.name]):
            self.applied(table.name)

    def parallel(self, jobs: list) -> None:
        # One after another: which of several writers gets through first is up to each server.
        for job in jobs:
            job()

    def applied(self, table: str) -> None:
        for server in (self.one, self.two):
            server.wait_applied([table])

    def snapshot(self, table: str) -> None:
        pass

    def multiset(self, table: str, reason: str = "") -> None:
        self.multisets.add(self.directory(table))

    def directory(self, table: str) -> str:
        return self.one.query(f"SELECT directoryName d FROM tables() WHERE table_name = '{table}'")[0]["d"]


def refusal(server: QuestDB, statement: str) -> str | None:
    # A table that is busy with a change is asked again.
    for _ in range(5):
        try:
            server.query(statement)
            return None
        except ServerError as e:
            if "retry" not in e.message and "busy" not in e.message:
                return e.message
            time.sleep(0.2)
    return e.message


def go_on(t: RandomTable) -> None:
    """In order, late, new symbols, new partitions, no symbols; then every kind of change, with rows in between."""
    r = t.random
    rows_everywhere(t)
    steps = [t.add_column, add_symbol, t.rename_column, t.drop_column, t.change_type, index, t.dedup, t.dedup]
    r.shuffle(steps)
    for step in steps:
        step(t) if step in (add_symbol, index) else step()
        if r.random() < 0.5:
            t.insert(t.moments(r.choice([1, 3, 10])))
    t.update()
    if t.number % 7 == 3:
        t.run(f"TRUNCATE TABLE {t.name}")
    # Names of parts that a server split off are its own: no partition is dropped by name.
    harmless = [c for c in CHANGES if c is not RandomTable.drop_listed]
    for _ in range(3):
        r.choice(harmless)(t)
    t.insert(t.moments(5))
    t.write(t.moments(5))
    rows_everywhere(t)


def once_more(t: RandomTable) -> None:
    """After a restart."""
    t.insert(t.moments(4))
    rows_everywhere(t)


def rows_everywhere(t: RandomTable) -> None:
    r, span = t.random, max(t.now - t.start, t.step)
    scale = 1000 if t.nanos else 1
    t.now += t.step // 50 + 1
    symbols = [c for c, k in t.columns.items() if k == "SYMBOL"]
    put(t, [t.now, t.now + 1], symbols, None)
    put(t, [t.start + r.randrange(span) for _ in range(5)], symbols, f"new {t.random.randrange(1000)}")
    t.now += 2 * t.step
    put(t, [t.now], symbols, "in a new partition")
    put(t, [t.start + r.randrange(span), t.now], symbols, "")
    t.insert([at * scale for at in (t.now, t.start + span // 2)])


def put(t: RandomTable, moments: list[int], symbols: list[str], value: str | None) -> None:
    """Rows with this in all symbol columns (None is null) and something in the others."""
    scale = 1000 if t.nanos else 1
    columns = list(t.columns)
    word = lambda c: ("null" if value is None else f"'{value}'") if c in symbols else values.literal(t.random, t.columns[c])  # noqa: E731
    rows = ["(" + ", ".join([str(at * scale)] + [word(c) for c in columns]) + ")" for at in moments]
    t.run(f"INSERT INTO {t.name} ({', '.join(['ts'] + columns)}) VALUES {', '.join(rows)}")


def add_symbol(t: RandomTable) -> None:
    name = f"c{t.next_column}"
    t.next_column += 1
    if t.run(f"ALTER TABLE {t.name} ADD COLUMN {name} SYMBOL"):
        t.columns[name] = "SYMBOL"
        t.young.add(name)


def index(t: RandomTable) -> None:
    symbols = [c for c, k in t.columns.items() if k == "SYMBOL"]
    if symbols:
        chosen = t.random.choice(symbols)
        indexed = {c["column"]: c["indexed"] for c in t.db.sql(f"SHOW COLUMNS FROM {t.name}")}
        # The two servers may be at different points of their queue, so that none is asked what only one knows.
        t.db.applied(t.name)
        t.run(f"ALTER TABLE {t.name} ALTER COLUMN {chosen} {'DROP' if indexed.get(chosen) else 'ADD'} INDEX")
        t.insert(t.moments(3))
