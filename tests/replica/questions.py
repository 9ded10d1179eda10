"""The questions that two servers are asked about a table, and how their answers are compared."""

from __future__ import annotations

import http.client
import json
import re
import time
import urllib.parse
from dataclasses import dataclass

from questdb import QuestDB

NUMBERS = {"BYTE", "SHORT", "INT", "LONG", "FLOAT", "DOUBLE", "DATE", "TIMESTAMP", "TIMESTAMP_NS"}
ORDERED = NUMBERS | {"CHAR", "IPv4", "VARCHAR", "STRING"}
BUCKETS = {"HOUR": "10m", "DAY": "3h", "WEEK": "1d", "MONTH": "5d", "YEAR": "1M"}
# Of `tables()`: what a table is, not what happened to it on one server.
ESSENTIALS = ("id, table_name, designatedTimestamp, partitionBy, walEnabled, dedup, ttlValue, ttlUnit, matView, directoryName, maxUncommittedRows, o3MaxLag, "
              "table_suspended, table_type, table_row_count, table_min_timestamp, table_max_timestamp")
VIEW_ESSENTIALS = "view_name, refresh_type, base_table_name, view_sql, view_table_dir_name, view_status"


@dataclass
class Question:
    """`order`: whether the answers' lines are compared as they come; `partly`: a column list where the order of equal rows isn't fixed."""

    kind: str
    sql: str
    order: bool = True


@dataclass
class Table:
    """What the questions depend on, as the first server has it."""

    name: str
    unit: str
    timestamp: str
    columns: list[dict]
    low: str | None
    high: str | None

    def of(self, kinds: set[str]) -> list[str]:
        return [c["column"] for c in self.columns if c["type"] in kinds]

    @property
    def symbols(self) -> list[str]:
        return self.of({"SYMBOL"})


def look_at(server: QuestDB, name: str) -> Table:
    row = server.query(f"SELECT partitionBy, designatedTimestamp FROM tables() WHERE table_name = '{name}'")[0]
    columns = server.query(f'SHOW COLUMNS FROM "{name}"')
    ends = server.query(f'SELECT min({row["designatedTimestamp"]}) l, max({row["designatedTimestamp"]}) h FROM "{name}"')
    low, high = (ends[0]["l"], ends[0]["h"]) if ends else (None, None)
    return Table(name, row["partitionBy"], row["designatedTimestamp"], columns, low, high)


def questions(server: QuestDB, t: Table, exact: bool, brief: bool = False) -> list[Question]:
    """`exact`: the order of rows with equal timestamps is fixed by the log. `brief`: the few that say most."""
    name, ts = f'"{t.name}"', quoted(t.timestamp)
    asked = [Question("all", f"SELECT * FROM {name}", exact), Question("count", f"SELECT count() FROM {name}")]
    extremes = ", ".join(f"min({quoted(c)}) a{i}, max({quoted(c)}) b{i}" for i, c in enumerate(t.of(ORDERED)))
    asked.append(Question("min/max", f"SELECT {extremes} FROM {name}"))
    if brief:
        return asked + [Question("latest", f"SELECT {ts}, {quoted(s)} FROM {name} LATEST ON {ts} PARTITION BY {quoted(s)}", False) for s in t.symbols[:1]]
    for column in sorted(t.columns, key=lambda c: not c["indexed"]):
        if column["type"] == "SYMBOL":
            asked += by_symbol(server, t, column, exact)
    asked += over_time(t, exact)
    return asked


def by_symbol(server: QuestDB, t: Table, column: dict, exact: bool) -> list[Question]:
    name, ts, s = f'"{t.name}"', quoted(t.timestamp), quoted(column["column"])
    kind = "indexed lookup" if column["indexed"] else "symbol"
    rows = server.query(f"SELECT {s} s, count() n FROM {name} WHERE {s} != null ORDER BY n DESC, s LIMIT 6")
    values = [literal(r["s"]) for r in rows]
    asked = [Question(kind, f"SELECT * FROM {name} WHERE {s} = {v}", exact) for v in (values[:1] + values[-1:])[:2]]
    asked.append(Question(kind, f"SELECT * FROM {name} WHERE {s} = null", exact))
    asked.append(Question(kind, f"SELECT count(), min({ts}), max({ts}) FROM {name} WHERE {s} = 'none of them'"))
    if len(values) > 1:
        asked.append(Question(kind, f"SELECT count(), min({ts}), max({ts}) FROM {name} WHERE {s} IN ({', '.join(values)})"))
        asked.append(Question(kind, f"SELECT count() FROM {name} WHERE {s} != {values[0]}"))
    asked.append(Question("distinct", f"SELECT {s}, count() FROM {name} ORDER BY 1"))
    latest = "*" if exact else f"{ts}, {s}"
    asked.append(Question("latest", f"SELECT {latest} FROM {name} LATEST ON {ts} PARTITION BY {s}", False))
    if values:
        asked.append(Question("latest", f"SELECT {latest} FROM {name} WHERE {s} = {values[0]} LATEST ON {ts} PARTITION BY {s}", False))
    if column["indexed"] and values:
        asked.append(Question("plan", f"EXPLAIN SELECT * FROM {name} WHERE {s} = {values[0]}"))
    return asked


