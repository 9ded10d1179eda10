"""Asks a real QuestDB what UPDATE and DROP PARTITION do, and stores the answers as a fixture.

    python3 tests/record/probe_sql.py [--version 9.3.4] [--out tests/data/sql/answers.json.gz]
    python3 tests/record/probe_sql.py --only "ts in"       # prints what conditions with this text find

Every statement goes through the log of a WAL table and what it did is read back, but for conditions: a
SELECT answers them at once and finds the same rows, which every 16th is made to prove. Conditions are
asked of two servers, one of which never compiles filters to machine code: where the answers differ, no
replica can know what a statement in a log did (`interpreted` in the fixture, which tests/it/sql.rs reads).
Rows are told as bits of a hexadecimal number.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

from pgwire import Pg, PgError
from probe_sql_cases import COLUMNS, OIDS, ROWS, VALUES, bound_conditions, bound_settings, conditions, drops, settings
from questdb import TOP, QuestDB, ServerError

# Waiting for the log is slow, so that many updates go into it at once, each with a column of its own to mark.
MARKS = 32


class Probe:
    """A server and the tables that are probed on it."""

    def __init__(self, server: QuestDB):
        self.server = server
        self.pg = Pg(server.pg_port)
        self.round = 0

    def rows(self, sql: str) -> list[list]:
        """The rows of a SELECT; numbers with a point stay text."""
        status, body = self.server.request("GET", "/exec?" + urlencode({"query": sql}))
        answer = json.loads(body, strict=False, parse_float=str)
        if status != 200 or "error" in answer:
            raise ServerError(answer.get("error", f"HTTP {status}"), sql)
        return answer.get("dataset", [])

    def attempt(self, sql: str) -> dict:
        """Runs a statement; what the server says if it refuses."""
        try:
            self.rows(sql)
        except ServerError as refused:
            return {"refused": refused.message}
        return {}

    def attempt_bound(self, sql: str, kind: str, value: str | None) -> dict:
        """As `attempt`, with one bind variable."""
        try:
            self.pg.run(sql, value, types=(OIDS[kind],))
        except PgError as refused:
            return {"refused": str(refused)}
        return {}

    def make(self, table: str, columns: str, unit: str = "day") -> None:
        self.rows(f"drop table if exists {table}")
        self.rows(f"create table {table} ({columns}) timestamp(ts) partition by {unit} wal")

    def applied(self, table: str) -> bool:
        """Waits until the log of `table` is applied; False if the server suspended the table."""
        for _ in range(100_000):
            state = f"select suspended, writerTxn, sequencerTxn from wal_tables() where name = '{table}'"
            [[suspended, writer, sequencer]] = self.rows(state)
            if suspended or writer == sequencer:
                return not suspended
            time.sleep(0.002)
        raise TimeoutError(f"{table} is not applied")

    def fill_values(self) -> None:
        marks = "".join(f", m{n} long" for n in range(MARKS))
        columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS)
        self.make("sqlprobe", f"id int, {columns}, ts timestamp{marks}")
        names = ", ".join(name for name, _ in COLUMNS)
        rows = []
        for index, row in enumerate(ROWS):
            values = ", ".join(value for value, _ in row)
            rows.append(f"({index}, {values}, {index}::long * 3600000000L)")
        for start in range(0, len(rows), 10):
            self.rows(f"insert into sqlprobe (id, {names}, ts) values " + ", ".join(rows[start : start + 10]))
        if not self.applied("sqlprobe"):
            raise RuntimeError("the values were not taken")

    def marked(self, updates: list) -> list[dict]:
        """What each of `updates` changed: functions from (column, number) to the answer of an UPDATE."""
        out = []
        for start in range(0, len(updates), MARKS):
            some = updates[start : start + MARKS]
            out += self._mark(some) or [(self._mark([one]) or [{"suspended": True}])[0] for one in some]
        return out

    def _mark(self, some: list) -> list[dict] | None:
        self.round += 1
        answers = [update(f"m{n}", self.round) for n, update in enumerate(some)]
        if not self.applied("sqlprobe"):
            self.fill_values()
            return None
        rows = self.rows("select id, " + ", ".join(f"m{n}" for n in range(len(some))) + " from sqlprobe")
        changed = [{"rows": mask(row[0] for row in rows if row[n + 1] == self.round)} for n in range(len(some))]
        return [answer or rows for answer, rows in zip(answers, changed)]


def mask(ids) -> str:
    """Row numbers as bits of a hexadecimal number."""
    return f"{sum(1 << row for row in ids):x}"


def probe_conditions(probe: Probe, chosen: list[str]) -> list[dict]:
    """For each condition the rows for which it holds."""
    probe.fill_values()
    out = []
    for condition in chosen:
        try:
            answer = {"rows": mask(row[0] for row in probe.rows(f"select id from sqlprobe where {condition}"))}
        except ServerError as refused:
            answer = {"refused": refused.message}
        out.append({"where": condition} | answer)
    updates = [
        lambda column, number, condition=condition: probe.attempt(f"update sqlprobe set {column} = {number} where {condition}")
        for condition in chosen[::16]
    ]
    for at, updated in enumerate(probe.marked(updates)):
        selected = out[at * 16]
        if "rows" in selected and "rows" in updated and selected["rows"] != updated["rows"]:
            raise RuntimeError(f"SELECT and UPDATE differ: {selected} {updated}")
        # An UPDATE is refused in a few cases in which a SELECT isn't.
        if "rows" not in updated:
            out[at * 16] = {"where": selected["where"]} | updated
    return out


def probe_bound_conditions(probe: Probe) -> list[dict]:
    """As probe_conditions, with a bind variable, always as UPDATE."""
    probe.fill_values()
    chosen = bound_conditions()
    updates = [
        lambda mark, number, c=c: probe.attempt_bound(f"update sqlprobe set {mark} = {number} where {c[0]} {c[1]} $1", c[2], c[3])
        for c in chosen
    ]
    return [
        {"column": column, "op": op, "type": kind, "value": value} | answer
        for (column, op, kind, value), answer in zip(chosen, probe.marked(updates))
    ]


def probe_settings(probe: Probe) -> list[dict]:
    """For each `SET column = value` what `/exec` then shows of the column."""
    out = []
    for column, kind in COLUMNS:
        mine = [value for name, value in settings() if name == column]
        columns = f"id int, {column} {kind}, ts timestamp"
        probe.make("sqlset", columns)
        probe.rows(f"insert into sqlset select (x - 1)::int, null, (x - 1)::timestamp from long_sequence({len(mine)})")
        probe.applied("sqlset")
        answers = [probe.attempt(f"update sqlset set {column} = {value} where id = {n}") for n, value in enumerate(mine)]
        whole = probe.applied("sqlset")
        shown = [row[0] for row in probe.rows(f"select {column} from sqlset")]
        for n, (value, answer) in enumerate(zip(mine, answers)):
            alone = lambda: set_alone(probe, columns, column, lambda: probe.attempt(f"update sqlset set {column} = {value}"))
            out.append({"column": column, "value": value} | (answer or ({"text": shown[n]} if whole else alone())))
    return out


def probe_bound_settings(probe: Probe) -> list[dict]:
    """As probe_settings, with a bind variable."""
    out = []
    kinds = dict(COLUMNS)
    for column, oid, value in bound_settings():
        columns = f"id int, {column} {kinds[column]}, ts timestamp"
        update = lambda: probe.attempt_bound(f"update sqlset set {column} = $1", oid, value)
        out.append({"column": column, "type": oid, "value": value} | set_alone(probe, columns, column, update))
    return out


def set_alone(probe: Probe, columns: str, column: str, update) -> dict:
    probe.make("sqlset", columns)
    probe.rows("insert into sqlset values (0, null, 0)")
    probe.applied("sqlset")
    refused = update()
    if refused:
        return refused
    if not probe.applied("sqlset"):
        return {"suspended": True}
    return {"text": probe.rows(f"select {column} from sqlset")[0][0]}


def probe_drops(probe: Probe) -> list[dict]:
    """For each DROP PARTITION the rows before and after."""
    out = []
    for case in drops():
        probe.make("sqldrop", f"ts {case['type']}, x int", case["unit"])
        probe.rows("insert into sqldrop values " + ", ".join(f"('{at}', 1)" for at in case["rows"]))
        probe.applied("sqldrop")
        before = [row[0] for row in probe.rows("select ts from sqldrop")]
        refused = probe.attempt(f"alter table sqldrop drop partition {case['choice']}")
        if refused:
            out.append(case | refused)
        elif probe.applied("sqldrop"):
            out.append(case | {"before": before, "after": [row[0] for row in probe.rows("select ts from sqldrop")]})
        else:
            out.append(case | {"suspended": True})
    return out


def both(compiled: list[dict], interpreted: list[dict]) -> list[dict]:
    """The answers of the first server, with those of the second where they differ."""
    return [
        one | ({} if one.get("rows") == other.get("rows") else {"interpreted": other.get("rows", "refused")})
        for one, other in zip(compiled, interpreted)
    ]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--version", default="9.3.4")
    options.add_argument("--out", type=Path, default=TOP / "tests/data/sql/answers.json.gz")
    options.add_argument("--only")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        with QuestDB(chosen.version, Path(directory) / "a") as a, QuestDB(chosen.version, Path(directory) / "b", {"cairo.sql.jit.mode": "off"}) as b:
            compiled, interpreted = Probe(a), Probe(b)
            wanted = [one for one in conditions() if (chosen.only or "") in one]
            answers = both(probe_conditions(compiled, wanted), probe_conditions(interpreted, wanted))
            if chosen.only:
                print(*answers, sep="\n")
                return
            fixture = {
                "questdb": chosen.version,
                "columns": [{"name": n, "type": kind, "values": [value for _, value in VALUES[n]]} for n, kind in COLUMNS],
                "conditions": answers,
                "bound_conditions": probe_bound_conditions(compiled),
                "settings": probe_settings(compiled),
                "bound_settings": probe_bound_settings(compiled),
                "drops": probe_drops(compiled),
            }
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    with open(chosen.out, "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as out:
        out.write(json.dumps(fixture, ensure_ascii=False, indent=0).encode())
    print(*(f"{len(fixture[part])} {part}" for part in fixture if isinstance(fixture[part], list)), sep=", ")


if __name__ == "__main__":
    main()
