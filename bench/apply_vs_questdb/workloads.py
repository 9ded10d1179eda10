"""What is measured: shapes of rows, orders in which they arrive, and the SQL with which QuestDB makes them.

Everything is arithmetic on the row's number, or QuestDB's generator with a fixed seed: the same name is the same log.
"""

from __future__ import annotations

from dataclasses import dataclass

START_US = 1_704_067_200_000_000  # 2024-01-01
DAY_US = 86_400_000_000
DAYS = 5
SPAN_US = DAYS * DAY_US
LATE_US = 3_600_000_000

TABLE = "main"
WARM_TABLE = "warm"


@dataclass(frozen=True)
class Shape:
    """A kind of row. `columns` are (name, type, expression); `j` in an expression is the row's number."""

    name: str
    says: str
    columns: tuple[tuple[str, str, str], ...]


SHAPES = {
    s.name: s
    for s in (
        Shape(
            "fixed",
            "40 B fixed-size",
            (
                ("id", "LONG", "j"),
                ("price", "DOUBLE", "rnd_double() * 100"),
                ("quantity", "DOUBLE", "rnd_double()"),
                ("size", "INT", "rnd_int(0, 10000, 0)"),
                ("venue", "INT", "rnd_int(1, 40, 0)"),
            ),
        ),
        Shape(
            "mixed",
            "70 B, symbols and varchar",
            (
                ("symbol", "SYMBOL", "concat('S', (j * 7919) % 1000)"),
                ("side", "SYMBOL", "rnd_symbol('buy', 'sell')"),
                ("id", "LONG", "j"),
                ("price", "DOUBLE", "rnd_double() * 100"),
                ("quantity", "DOUBLE", "rnd_double()"),
                ("note", "VARCHAR", "rnd_str(12, 16, 0)::VARCHAR"),
            ),
        ),
        Shape(
            "long",
            "array and long strings",
            (
                ("symbol", "SYMBOL", "concat('S', (j * 7919) % 1000)"),
                ("curve", "DOUBLE[]", "rnd_double_array(1, 0, 0, 10)"),
                ("text", "STRING", "rnd_str(80, 120, 0)"),
                ("body", "VARCHAR", "rnd_str(40, 80, 0)::VARCHAR"),
            ),
        ),
    )
}


def _hash(salt: int) -> str:
    """A number from 0 up that looks random, of the row's number `x`."""
    return f"abs(((x + {salt}) * 2862933555777941757 + 3037000493) * 2862933555777941757 / 1048576)"


@dataclass(frozen=True)
class Order:
    """How rows arrive. `number` is the expression of the row's number `j` by `x` = 1, 2, ...; `late` what is taken
    from its timestamp, or None for a timestamp anywhere in the span."""

    name: str
    says: str
    number: str = "x - 1"
    late: str | None = "0"
    commit: int = 50_000
    dedup: bool = False


ORDERS = {
    o.name: o
    for o in (
        Order("inorder", "in order"),
        Order("late", "10 % late by up to an hour", late=f"CASE WHEN {_hash(1)} % 10 = 0 THEN {_hash(7)} % {LATE_US} ELSE 0 END"),
        Order("shuffled", "shuffled over 5 days", late=None),
        Order(
            "dedup",
            "upsert keys (ts, symbol), 10 % repeats",
            number=f"CASE WHEN {_hash(1)} % 10 = 0 THEN greatest(0, x - 2 - {_hash(7)} % 100000) ELSE x - 1 END",
            dedup=True,
        ),
        Order("onerow", "one-row commits", commit=1),
    )
}


@dataclass(frozen=True)
class Workload:
    """An order of a shape, with its number of rows as sent."""

    order: Order
    shape: Shape
    rows: int

    @property
    def key(self) -> str:
        return f"{self.order.name}-{self.shape.name}-{self.rows}"

    @property
    def commits(self) -> int:
        return -(-self.rows // self.order.commit)

    def create(self, table: str) -> str:
        columns = ", ".join(f"{n} {t}" for n, t, _ in self.shape.columns)
        keys = " DEDUP UPSERT KEYS(ts, symbol)" if self.order.dedup else ""
        return f"CREATE TABLE {table} (ts TIMESTAMP, {columns}) TIMESTAMP(ts) PARTITION BY DAY WAL{keys}"

    def insert(self, table: str, rows: int | None = None) -> str:
        """One statement that commits after every `order.commit` rows."""
        rows = self.rows if rows is None else rows
        if self.order.late is None:
            ts = f"{START_US} + {_hash(3)} % {SPAN_US}"
        else:
            ts = f"greatest({START_US}, {START_US} + j * {SPAN_US // self.rows} - late)"
        values = ", ".join(e for _, _, e in self.shape.columns)
        late = self.order.late or "0"
        source = (
            f"SELECT ({ts})::TIMESTAMP, {values} FROM (SELECT x, j, {late} late FROM"
            f" (SELECT x, {self.order.number} j FROM long_sequence({rows}, 42, 4242)))"
        )
        return f"INSERT BATCH {self.order.commit} INTO {table} {source}"

    def warming(self) -> int:
        """Rows of the table that warms the JVM: enough for its compilers to have seen all."""
        return min(self.rows, 30_000 if self.order.commit == 1 else 1_000_000)


def matrix(rows: int, one_row_rows: int, large: int | None) -> list[Workload]:
    """All workloads; `large` is the number of rows of the two large ones, if wanted."""
    every = [Workload(ORDERS[o], SHAPES[s], rows) for o in ("inorder", "late", "shuffled") for s in SHAPES]
    every.append(Workload(ORDERS["dedup"], SHAPES["mixed"], rows))
    every += [Workload(ORDERS["onerow"], SHAPES[s], one_row_rows) for s in ("fixed", "mixed")]
    if large:
        every += [Workload(ORDERS[o], SHAPES["mixed"], large) for o in ("inorder", "shuffled")]
    return every