def over_time(t: Table, exact: bool) -> list[Question]:
    name, ts = f'"{t.name}"', quoted(t.timestamp)
    if not t.low:
        return []
    bucket = BUCKETS.get(t.unit, "1d")
    numbers = [quoted(c) for c in t.of({"INT", "LONG", "SHORT", "BYTE"})][:2]
    more = "".join(f", min({c}), max({c})" for c in numbers)
    asked = [Question("sample by", f"SELECT {ts}, count(){more} FROM {name} SAMPLE BY {bucket}")]
    for s in t.symbols[:1]:
        asked.append(Question("sample by", f"SELECT {ts}, {quoted(s)}, count() FROM {name} SAMPLE BY {bucket}", False))
    middle = f"SELECT * FROM {name} WHERE {ts} > '{t.low}' AND {ts} < '{t.high}'"
    asked += [Question("interval", middle, exact), Question("interval", f"SELECT count() FROM {name} WHERE {ts} = '{t.high}'")]
    if exact:
        asked.append(Question("backwards", f"SELECT * FROM {name} ORDER BY {ts} DESC LIMIT 20"))
    asked += [Question("filter", f"SELECT * FROM {name} WHERE {c} >= 0", exact) for c in numbers[:1]]
    return asked


# -- asking ------------------------------------------------------------------------------------------


def ask(server: QuestDB, sql: str) -> tuple[str, str]:
    """("csv", the body of /exp), or ("error", the server's message)."""
    for attempt in (1, 2):
        try:
            status, body = server.request("GET", "/exp?" + urllib.parse.urlencode({"query": sql}))
            break
        except (OSError, http.client.HTTPException):
            # A connection that the server closed meanwhile.
            if attempt == 2 or server.process is None or server.process.poll() is not None:
                raise
    if status != 200 or body.startswith(b'{"query'):
        return "error", json.loads(body).get("error", f"HTTP {status}")
    return "csv", body.decode()


def difference(question: Question, a: tuple[str, str], b: tuple[str, str]) -> str | None:
    """What tells the answers apart, or None."""
    if a == b:
        return None
    if a[0] != b[0]:
        return f"{question.sql}\n   one: {a[1][:200]}\n   two: {b[1][:200]}"
    lines = [answer[1].split("\r\n") for answer in (a, b)]
    if question.kind == "min/max":
        lines = [[re.sub(r"(?<![\d.])-0\.0(?!\d)", "0.0", line) for line in side] for side in lines]
    if not question.order:
        lines = [sorted(side) for side in lines]
    if lines[0] == lines[1]:
        return None
    at = next((i for i, (x, y) in enumerate(zip(*lines)) if x != y), min(map(len, lines)))
    line = [side[at] if at < len(side) else "(nothing)" for side in lines]
    return f"{question.sql}\n   {len(lines[0])} and {len(lines[1])} lines, line {at}:\n   one: {line[0][:300]}\n   two: {line[1][:300]}"


# -- what isn't rows ---------------------------------------------------------------------------------


def description(server: QuestDB, t: str) -> dict[str, object]:
    """What a server says about a table besides its rows; `sizes` may differ where only the room for symbols does."""
    tables = server.query(f"SELECT {ESSENTIALS} FROM tables() WHERE table_name = '{t}'")
    return {"tables()": tables, "table_columns": server.query(f"SELECT * FROM table_columns('{t}')"), "partitions": partitions(server, t)}


def partitions(server: QuestDB, t: str) -> list[tuple]:
    """Logical partitions with their rows: in how many parts they are is a server's own affair."""
    merged: dict[str, list] = {}
    for p in server.query(f"table_partitions('{t}')"):
        if not p.get("attached", True):
            continue
        name = p["name"] if p["partitionBy"] == "WEEK" and re.fullmatch(r"\d+-W\d+", p["name"]) else re.sub(r"T\d{4,}(-\d+)?$", "", p["name"])
        known = merged.setdefault(name, [0, p["minTimestamp"], p["maxTimestamp"]])
        known[0] += p["numRows"]
        known[1], known[2] = min(known[1], p["minTimestamp"]), max(known[2], p["maxTimestamp"])
    return [(name, *rest) for name, rest in sorted(merged.items())]


def wait_views(server: QuestDB, views: list[str], timeout: float = 120) -> None:
    """Waits until the views have caught up with their base tables, or are invalid."""
    deadline = time.monotonic() + timeout
    while views:
        names = ", ".join(f"'{v}'" for v in views)
        rows = server.query(f"SELECT * FROM materialized_views() WHERE view_name IN ({names})")
        behind = [r for r in rows if r["view_status"] != "invalid" and r["refresh_base_table_txn"] != r["base_table_txn"]]
        if not behind and len(rows) == len(views):
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"views not refreshed: {behind or [r['view_name'] for r in rows]} of {views}")
        time.sleep(0.05)


def quoted(column: str) -> str:
    return f'"{column}"'


def literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
