"""What has to hold in the end: the replicas are the primary, and hold what was acknowledged to its clients, once."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import questions as q
from questdb import QuestDB

# QuestDB's own tables are each server's own affair.
OWN = ("sys.", "telemetry", "_query_trace")
SUMS = "SELECT count() n, count_distinct(id) d, sum(id) ids, sum(qty) qty FROM {}"
LISTED = "SELECT table_name, designatedTimestamp, partitionBy, dedup, directoryName, table_type FROM tables() WHERE walEnabled ORDER BY table_name"


def accounts(server: QuestDB, acknowledged: dict[str, dict], who: str) -> int:
    """Nothing lost, nothing twice; returns the rows."""
    for table, a in acknowledged.items():
        found = server.query(SUMS.format(table))[0]
        want = {"n": a["rows"], "d": a["rows"], "ids": a["ids"], "qty": a["qty"]}
        assert found == want, f"{who}: {table} has {found}, its clients were told {want}"
        assert a["rows"] > 0, f"{table}: nothing was written"
    return sum(a["rows"] for a in acknowledged.values())


def diff(understudy: Path, a: Path, b: Path, tables: list[str]) -> None:
    """Two directories hold the same of these tables, down to their rows."""
    chosen = [word for table in tables for word in ("--table", table)]
    done = subprocess.run([understudy, "diff", a, b, *chosen, "--no-progress"], capture_output=True, text=True)
    assert done.returncode == 0, f"diff {a} {b} ended with {done.returncode}:\n{done.stdout[-4000:]}{done.stderr[-2000:]}"


def opened(primary: QuestDB, root: Path, work: Path, acknowledged: dict[str, dict], who: str) -> int:
    """A real server on a copy of a replica's directory answers as the primary does; returns the number of questions."""
    copy = work / f"{who}-opened"
    copy.mkdir()
    shutil.copytree(root / "db", copy / "db", symlinks=True)
    with QuestDB(primary.version, copy) as server:
        server.wait_applied()
        accounts(server, acknowledged, who)
        tables = listed(primary)
        assert tables == listed(server), f"{who}: tables are {listed(server)}, the primary's {tables}"
        assert primary.query(views()) == server.query(views()), f"{who}: materialized views differ"
        asked = sum(compared(primary, server, t, who) for t in tables)
    shutil.rmtree(copy)
    return asked


def listed(server: QuestDB) -> list[dict]:
    return [t for t in server.query(LISTED) if not t["table_name"].startswith(OWN)]


def views() -> str:
    return f"SELECT {q.VIEW_ESSENTIALS} FROM materialized_views() ORDER BY view_name"


def compared(one: QuestDB, two: QuestDB, table: dict, who: str) -> int:
    """The questions that tests/replica asks of a table, and what a server says of it besides its rows."""
    name = table["table_name"]
    if table["table_type"] == "V":
        assert one.query(f"SELECT * FROM {name} ORDER BY 1") == two.query(f"SELECT * FROM {name} ORDER BY 1"), f"{who}: {name} differs"
        return 1
    # The rows of a view are written by its refresh, in no particular order within a moment.
    asked = q.questions(one, q.look_at(one, name), exact=table["table_type"] == "T")
    for question in asked:
        a, b = q.ask(one, question.sql), q.ask(two, question.sql)
        different = q.difference(question, a, b)
        assert not different, f"{who}: {name}: {question.kind}: {different}"
        assert a[0] == "csv", f"{name}: {question.sql}: {a[1]}"
    mine, theirs = (described(server, name) for server in (one, two))
    assert mine == theirs, f"{who}: {name}:\n  {mine}\n  {theirs}"
    return len(asked) + len(mine)


def described(server: QuestDB, name: str) -> dict[str, object]:
    """Without what a server remembers of its own writing: after RENAME it doesn't know when a table begins."""
    said = q.description(server, name)
    remembered = ("table_row_count", "table_min_timestamp", "table_max_timestamp")
    said["tables()"] = [{k: v for k, v in row.items() if k not in remembered} for row in said["tables()"]]
    return said
