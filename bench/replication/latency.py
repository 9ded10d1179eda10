"""From a commit on the primary to the moment when the replica's tables have it.

The commit's time is the one that QuestDB writes into `_txnlog`; a reader opened on the replica's directory sees the rows from the moment
on when `_txn` names that transaction, which is looked for every millisecond from outside. Both times are of one clock.
"""

from __future__ import annotations

import time

from figures import Others, percentile, spread
from ingest import table_dir
from measure import cpu_seconds
from places import Place
from stream import Watch, poll, wait_for

TABLES, ROWS, RATE = 10, 100, 20.0
# name -> store, window, poll, what has to hold: (share, ms)
CASES = {
    "fs 10/10": ("fs", "10", "10", [(0.5, 30), (0.99, 100)]),
    "S3 50/50": ("seaweedfs", "50", "50", [(0.99, 300)]),
    "S3 1000/1000": ("seaweedfs", "1000", "1000", [(0.99, 2200)]),
}


def measured(options) -> dict:
    return {name: case(options, name, *rest) for name, rest in CASES.items()}


def case(options, name: str, store: str, window: str, polled: str, goals: list) -> dict:
    with Place(options, "latency", store) as place:
        place.load("t", TABLES, ROWS, RATE, 3).done()
        place.primary.wait_applied()
        ship, replica = place.ship("--window", window), place.replica("a", "--poll", polled)
        db, theirs = place.primary.db, place.work / "a" / "db"
        wait_for(lambda: all(list(theirs.glob(f"t{t}~*/_txn")) for t in range(TABLES)), 60)
        load = place.load("t", TABLES, ROWS, RATE, options.warm_seconds + options.seconds)
        watches = [Watch(table_dir(db, f"t{t}"), table_dir(theirs, f"t{t}")) for t in range(TABLES)]
        poll(watches, time.monotonic() + options.warm_seconds)
        for w in watches:
            w.latencies.clear()
        ours = lambda: sum(cpu_seconds(p) for p in (ship.pid, replica.pid, place.primary.pid, load.process.pid))  # noqa: E731
        before = cpu_seconds(ship.pid), cpu_seconds(replica.pid)
        with Others(ours) as others:
            poll(watches, time.monotonic() + options.seconds)
            cpu = [cpu_seconds(n.pid) - b for n, b in zip((ship, replica), before)]
        load.done()
        wait_for(lambda: poll(watches, 0) or all(w.caught_up() for w in watches), 60)
        latencies = [x / 1000 for w in watches for x in w.latencies]
        place.end(ship)
        place.end(replica)
    met = {f"p{share * 100:g} <= {ms} ms": percentile(latencies, share) <= ms for share, ms in goals}
    return {"case": name, **spread(latencies), "ship_cpu": cpu[0] / options.seconds, "replica_cpu": cpu[1] / options.seconds, "others": others.cores, "met": met}


def lines(found: dict) -> list[str]:
    out = ["| store, window/poll ms | commits | p50 ms | p99 ms | max ms | goal | met | ship, replica: cores | others: cores |", "|---|---:|---:|---:|---:|---|---|---:|---:|"]
    for f in found.values():
        out.append(f"| {f['case']} | {f['n']:,} | {f['p50']:.1f} | {f['p99']:.1f} | {f['max']:.1f} | {', '.join(f['met'])} | {', '.join('yes' if m else 'NO' for m in f['met'].values())}"
                   f" | {f['ship_cpu']:.2f}, {f['replica_cpu']:.2f} | {f['others']:.2f} |")
    return out
