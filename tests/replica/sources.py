"""Databases that a real server wrote: whole `db` directories, with the tables that go on living on two servers later."""

from __future__ import annotations

import concurrent.futures
import importlib
import random
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

import questions as q
import random_values as values
from random_table import SECOND, UNITS, RandomTable
from recorder import Recorder

# Idle workers sleep instead of spinning: the test, two servers and the command share few cores.
LEAN = {f"{pool}.worker.{what}": value for pool in ("shared", "http", "pg", "wal.apply", "mat.view.refresh", "view.compiler", "export")
        for what, value in (("yield.threshold", "1"), ("nap.threshold", "5"), ("sleep.threshold", "50"), ("sleep.timeout", "4"))} | {
        # Small maps for symbols and indexes: the defaults take megabytes of each, to be cleared by the kernel.
        "cairo.writer.data.index.key.append.page.size": "64k", "cairo.writer.data.index.value.append.page.size": "64k", "cairo.writer.misc.append.page.size": "64k",
        "cairo.symbol.table.min.allocation.page.size": "4k", "cairo.symbol.table.max.allocation.page.size": "64k"}
# Several segments for most tables.
RANDOM = LEAN | {"cairo.wal.segment.rollover.row.count": "300", "line.http.max.uncommitted.rows": "1000000", "dev.mode.enabled": "true"}
# Every other batch has sequencer logs of format 2.
PARTS = {"cairo.default.sequencer.part.txn.count": "7"}

# Scenarios of tests/record that can be made again on one server; the settings of the second group apply to all of its tables.
# Not among them: `purged` and `unlogged`, whose log doesn't hold all that happened, and those of older releases.
SCENARIOS = [
    (["alltypes", "capacity", "column_tops", "conversions", "dedup_keys", "dedup_ts", "drop_partition", "evolution", "live", "matview", "ns", "ooo", "partitions_by", "rename_drop",
      "suspended", "symbols", "trading_day", "truncate", "ttl", "update", "writers"], LEAN | {"dev.mode.enabled": "true"}),
    (["rollover", "v2log"], LEAN | PARTS | {"cairo.wal.segment.rollover.row.count": "100", "cairo.wal.segment.rollover.size": "64k"}),
]


@dataclass
class Source:
    """A server's stopped `db` directory, and what is known of its tables."""

    name: str
    root: Path
    settings: dict[str, str]
    # The directory as it was at a stop in the middle, where that was kept.
    half: Path | None = None
    # Tables with all that is drawn for them; those of the scenarios are drawn later.
    tables: list[RandomTable] = field(default_factory=list)
    # Of tables whose order of rows the log doesn't fix, and of those in which all came in order.
    multisets: set[str] = field(default_factory=set)
    orderly: set[str] = field(default_factory=set)
    views: list[str] = field(default_factory=list)
    # Tables that the server has suspended: of the transaction it may have done a part, and then has it as applied.
    halfway: set[str] = field(default_factory=set)
    # What the server answered in the end, by directory, where it was asked.
    answers: dict[str, str] = field(default_factory=dict)

    @property
    def db(self) -> Path:
        return self.root / "server/db"


class Maker(Recorder):
    """A recorder that keeps the whole directory instead of answers."""

    def __init__(self, name: str, seed: int, settings: dict, root: Path, half: bool):
        super().__init__(name, "9.3.4", seed, settings, root, {"size": "small"})
        self.root, self.half = root, root / "half/db" if half else None

    def snapshot(self, *tables: str) -> None:
        pass

    def copy_live(self) -> None:
        self.applied()

    def restart(self) -> None:
        self.applied()
        self.server.stop()
        if self.half and not self.half.exists():
            shutil.copytree(self.server.db, self.half)
        self.server.start()


