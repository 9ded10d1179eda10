"""Whether two applied databases answer alike. A time counts only if they do."""

from __future__ import annotations

import hashlib
import http.client
import json
import urllib.parse
from pathlib import Path

from server import Server, ServerError
from workloads import DAYS, TABLE, Workload


def answers(workload: Workload, root: Path, version: str, full: bool) -> dict:
    """What QuestDB says of `root/db`: aggregates of every column by day and, if `full`, the digest of each day's CSV.

    Writes are accepted but none is made. Raises if the table is suspended or not applied.
    """
    with Server(root, version, apply=True, cores=None) as server:
        applied, sequenced, suspended = server.position(TABLE)
        if suspended or applied != sequenced:
            raise RuntimeError(f"{root}: applied {applied} of {sequenced}, suspended: {suspended}")
        columns = ", ".join(e for name, kind, _ in workload.shape.columns for e in _aggregates(name, kind))
        days = server.query(f"SELECT ts, count() rows, min(ts) lo, max(ts) hi, {columns} FROM {TABLE} SAMPLE BY 1d")
        found = {"rows": sum(d["rows"] for d in days), "days": days}
        if full:
            found["csv"] = [_csv_digest(server, day) for day in range(DAYS + 1)]
        return found


def _aggregates(name: str, kind: str) -> list[str]:
    if kind in ("LONG", "INT"):
        return [f"sum({name})", f"min({name})", f"max({name})"]
    if kind == "DOUBLE":
        # The order of a floating point sum is the server's own affair: sums are of whole numbers.
        return [f"sum(({name} * 1000000)::LONG)", f"min({name})", f"max({name})"]
    if kind == "SYMBOL":
        return [f"count_distinct({name})", f"min({name}::STRING)", f"max({name}::STRING)"]
    if kind in ("STRING", "VARCHAR"):
        return [f"sum(length({name}))", f"min({name})", f"max({name})"]
    if kind == "DOUBLE[]":
        return [f"sum((array_sum({name}) * 1000000)::LONG)"]
    raise ValueError(kind)


def _csv_digest(server: Server, day: int) -> str:
    """The digest of one day's rows, in the order of the table."""
    sql = f"SELECT * FROM {TABLE} WHERE ts >= dateadd('d', {day}, '2024-01-01') AND ts < dateadd('d', {day + 1}, '2024-01-01')"
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
    try:
        connection.request("GET", "/exp?" + urllib.parse.urlencode({"query": sql}))
        response = connection.getresponse()
        if response.status != 200:
            raise ServerError(response.read(500).decode(errors="replace"), sql)
        digest = hashlib.blake2b(digest_size=16)
        while block := response.read(1 << 20):
            digest.update(block)
        return digest.hexdigest()
    finally:
        connection.close()


def difference(theirs: dict, ours: dict) -> str | None:
    """The first difference in words, or None."""
    if len(theirs["days"]) != len(ours["days"]):
        return f"{len(theirs['days'])} days, ours {len(ours['days'])}"
    for a, b in zip(theirs["days"], ours["days"]):
        for key in a:
            if a[key] != b[key]:
                return f"{a['ts']}: {key} is {json.dumps(a[key])}, ours {json.dumps(b[key])}"
    for day, (a, b) in enumerate(zip(theirs.get("csv", []), ours.get("csv", []))):
        if a != b:
            return f"the rows of day {day} differ, or their order does; all aggregates are equal"
    return None
