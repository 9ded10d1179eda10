"""One random scenario: a table of random shape, and what happens to it."""

from __future__ import annotations

from random import Random

import random_values as values
from questdb import ServerError

SECOND = 1_000_000
UNITS = {"HOUR": 3600 * SECOND, "DAY": 86_400 * SECOND, "WEEK": 7 * 86_400 * SECOND, "MONTH": 30 * 86_400 * SECOND, "YEAR": 365 * 86_400 * SECOND}
TTLS = {"HOUR": ["5 HOURS", "1 DAY"], "DAY": ["3 DAYS", "1 WEEK", "72 HOURS"], "WEEK": ["2 WEEKS"], "MONTH": ["2 MONTHS"], "YEAR": ["2 YEARS"]}


class RandomTable:
    """Draws everything from (seed, number); `db` is the recorder."""

    def __init__(self, db, number: int):
        self.db, self.number = db, number
        self.random = r = Random(f"{db.seed}:{number}")
        self.name = f"r{number:03d}"
        self.history: list[str] = []
        self.unit = r.choice(list(UNITS))
        self.step = UNITS[self.unit]
        self.nanos = r.random() < 0.25
        self.start = 1_600_000_000 * SECOND + r.randrange(10**14)
        self.now = self.start
        # name -> type, in the order of the schema; the designated timestamp `ts` apart.
        self.columns: dict[str, str] = {f"c{i}": r.choice(values.TYPES) for i in range(r.randrange(2, 9))}
        self.next_column = len(self.columns)
        # Added or converted when rows may have been there: QuestDB 9.3.4 crashes by merging late rows into a column
        # of text that an UPDATE has written above the column's top, so that UPDATE leaves them alone.
        self.young: set[str] = set()
        self.keys: list[str] | None = None
        self.ttl = False

    # -- what happens ----------------------------------------------------------------------------

    def create(self) -> None:
        r = self.random
        self.dedup_possible = r.random() < 0.55
        columns = "".join(f", {name} {kind}" for name, kind in self.columns.items())
        kind = "TIMESTAMP_NS" if self.nanos else "TIMESTAMP"
        sql = f"CREATE TABLE {self.name} (ts {kind}{columns}) TIMESTAMP(ts) PARTITION BY {self.unit}"
        if r.random() < 0.2:
            sql += f" TTL {r.choice(TTLS[self.unit])}"
            self.ttl = True
        sql += " WAL"
        if self.dedup_possible and r.random() < 0.6:
            sql += f" DEDUP UPSERT KEYS({', '.join(self.pick_keys())})"
        self.run(sql)
        self.directory = self.db.directory(self.name)
        if self.keys:
            self.db.multiset(self.name)

    def first_life(self) -> None:
        self.live(self.random.randrange(12, 22))

    def second_life(self) -> None:
        self.live(self.random.randrange(8, 16))

    def live(self, count: int) -> None:
        r = self.random
        shots = {r.randrange(count) for _ in range(2)}
        for i in range(count):
            if r.random() < 0.62:
                self.commit()
            else:
                r.choice(CHANGES)(self)
            if self.ttl:
                # Expiry is judged after every commit that the server applies: one at a time, then.
                self.db.applied(self.name)
            if i in shots:
                self.db.snapshot(self.name)
        self.db.applied(self.name)

    def run(self, sql: str) -> bool:
        """Runs a statement; whether the server took it."""
        message = self.db.attempt(sql)
        self.history.append(sql[:300] + (f" -- {message}" if message else ""))
        return message is None

    # -- rows ------------------------------------------------------------------------------------

    def commit(self) -> None:
        r = self.random
        kind = r.random()
        if kind < 0.6:
            self.insert(self.moments(r.choice([1, 2, 5, 20, 60])))
        elif kind < 0.85:
            self.write(self.moments(r.choice([1, 4, 30, 120])))
        elif not self.ttl:
            batches = [self.lines(self.moments(r.choice([1, 10, 40]))) for _ in range(r.randrange(2, 5))]
            self.history.append(f"{len(batches)} writers at once")
            self.db.parallel([lambda b=b: self.send(b) for b in batches])

    def moments(self, count: int) -> list[int]:
        """Times in the table's unit: ahead of all, late, equal to others, or of all kinds."""
        r, step = self.random, self.step
        kind = r.choice(["ahead", "ahead", "mixed", "late", "equal"])
        out = []
        for _ in range(count):
            if kind == "ahead" or (kind == "mixed" and r.random() < 0.6):
                self.now += r.randrange(step // 20 + 1) if r.random() < 0.9 else r.randrange(step)
                at = self.now
            elif kind == "equal":
                at = self.start + r.randrange(1, 12) * (step // 4)
            else:
                at = self.start + r.randrange(max(self.now - self.start, step))
            out.append(at * 1000 + r.randrange(2) if self.nanos else at)
        return out

    def insert(self, moments: list[int]) -> None:
        r = self.random
        chosen = [c for c in self.columns if r.random() < 0.85]
        rows = [", ".join([str(at)] + [values.literal(r, self.columns[c]) for c in chosen]) for at in moments]
        sql = f"INSERT INTO {self.name} ({', '.join(['ts'] + chosen)}) VALUES " + ", ".join(f"({row})" for row in rows)
        if not self.run(sql):
            # A writer that was refused in between may have left a column of another type than meant.
            self.follow()

    def write(self, moments: list[int]) -> None:
        self.history.append(f"{len(moments)} rows by ILP")
        self.send(self.lines(moments))

    def send(self, lines: list[str]) -> None:
        """Writes one ILP commit, unless the server refuses it."""
        try:
            self.db.server.write(lines, "n" if self.nanos else "u")
        except ServerError as e:
            # The writer that a connection keeps learns of a changed type only now and then.
            self.history.append(f"refused by ILP: {e.message[:200]}")
            self.follow()

    def follow(self) -> None:
        """Forgets the columns that the server does not have, or has with another type."""
        there = {row["column"]: row["type"] for row in self.db.sql(f"SHOW COLUMNS FROM {self.name}")}
        self.columns = {c: k for c, k in self.columns.items() if there.get(c) == k}

    def lines(self, moments: list[int]) -> list[str]:
        r = self.random
        lines = []
        usable = {c: k for c, k in self.columns.items() if k in values.ILP_TYPES}
        for at in moments:
            tags, fields = "", []
            for column, kind in usable.items():
                if r.random() < 0.2:
                    continue
                if kind == "SYMBOL":
                    tags += f",{column}={values.ilp_tag(values.text(r))}"
                else:
                    fields.append(f"{column}={values.ilp_field(r, kind)}")
            # A line needs a tag or a field: one that has nothing else gets a column of its own.
            if not tags and not fields:
                column = next((c for c, k in usable.items() if k != "SYMBOL"), None)
                if column is None:
                    self.columns["ilp"] = "DOUBLE"
                    self.young.add("ilp")
                    fields.append("ilp=1.25")
                else:
                    fields.append(f"{column}={values.ilp_field(r, usable[column])}")
            lines.append(f"{self.name}{tags} {','.join(fields)} {at}".replace("  ", " "))
        return lines

    # -- changes ---------------------------------------------------------------------------------

    def add_column(self) -> None:
        kind = self.random.choice(values.TYPES)
        gone = [f"c{i}" for i in range(self.next_column) if f"c{i}" not in self.columns]
        name = self.random.choice(gone) if gone and self.random.random() < 0.5 else f"c{self.next_column}"
        if self.run(f"ALTER TABLE {self.name} ADD COLUMN {name} {kind}"):
            self.columns[name] = kind
            self.young.add(name)
            self.next_column += 1

    def drop_column(self) -> None:
        # The loss of the last extra upsert key trips the server: see wal-format.
        candidates = [c for c in self.columns if not (self.keys and c in self.keys and len(self.keys) == 1)]
        if len(candidates) < 2:
            return
        name = self.random.choice(candidates)
        if self.run(f"ALTER TABLE {self.name} DROP COLUMN {name}"):
            del self.columns[name]
            self.young.discard(name)
            if self.keys and name in self.keys:
                self.keys.remove(name)

    def rename_column(self) -> None:
        if not self.columns:
            return
        old, new = self.random.choice(list(self.columns)), f"c{self.next_column}"
        self.next_column += 1
        if self.run(f"ALTER TABLE {self.name} RENAME COLUMN {old} TO {new}"):
            self.columns = {new if c == old else c: k for c, k in self.columns.items()}
            self.young = {new if c == old else c for c in self.young}
            self.keys = [new if k == old else k for k in self.keys] if self.keys else self.keys

    def change_type(self) -> None:
        candidates = [c for c, k in self.columns.items() if k in values.CONVERSIONS]
        if not candidates:
            return
        name = self.random.choice(candidates)
        kind = self.random.choice([k for k in values.CONVERSIONS[self.columns[name]] if k != self.columns[name]])
        if self.keys and name in self.keys and kind not in values.KEY_TYPES:
            return
        if self.run(f"ALTER TABLE {self.name} ALTER COLUMN {name} TYPE {kind}"):
            self.columns[name] = kind
            self.young.add(name)

    def pick_keys(self) -> list[str]:
        candidates = [c for c, k in self.columns.items() if k in values.KEY_TYPES]
        count = self.random.choice([0, 0, 1, 2])
        self.keys = self.random.sample(candidates, min(count, len(candidates)))
        return ["ts"] + self.keys

    def dedup(self) -> None:
        if not self.dedup_possible:
            return
        if self.keys is not None and self.random.random() < 0.5:
            if self.run(f"ALTER TABLE {self.name} DEDUP DISABLE"):
                self.keys = None
            return
        before = self.keys
        if not self.run(f"ALTER TABLE {self.name} DEDUP ENABLE UPSERT KEYS({', '.join(self.pick_keys())})"):
            self.keys = before
        elif self.keys:
            self.db.multiset(self.name)

    def truncate(self) -> None:
        if self.random.random() < 0.4:
            self.run(f"TRUNCATE TABLE {self.name}")

    def drop_partition(self) -> None:
        r = self.random
        low, high, young = self.start, self.now, bool(self.young)
        if young:
            # Once all partitions of a table are dropped, QuestDB 9.3.4 loses what is then written into
            # columns that had been added, so that the last partition stays.
            self.db.applied(self.name)
            rows = self.db.sql(f"SELECT max(ts)::long t FROM {self.name}")
            newest = rows[0]["t"] or 0 if rows else 0
            high = newest // (1000 if self.nanos else 1) - 3 * self.step // 2
            if high <= low:
                return
        first, last = (self.literal_time(low + r.randrange(max(high - low, 1))) for _ in range(2))
        below = [f"ts < {first}", f"ts <= {first}", f"ts > {first} AND ts < {last}", f"ts BETWEEN {first} AND {last}", f"ts = {first}", f"ts IN ({first}, {last})",
                 f"NOT (ts > {first} OR ts = {last})"]
        above = [f"NOT ts < {last}", f"ts <= {min(first, last)} OR ts >= {max(first, last)}", "ts > now()", f"ts != {first}"]
        self.run(f"ALTER TABLE {self.name} DROP PARTITION WHERE {r.choice(below if young else below + above)}")

    def drop_listed(self) -> None:
        r = self.random
        self.db.applied(self.name)
        parts = self.db.sql(f"table_partitions('{self.name}')")
        names = sorted({p["name"] for p in parts if p["attached"]})
        if len(names) > 1:
            chosen = r.sample(names, r.choice([1, min(2, len(names) - 1)]))
            self.run(f"ALTER TABLE {self.name} DROP PARTITION LIST " + ", ".join(f"'{n}'" for n in chosen))

    def literal_time(self, micros: int) -> str:
        rows = self.db.sql(f"SELECT ({micros})::timestamp t")
        return f"'{rows[0]['t']}'"

    def update(self) -> None:
        r = self.random
        settable = [c for c, k in self.columns.items() if k in ("INT", "LONG", "DOUBLE", "SYMBOL", "BOOLEAN") or (k in ("VARCHAR", "STRING") and c not in self.young)]
        settable = [c for c in settable if c not in (self.keys or [])]
        comparable = [c for c, k in self.columns.items() if k in ("INT", "LONG", "SYMBOL", "VARCHAR", "STRING", "BOOLEAN", "DOUBLE")]
        if not settable or not comparable:
            return
        chosen = r.sample(settable, min(len(settable), r.choice([1, 1, 2])))
        sets = ", ".join(f"{c} = {values.literal(r, self.columns[c])}" for c in chosen)
        where = self.comparison(comparable)
        if r.random() < 0.4:
            where = f"{where} {r.choice(['AND', 'OR'])} {self.comparison(comparable)}"
        if r.random() < 0.2:
            where = f"NOT ({where})"
        self.run(f"UPDATE {self.name} SET {sets}" + (f" WHERE {where}" if r.random() < 0.9 else ""))

    def comparison(self, columns: list[str]) -> str:
        r = self.random
        if r.random() < 0.25:
            return f"ts {r.choice(['<', '>=', '>'])} {self.literal_time(self.start + r.randrange(max(self.now - self.start, 1)))}"
        column = r.choice(columns)
        kind = self.columns[column]
        value = values.literal(r, kind)
        ordered = kind in ("INT", "LONG", "DOUBLE") and value != "null"
        return f"{column} {r.choice(['=', '!=', '<', '>', '<=', '>='] if ordered else ['=', '!='])} {value}"

    def set_ttl(self) -> None:
        r = self.random
        if r.random() < 0.3:
            # What was written before is applied before expiry begins.
            self.db.applied(self.name)
            self.run(f"ALTER TABLE {self.name} SET TTL {r.choice(TTLS[self.unit])}")
            self.ttl = True
        elif self.ttl:
            self.run(f"ALTER TABLE {self.name} SET TTL 0 HOURS")

    def rename_table(self) -> None:
        new = self.name + "x"
        self.db.applied(self.name)
        if len(new) < 8 and self.run(f"RENAME TABLE {self.name} TO {new}"):
            self.name = new

    def no_content(self) -> None:
        symbols = [c for c, k in self.columns.items() if k == "SYMBOL"]
        forms = ["SET PARAM maxUncommittedRows = 1000", "SET PARAM o3MaxLag = 1s"]
        for c in symbols:
            forms += [f"ALTER COLUMN {c} NOCACHE", f"ALTER COLUMN {c} CACHE", f"ALTER COLUMN {c} ADD INDEX", f"ALTER COLUMN {c} SYMBOL CAPACITY 512"]
        self.run(f"ALTER TABLE {self.name} {self.random.choice(forms)}")


CHANGES = [RandomTable.add_column] * 3 + [RandomTable.drop_column] * 2 + [RandomTable.rename_column] * 2 + [RandomTable.change_type] * 3 + [
    RandomTable.dedup, RandomTable.dedup, RandomTable.truncate, RandomTable.drop_partition, RandomTable.drop_partition, RandomTable.drop_listed,
    RandomTable.update, RandomTable.update, RandomTable.update, RandomTable.set_ttl, RandomTable.rename_table, RandomTable.no_content]
