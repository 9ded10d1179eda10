#!/usr/bin/env python3
"""Asks a running QuestDB what UPDATE ... WHERE, SET and DROP PARTITION do, and stores the answers.

    python3 tests/record/probe_sql.py --port 9000 [--pg 8812] [-o tests/data/sql/answers.json.gz]

Every statement really goes through the log of a WAL table; what it did is read back. The result is
the fixture of tests/it/sql.rs. Needs nothing but Python's standard library.
"""

import argparse
import gzip
import json
import time
import urllib.error
import urllib.parse
import urllib.request

from pgwire import Pg, PgError
from probe_sql_cases import COLUMNS, OIDS, ROWS, VALUES, bound_conditions, bound_settings, conditions, drops, settings

BASE = ""
PG = None
MARKS = 32
ROUND = 0


def execute(sql):
    """The answer of /exec as a dict; an `error` key says that the server refused."""
    url = f"{BASE}/exec?" + urllib.parse.urlencode({"query": sql})
    try:
        with urllib.request.urlopen(url, timeout=60) as reply:
            return json.loads(reply.read(), strict=False, parse_float=str)
    except urllib.error.HTTPError as refused:
        return json.loads(refused.read(), strict=False)


def must(sql):
    answer = execute(sql)
    if "error" in answer:
        raise SystemExit(f"{sql}\n{answer['error']}")
    return answer


def applied(table):
    """Waits until the log of `table` is applied; False if the server suspended the table."""
    for _ in range(100_000):
        rows = must(f"select suspended, writerTxn, sequencerTxn, bufferedTxnSize from wal_tables() where name = '{table}'")
        suspended, writer, sequencer, _ = rows["dataset"][0]
        if suspended:
            return False
        if writer == sequencer:
            return True
        time.sleep(0.002)
    raise SystemExit(f"{table} is not applied")


def make(table, ddl):
    must(f"drop table if exists {table}")
    must(f"create table {table} {ddl}")


def fill_values(table):
    marks = "".join(f", m{n} long" for n in range(MARKS))
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS)
    make(table, f"(id int, {columns}, ts timestamp{marks}) timestamp(ts) partition by day wal")
    names = ", ".join(name for name, _ in COLUMNS)
    rows = []
    for index, row in enumerate(ROWS):
        values = ", ".join(value for value, _ in row)
        rows.append(f"({index}, {values}, {index}::long * 3600000000L)")
    for start in range(0, len(rows), 10):
        must(f"insert into {table} (id, {names}, ts) values " + ", ".join(rows[start : start + 10]))
    if not applied(table):
        raise SystemExit("the values were not taken")


def probe_conditions(chosen):
    """For each condition the ids of the rows for which it holds.

    A SELECT answers at once where an UPDATE waits for the log; both compile the condition in the same
    way, which every 16th condition is made to prove.
    """
    fill_values("sqlprobe")
    out = []
    for number, condition in enumerate(chosen):
        answer = execute(f"select id from sqlprobe where {condition}")
        if "error" in answer:
            out.append({"where": condition, "refused": answer["error"]})
        else:
            out.append({"where": condition, "rows": mask(row[0] for row in answer["dataset"])})
    for start in range(0, len(chosen), MARKS * 16):
        print(start, end="\r", flush=True)
        some = chosen[start : start + MARKS * 16 : 16]
        updated = mark(some) or [answer for one in some for answer in mark([one]) or suspended(one)]
        for selected, answer in zip(out[start::16], updated):
            if selected.get("rows") != answer.get("rows"):
                print(f"SELECT and UPDATE differ: {selected} {answer}")
    return out


def mask(ids):
    """Row numbers as bits of a hexadecimal number."""
    return f"{sum(1 << row for row in ids):x}"


def suspended(condition):
    fill_values("sqlprobe")
    return [{"where": condition, "suspended": True}]


def mark(some):
    global ROUND
    ROUND += 1
    answers = [execute(f"update sqlprobe set m{n} = {ROUND} where {condition}") for n, condition in enumerate(some)]
    if not applied("sqlprobe"):
        fill_values("sqlprobe")
        return None
    columns = ", ".join(f"m{n}" for n in range(len(some)))
    rows = must(f"select id, {columns} from sqlprobe")["dataset"]
    return [
        {"where": condition, "refused": answer["error"]}
        if "error" in answer
        else {"where": condition, "rows": mask(row[0] for row in rows if row[n + 1] == ROUND)}
        for n, (condition, answer) in enumerate(zip(some, answers))
    ]


def probe_bound_conditions():
    """As probe_conditions, with a bind variable: through PostgreSQL's protocol, always as UPDATE."""
    fill_values("sqlprobe")
    chosen = bound_conditions()
    out = []
    for start in range(0, len(chosen), MARKS):
        some = chosen[start : start + MARKS]
        answers = [bound(f"update sqlprobe set m{n} = {start + 1} where {column} {op} $1", kind, value) for n, (column, op, kind, value) in enumerate(some)]
        if not applied("sqlprobe"):
            # One of them suspended the table; each alone would take too long.
            fill_values("sqlprobe")
            continue
        rows = must("select id, " + ", ".join(f"m{n}" for n in range(len(some))) + " from sqlprobe")["dataset"]
        for n, ((column, op, kind, value), answer) in enumerate(zip(some, answers)):
            case = {"column": column, "op": op, "type": kind, "value": value}
            out.append(case | answer if answer else case | {"rows": mask(row[0] for row in rows if row[n + 1] == start + 1)})
    return out