class OrderlyTable(RandomTable):
    """Rows come in order, from one writer at a time, and columns are added: the format fixes the bytes of all files."""

    def create(self) -> None:
        super().create()
        if self.keys is not None:
            self.run(f"ALTER TABLE {self.name} DEDUP DISABLE")
            self.keys, self.dedup_possible = None, False

    def live(self, count: int) -> None:
        if self.ttl:
            # Hours are refused for months and years.
            self.ttl = not self.run(f"ALTER TABLE {self.name} SET TTL 0 {self.unit}S")
        for _ in range(count):
            if self.random.random() < 0.75:
                if self.random.random() < 0.6:
                    self.insert(self.moments(self.random.choice([1, 2, 5, 20, 60])))
                else:
                    self.write(self.moments(self.random.choice([1, 4, 30, 120])))
            else:
                self.random.choice([OrderlyTable.add_column] * 3 + [OrderlyTable.rename_column, OrderlyTable.drop_column])(self)
        self.db.applied(self.name)

    def moments(self, count: int) -> list[int]:
        out = []
        for _ in range(count):
            self.now += self.random.randrange(self.step // 20 + 1) if self.random.random() < 0.9 else self.random.randrange(self.step)
            out.append(self.now * 1000 if self.nanos else self.now)
        return out


class LargeTable(RandomTable):
    """Commits of some thousand rows over several partitions, late ones among them, and columns that come and go."""

    def create(self) -> None:
        self.columns, self.keys, self.commits = {}, None, 0
        self.run(f"CREATE TABLE {self.name} (ts TIMESTAMP, s SYMBOL, t SYMBOL INDEX, v VARCHAR, d DOUBLE, n LONG) TIMESTAMP(ts) PARTITION BY DAY WAL")
        self.directory = self.db.directory(self.name)

    def live(self, count: int) -> None:
        r = self.random
        for i in range(count):
            self.commits += 1
            rows, late = r.choice([100, 2000, 4000]), r.choice([0, 0, 0, 3600, 200_000])
            start = 1_700_000_000_000_000 + self.commits * 9_000 * SECOND - r.randrange(late + 1) * SECOND
            self.run(f"INSERT INTO {self.name} (ts, s, t, v, d, n) SELECT ({start} + x * {9_000 * SECOND // rows})::timestamp, 's' || (x * 7919 + {i}) % {20 * self.commits}, "
                     f"rnd_symbol('a', 'b', null), rnd_varchar(1, 20, 3), rnd_double(), x FROM long_sequence({rows}, {r.randrange(2**31)}, 2)")
            if r.random() < 0.3:
                self.next_column += 1
                self.run(f"ALTER TABLE {self.name} ADD COLUMN c{self.next_column} {r.choice(['INT', 'SYMBOL', 'VARCHAR'])}")
        self.db.applied(self.name)


def random_source(seed: int, numbers: list[int], root: Path, half: bool, threads: int = 6, views: int = 3) -> Source:
    """As many random tables, every fifth of them in order, and some materialized views."""
    batch = numbers[0] // len(numbers)
    settings = RANDOM | (PARTS if batch % 2 else {})
    maker = Maker("random", seed, settings, root, half)
    source = Source(f"random {numbers[0]}-{numbers[-1]}", root, settings, maker.half)
    with maker.server:
        source.tables = [(OrderlyTable if n % 5 == 4 else RandomTable)(maker, n) for n in numbers]
        phase(source.tables, "create", threads)
        source.orderly = {t.directory for t in source.tables if isinstance(t, OrderlyTable)}
        source.views = [view for number in range(views) for view in add_views(maker, number)]
        phase(source.tables, "first_life", threads)
        maker.restart()
        phase(source.tables, "second_life", threads)
        settle_views(maker, source.views)
        maker.applied()
        source.halfway = suspended(maker, source.tables)
    source.multisets = set(maker.multisets)
    shutil.rmtree(maker.out)
    return source


def killing_source(seed: int, root: Path) -> Source:
    """Random tables, and a few of more rows; with the server's answers."""
    maker = Maker("kills", seed, RANDOM, root, True)
    source = Source("kills", root, RANDOM, maker.half)
    with maker.server:
        source.tables = [(OrderlyTable if n % 5 == 4 else RandomTable)(maker, n) for n in range(9000, 9012)]
        source.tables += [LargeTable(maker, n) for n in range(9100, 9103)]
        phase(source.tables, "create", 6)
        phase(source.tables, "first_life", 6)
        maker.restart()
        phase(source.tables, "second_life", 6)
        maker.applied()
        for t in source.tables:
            source.answers[t.directory] = q.ask(maker.server, f"SELECT * FROM {t.name}")[1]
    source.multisets = set(maker.multisets)
    shutil.rmtree(maker.out)
    return source


def phase(tables: list[RandomTable], name: str, threads: int) -> None:
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        jobs = {pool.submit(getattr(t, name)): t for t in tables}
        for job in concurrent.futures.as_completed(jobs):
            if job.exception():
                table = jobs[job]
                raise RuntimeError(f"scenario {table.number} in {name}, after\n  " + "\n  ".join(table.history[-12:])) from job.exception()


def scenario_source(seed: int, names: list[str], settings: dict, root: Path) -> Source:
    """Scenarios of tests/record, one after another on one server."""
    maker = Maker("scenarios", seed, settings, root, False)
    source = Source("scenarios " + " ".join(names), root, settings)
    with maker.server:
        for name in names:
            scenario = importlib.import_module(f"scenarios.{name}")
            if name == "trading_day":
                scenario.SIZES["small"]["seconds"] = 0.0
            maker.name, maker.random = name, random.Random(f"{name}:{seed}")
            print(f"  {name}", file=sys.stderr, flush=True)
            scenario.run(maker)
        maker.applied()
        source.tables = [adopted(maker, number, row) for number, row in enumerate(maker._tables())]
        source.views = [r["view_name"] for r in maker.sql("SELECT view_name FROM materialized_views()")]
        settle_views(maker, source.views)
        maker.applied()
        source.halfway = suspended(maker, source.tables)
    source.multisets = set(maker.multisets)
    shutil.rmtree(maker.out)
    return source


def suspended(maker: Maker, tables: list[RandomTable]) -> set[str]:
    """Those that are suspended now, or were before a restart."""
    states = maker.server.wal_tables()
    return {t.directory for t in tables if states.get(t.name, {}).get("suspended") or "suspended" in maker.expect.get(t.name, {})}


def adopted(maker: Maker, number: int, row: dict) -> RandomTable:
    """A table that something else made, as one that may go on at random."""
    table = RandomTable(maker, number)
    table.name, table.directory = row["table_name"], row["directoryName"]
    columns = maker.sql(f'SHOW COLUMNS FROM "{table.name}"')
    stamp = next((c for c in columns if c["designated"]), None)
    table.view = bool(row.get("matView"))
    table.foreign = not table.name.isidentifier() or not table.name.isascii() or stamp is None or stamp["column"] != "ts" or row["partitionBy"] not in UNITS
    table.nanos = stamp is not None and stamp["type"] == "TIMESTAMP_NS"
    table.columns = {c["column"]: c["type"] for c in columns if not c["designated"] and c["type"] in values.TYPES and c["column"].isidentifier()}
    table.young = set(table.columns)
    table.keys = [c["column"] for c in columns if c["upsertKey"] and not c["designated"]] if row["dedup"] else None
    table.dedup_possible, table.ttl = True, bool(row.get("ttlValue"))
    table.unit = row["partitionBy"]
    table.step = UNITS.get(table.unit, UNITS["DAY"])
    if not table.foreign:
        ends = maker.sql(f'SELECT min(ts)::long l, max(ts)::long h FROM "{table.name}"')
        scale = 1000 if table.nanos else 1
        if ends and ends[0]["l"] is not None:
            table.start, table.now = ends[0]["l"] // scale, ends[0]["h"] // scale + 1
        else:
            table.now = table.start
    table.next_column = 100
    return table


# -- views -------------------------------------------------------------------------------------------

MINUTE = 60_000_000
VIEW_START = 1_741_000_000_000_000


def add_views(maker: Maker, number: int) -> list[str]:
    """A base table with a view that refreshes by itself and one that is refreshed by hand."""
    base = f"base{number}"
    maker.sql(f"CREATE TABLE {base} (ts TIMESTAMP, s SYMBOL, p DOUBLE, q LONG) TIMESTAMP(ts) PARTITION BY DAY WAL",
              f"CREATE MATERIALIZED VIEW {base}_auto AS (SELECT ts, s, count() n, sum(q) v FROM {base} SAMPLE BY 5m) PARTITION BY DAY",
              f"CREATE MATERIALIZED VIEW {base}_manual REFRESH MANUAL AS (SELECT ts, first(q) o, max(p) h, min(p) l, last(q) c FROM {base} SAMPLE BY 1h) PARTITION BY MONTH")
    for i in range(4):
        maker.ilp(view_rows(maker.random, base, i))
        maker.refresh_view(f"{base}_manual")
    maker.refreshed(f"{base}_auto")
    return [f"{base}_auto", f"{base}_manual"]


def view_rows(r: random.Random, base: str, step: int) -> list[str]:
    at = lambda: VIEW_START + step * 400 * MINUTE + r.randrange(-200 * MINUTE, 400 * MINUTE)  # noqa: E731
    return [f"{base},s={r.choice('ABC')} p={100 + r.gauss(0, 3):.2f},q={r.randrange(1, 100)}i {at()}" for _ in range(40)]


def settle_views(maker: Maker, views: list[str]) -> None:
    """Nothing of a view's refresh may be under way when the server stops."""
    for view in views:
        row = maker.sql(f"SELECT * FROM materialized_views() WHERE view_name = '{view}'")[0]
        if row["view_status"] == "valid":
            if row["refresh_type"] == "manual":
                maker.refresh_view(view)
            else:
                maker.refreshed(view)
