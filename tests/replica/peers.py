"""Two servers on two directories that should hold the same tables: asked, written to, restarted, asked again."""

from __future__ import annotations

import concurrent.futures
import re
import sys
import time
from pathlib import Path

import questions as q
from afterlife import Pair, go_on, once_more
from questdb import QuestDB
from random_table import RandomTable
from sources import Source, view_rows

# As servers are in earnest: applied segments go away, soon.
SERVER = {"cairo.wal.purge.interval": "3000", "dev.mode.enabled": "true"}
THREADS = 6


class Peers:
    """`one` is the server's own directory, `two` the replica's; both are the parents of a `db`."""

    def __init__(self, source: Source, one: Path, two: Path, seed: int):
        self.source = source
        self.one, self.two = (QuestDB("9.3.4", root, source.settings | SERVER) for root in (one, two))
        self.one.patience = self.two.patience = 60
        self.pair = Pair(self.one, self.two, seed, set(source.multisets))
        self.pair.tables = source.tables
        self.asked = 0
        self.errors: dict[str, int] = {}
        # table -> what differs; tables that the server itself has suspended; and that were compared to the end.
        self.wrong: dict[str, list[str]] = {}
        self.stopped: set[str] = set()
        self.whole: set[str] = set()
        self.seconds: dict[str, float] = {}

    # -- the way of it ---------------------------------------------------------------------------

    def run(self) -> None:
        tables = self.source.tables
        try:
            self.timed("start", self.both, lambda s: s.start())
            self.timed("opened", self.settled, "opened")
            self.timed("ask", self.each, tables, "as opened", lambda t: self.compare(t, False))
            # What differs already, or stands still, is not written to; nor is what has partitions in Parquet form on the server, where
            # a replica has native ones: it refuses changes to them, and a row late for one after ADD COLUMN ends the process.
            alive = [t for t in self.alive() if not getattr(t, "foreign", False) and not getattr(t, "view", False) and not self.has_parquet(t)]
            for t in alive:
                t.db = self.pair
            self.timed("write", self.each, alive, "written to", go_on)
            self.timed("refresh", self.views)
            self.timed("applied", self.settled, "written to")
            self.timed("ask again", self.each, self.alive(), "written to", lambda t: self.compare(t, True))
            self.timed("restart", self.both, lambda s: (s.stop(), s.start()))
            self.timed("write again", self.each, [t for t in alive if t.directory not in self.wrong], "restarted", once_more)
            self.timed("applied again", self.settled, "restarted")
            self.timed("ask at last", self.each, self.alive(), "restarted", lambda t: self.compare(t, True))
            self.whole = {t.directory for t in self.alive()}
            self.timed("stop", self.both, lambda s: s.stop())
            for what in self.pair.wrong:
                self.note(re.search(r"\b(r\d{3,}x*|[a-z_0-9]+)\b", what).group(0), f"outcomes differ: {what}")
        finally:
            self.one.kill()
            self.two.kill()

    def alive(self) -> list[RandomTable]:
        return [t for t in self.source.tables if t.directory not in self.wrong and t.directory not in self.stopped]

    def timed(self, name: str, do, *args) -> None:
        started = time.monotonic()
        do(*args)
        self.seconds[name] = round(time.monotonic() - started, 1)
        print(f"    {name}: {self.seconds[name]} s", file=sys.stderr, flush=True)

    def both(self, do) -> None:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for job in [pool.submit(do, s) for s in (self.one, self.two)]:
                job.result()

    def each(self, tables: list[RandomTable], when: str, do) -> None:
        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            jobs = {pool.submit(do, t): t for t in tables}
            for job in concurrent.futures.as_completed(jobs):
                if job.exception():
                    t = jobs[job]
                    if any(s.process is None or s.process.poll() is not None for s in (self.one, self.two)):
                        raise job.exception()
                    self.note(t.directory, f"{when}: {type(job.exception()).__name__}: {job.exception()}")

    def note(self, directory: str, what: str) -> None:
        self.wrong.setdefault(directory, []).append(what)

    # -- states ----------------------------------------------------------------------------------

    def settled(self, when: str) -> None:
        """All is applied, and nothing suspended that isn't on the server's own directory."""
        states = []
        for server in (self.one, self.two):
            states.append(server.wait_applied())
        for t in self.source.tables:
            one, two = (s.get(t.name) for s in states)
            if one is None or two is None:
                self.note(t.directory, f"{when}: not in wal_tables(): {one} {two}")
            elif one["suspended"]:
                self.stopped.add(t.directory)
                if one["writerTxn"] != two["writerTxn"]:
                    self.note(t.directory, f"{when}: stopped at {one['writerTxn']}, the replica's at {two['writerTxn']}")
            elif two["suspended"]:
                self.note(t.directory, f"{when}: suspended: {two}\n{log_of(self.two, t.directory)}")
            elif t.directory in self.source.halfway and one["sequencerTxn"] == two["sequencerTxn"] + 1:
                # A replica has none of the transaction, and so stops before it.
                self.stopped.add(t.directory)
            elif one["sequencerTxn"] != two["sequencerTxn"] and not getattr(t, "view", False):
                self.note(t.directory, f"{when}: {one['sequencerTxn']} transactions, the replica has {two['sequencerTxn']}")

    def has_parquet(self, t: RandomTable) -> bool:
        return q.ask(self.one, f"SELECT count() > 0 p FROM table_partitions('{t.name}') WHERE isParquet")[1] == '"p"\r\ntrue\r\n'

    def compare(self, t: RandomTable, brief: bool) -> None:
        exact = t.directory not in self.pair.multisets
        stopped = t.directory in self.stopped
        shape = q.look_at(self.one, t.name)
        for question in q.questions(self.one, shape, exact, brief or stopped):
            one, two = q.ask(self.one, question.sql), q.ask(self.two, question.sql)
            if one[0] == "error" and two[0] == "error":
                self.errors[one[1]] = self.errors.get(one[1], 0) + 1
                continue
            self.asked += 1
            different = q.difference(question, one, two)
            for _ in range(8):
                # Of doubles that aren't finite, the server's own answer is now this, now that.
                if not different or question.kind != "min/max":
                    break
                different = q.difference(question, q.ask(self.one, question.sql), q.ask(self.two, question.sql))
            if different:
                return self.note(t.directory, f"{question.kind}: {different}")
        if stopped:
            return
        one, two = (q.description(s, t.name) for s in (self.one, self.two))
        self.asked += len(one)
        # Parquet on one side, native on the other.
        unknown = {p[0] for side in (one, two) for p in side["partitions"] if p[1] and p[2] is None}
        for side in (one, two):
            side["partitions"] = [p[:2] if p[0] in unknown else p for p in side["partitions"]]
        for what in one:
            if one[what] != two[what]:
                self.note(t.directory, f"{what}\n   one: {brief_of(one[what], two[what])}\n   two: {brief_of(two[what], one[what])}")

    # -- materialized views ----------------------------------------------------------------------

    def views(self) -> None:
        """New rows in the base tables have to reach the views, on both."""
        views = self.source.views
        if not views:
            return
        rows = [s.query(f"SELECT {q.VIEW_ESSENTIALS} FROM materialized_views() ORDER BY view_name") for s in (self.one, self.two)]
        if rows[0] != rows[1]:
            self.note("materialized_views()", f"\n   one: {brief_of(rows[0], rows[1])}\n   two: {brief_of(rows[1], rows[0])}")
        manual = [r["view_name"] for r in rows[0] if r["refresh_type"] == "manual" and r["view_status"] == "valid" and r["view_name"] in views]
        bases = sorted({r["base_table_name"] for r in rows[0] if r["base_table_name"].startswith("base") and r["view_name"] in views and len(r["base_table_name"]) > 4})
        for step in (5, -3):
            for base in bases:
                lines = view_rows(self.source.tables[0].random, base, step)
                for server in (self.one, self.two):
                    server.write(lines)
            for server in (self.one, self.two):
                server.wait_applied()
                for view in manual:
                    server.query(f"REFRESH MATERIALIZED VIEW {view} INCREMENTAL")
                q.wait_views(server, views)
                server.wait_applied()
            for view in views:
                question = q.Question("view", f"SELECT * FROM {view}", False)
                self.asked += 1
                different = q.difference(question, q.ask(self.one, question.sql), q.ask(self.two, question.sql))
                if different:
                    self.note(view, different)


def brief_of(mine, other) -> str:
    """What of a list isn't in the other."""
    if isinstance(mine, list) and isinstance(other, list):
        return str([row for row in mine if row not in other])[:600]
    return str(mine)[:600]


def log_of(server: QuestDB, directory: str, lines: int = 12) -> str:
    """What a server's log says of a table as an error."""
    text = (server.root / "server.log").read_text(errors="replace").splitlines()
    at = [i for i, line in enumerate(text) if directory in line and re.search(r" [CE] i\.q", line)]
    return "\n".join(f"      {line[:300]}" for i in at[:2] for line in text[i : i + lines // 2])