def probe_bound_settings():
    """As probe_settings, with a bind variable."""
    out = []
    for column, kind in COLUMNS:
        mine = [case for case in bound_settings() if case[0] == column]
        for _, oid, value in mine:
            case = {"column": column, "type": oid, "value": value}
            make("sqlset", f"(id int, {column} {kind}, ts timestamp) timestamp(ts) partition by day wal")
            must("insert into sqlset values (0, null, 0)")
            refused = bound(f"update sqlset set {column} = $1", oid, value)
            if refused:
                out.append(case | refused)
            elif not applied("sqlset"):
                out.append(case | {"suspended": True})
            else:
                out.append(case | {"text": must(f"select {column} from sqlset")["dataset"][0][0]})
    return out


def bound(sql, kind, value):
    """Runs a statement with one bind value; the refusal if there is one."""
    try:
        PG.run(sql, value, types=(OIDS[kind],))
    except PgError as refused:
        return {"refused": str(refused)}
    return {}


def probe_settings():
    """For each `SET column = value` the text of what the column then holds."""
    chosen = settings()
    names = [name for name, _ in COLUMNS]
    out = []
    for column in names + ["ts"]:
        mine = [value for name, value in chosen if name == column]
        if column == "ts":
            answer = execute("update sqlset set ts = 0")
            out.append({"column": column, "value": "0", "refused": answer["error"]})
            continue
        kind = dict(COLUMNS)[column]
        make("sqlset", f"(id int, {column} {kind}, ts timestamp) timestamp(ts) partition by day wal")
        must(f"insert into sqlset select (x - 1)::int, null, (x - 1)::timestamp from long_sequence({len(mine)})")
        applied("sqlset")
        answers = [execute(f"update sqlset set {column} = {value} where id = {n}") for n, value in enumerate(mine)]
        whole = applied("sqlset")
        shown = [row[0] for row in must(f"select {column} from sqlset")["dataset"]]
        for n, (value, answer) in enumerate(zip(mine, answers)):
            case = {"column": column, "value": value}
            if "error" in answer:
                out.append(case | {"refused": answer["error"]})
            elif whole:
                out.append(case | {"text": shown[n]})
            else:
                out.append(case | set_alone(column, kind, value))
    return out


def set_alone(column, kind, value):
    make("sqlset", f"(id int, {column} {kind}, ts timestamp) timestamp(ts) partition by day wal")
    must("insert into sqlset values (0, null, 0)")
    applied("sqlset")
    must(f"update sqlset set {column} = {value}")
    if not applied("sqlset"):
        return {"suspended": True}
    return {"text": must(f"select {column} from sqlset")["dataset"][0][0]}


def probe_drops():
    """For each DROP PARTITION the starts of the partitions that are left."""
    out = []
    for case in drops():
        make("sqldrop", f"(ts {case['type']}, x int) timestamp(ts) partition by {case['unit']} wal")
        must("insert into sqldrop values " + ", ".join(f"('{at}', 1)" for at in case["rows"]))
        applied("sqldrop")
        before = [row[0] for row in must("select ts from sqldrop")["dataset"]]
        answer = execute(f"alter table sqldrop drop partition {case['choice']}")
        if "error" in answer:
            out.append(case | {"refused": answer["error"]})
            continue
        if not applied("sqldrop"):
            out.append(case | {"suspended": True})
            continue
        after = [row[0] for row in must("select ts from sqldrop")["dataset"]]
        out.append(case | {"before": before, "after": after})
    return out


def main():
    global BASE, PG
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--port", type=int, default=9000)
    options.add_argument("-o", "--output", default="tests/data/sql/answers.json.gz")
    options.add_argument("--pg", type=int, default=8812)
    options.add_argument("--parts", default="settings,drops,bound_settings,bound_conditions,conditions")
    options.add_argument("--only", help="conditions that contain this, printed instead of stored")
    chosen = options.parse_args()
    BASE = f"http://127.0.0.1:{chosen.port}"
    PG = Pg(chosen.pg)
    if chosen.only:
        for answer in probe_conditions([one for one in conditions() if chosen.only in one]):
            print(answer)
        return
    answers = {
        "build": must("select build()")["dataset"][0][0],
        "columns": [{"name": name, "type": kind, "values": [value for _, value in VALUES[name]]} for i, (name, kind) in enumerate(COLUMNS)],
    }
    parts = {"bound_settings": probe_bound_settings, "bound_conditions": probe_bound_conditions, "settings": probe_settings, "drops": probe_drops, "conditions": lambda: probe_conditions(conditions())}
    for part in chosen.parts.split(","):
        started = time.time()
        answers[part] = parts[part]()
        print(f"{len(answers[part])} {part}, {time.time() - started:.0f} s")
        with open(chosen.output, "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as out:
            out.write(json.dumps(answers, ensure_ascii=False, indent=0).encode())


if __name__ == "__main__":
    main()
