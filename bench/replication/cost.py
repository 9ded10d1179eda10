"""Requests to the store, counted by a proxy before it: for one table and for a thousand, and of a cluster at rest.

The memory and the CPU of replicas at rest come along.
"""

from __future__ import annotations

import time

from figures import Others
from ingest import table_dir
from measure import cpu_seconds, status_bytes
from places import Place, nodes

ACTIVE_SECONDS = 60
# Each table has about one commit in ten seconds, so that all of a thousand are active; the one table has all of them.
COMMITS_PER_SECOND = 100.0
# The server's files grow by 16 MiB each: a thousand tables would take 200 GB.
SMALL_FILES = {"cairo.writer.data.append.page.size": "64k", "cairo.wal.writer.data.append.page.size": "64k", "cairo.wal.writer.event.append.page.size": "32k",
               "cairo.o3.column.memory.size": "128k",
               # A table has some twenty files open while it is written to; so that a thousand do with 20,000, writers that rest are closed.
               "cairo.inactive.writer.ttl": "2000", "cairo.idle.check.interval": "1000"}
IDLE_PUTS_PER_MINUTE, IDLE_RSS, IDLE_CORES = 1, 64 << 20, 0.01


def measured(options) -> dict:
    both, wanted = (1, options.many), lambda name: options.only in (None, name)
    return {"active": {tables: active(options, tables) for tables in both if wanted("active")}, "idle": [idle(options, tables) for tables in both if wanted("idle")]}


def active(options, tables: int) -> dict:
    with Place(options, "requests", "seaweedfs", more=SMALL_FILES) as place:
        place.load("few", tables, 10, 0, 0).done()
        place.primary.wait_applied()
        proxy, connection = place.own_proxy()
        reading, reading_connection = place.own_proxy()
        ship, replica = place.ship(connection=connection), place.replica("a", connection=reading_connection)
        level(place, tables, "a", 300)
        load = place.load("few", tables, 10, COMMITS_PER_SECOND, ACTIVE_SECONDS + 10)
        time.sleep(5)
        before, before_reading = proxy.counts(), reading.counts()
        cpu = cpu_seconds(ship.pid), cpu_seconds(replica.pid)
        with Others(lambda: sum(cpu_seconds(p) for p in (ship.pid, replica.pid, place.primary.pid, load.process.pid))) as others:
            time.sleep(ACTIVE_SECONDS)
        spent = [cpu_seconds(n.pid) - c for n, c in zip((ship, replica), cpu)]
        counts, reads = proxy.counts(), reading.counts()
        result = load.done()
        place.end(ship)
        place.end(replica)
    per = lambda now, then: {m: (now[m] - then[m]) / others.seconds for m in sorted(now)}  # noqa: E731
    return {"tables": tables, "commits": len(result["took_ms"]) / result["seconds"], "ship": per(counts, before), "replica": per(reads, before_reading),
            "ship_cpu": spent[0] / others.seconds, "replica_cpu": spent[1] / others.seconds, "others": others.cores}


def idle(options, tables: int) -> dict:
    with Place(options, "idle", "seaweedfs", more=SMALL_FILES) as place:
        place.load("few", tables, 10, 0, 0).done()
        place.primary.wait_applied()
        ways = [place.own_proxy() for _ in range(3)]
        members = [place.ship(connection=ways[0][1]), *(place.replica(name, connection=way[1]) for name, way in zip("ab", ways[1:]))]
        for name in "ab":
            level(place, tables, name, 300)
        # What follows the last commit, a journal object among it, is no rest yet.
        time.sleep(options.settle_seconds)
        before, cpu = [p.counts() for p, _ in ways], [cpu_seconds(n.pid) for n in members]
        seconds = options.idle_seconds
        time.sleep(seconds)
        found = []
        for node, (proxy, _), then, used in zip(members, ways, before, cpu):
            now = proxy.counts()
            found.append({"node": node.name, "puts_per_minute": (now["PUT"] - then["PUT"]) * 60 / seconds, "gets_per_second": (now["GET"] - then["GET"]) / seconds,
                          "rss_anon": status_bytes(node.pid, "RssAnon"), "rss": status_bytes(node.pid, "VmRSS"), "cores": (cpu_seconds(node.pid) - used) / seconds})
        for node in members:
            place.end(node)
    return {"tables": tables, "nodes": found}


def level(place: Place, tables: int, name: str, seconds: float) -> None:
    db = place.primary.db
    dirs = [table_dir(db, "few" if tables == 1 else f"few{t}").name for t in range(tables)]
    nodes.wait_level(db, dirs, {n: place.work / n.name / "db" for n in place.nodes if n.name == name}, seconds)


def lines(found: dict) -> list[str]:
    out = ["| active tables | commits/s | ship: PUT/s | ship: GET/s | replica: GET/s | ship, replica: cores | others: cores |", "|---:|---:|---:|---:|---:|---:|---:|"]
    for f in found["active"].values():
        out.append(f"| {f['tables']:,} | {f['commits']:.0f} | {f['ship'].get('PUT', 0):.2f} | {f['ship'].get('GET', 0):.2f} | {f['replica'].get('GET', 0):.2f}"
                   f" | {f['ship_cpu']:.2f}, {f['replica_cpu']:.2f} | {f['others']:.2f} |")
    out += ["", "| at rest | tables | PUT a minute | GET/s | RssAnon MB | cores | goals met |", "|---|---:|---:|---:|---:|---:|---|"]
    for f in found["idle"]:
        for n in f["nodes"]:
            met = n["puts_per_minute"] <= IDLE_PUTS_PER_MINUTE and n["rss_anon"] <= IDLE_RSS and n["cores"] < IDLE_CORES
            out.append(f"| {n['node']} | {f['tables']:,} | {n['puts_per_minute']:.2f} | {n['gets_per_second']:.2f} | {n['rss_anon'] / 1e6:.1f} | {n['cores']:.4f} | {'yes' if met else 'NO'} |")
    return out
