"""What a shipper and replicas cost the primary's ingest, in rounds that take turns.

Each round has a table of its own, written to for a while and then dropped, on one and the same warm server; the shipper begins a new
cluster in each of its rounds. The server and its client are on the first core, shipper and replicas on the second one.
"""

from __future__ import annotations

import shutil
import time

from figures import Others, interval, percentile
from measure import cpu_seconds
from places import Place

SERVER_CORE, OTHER_CORE = "0", "1"
ROWS = 2000
THROUGHPUT_LOSS, COMMIT_SLOWER = 0.03, 0.10


def measured(options) -> dict:
    """Full load, with and without; half of it, with and without; full load with 0, 1 and 4 replicas."""
    with Place(options, "burden", "fs", SERVER_CORE) as place:
        place.load("warm", 1, ROWS, 0, options.round_seconds, SERVER_CORE).done()
        place.primary.wait_applied()
        found, wanted = {}, lambda name: options.only in (None, name)
        if wanted("full") or wanted("half"):
            full = rounds(options, place, ("without", "ship"), options.pairs, 0)
            found["full"] = summary(full, "without")
        if wanted("half"):
            rate = interval([r["rows"] / r["seconds"] for r in full["without"]])["median"] / ROWS / 2
            found["half"] = summary(rounds(options, place, ("without", "ship"), options.pairs, rate), "without")
        if wanted("replicas"):
            found["replicas"] = summary(rounds(options, place, ("0", "1", "4"), max(options.pairs // 2, 3), 0), "0")
    return found


def rounds(options, place: Place, kinds: tuple, count: int, rate: float) -> dict:
    """Rounds of each kind; in every other one the order is reversed."""
    found = {kind: [] for kind in kinds}
    for i in range(count):
        for kind in kinds if i % 2 == 0 else kinds[::-1]:
            found[kind].append(one(options, place, kind, rate))
            print(f"  {kind}: {found[kind][-1]['said']}", flush=True)
    return found


def one(options, place: Place, kind: str, rate: float) -> dict:
    ship, followers = None, []
    if kind != "without":
        begin_anew(place)
        ship = place.ship(cores=OTHER_CORE)
        followers = [place.replica(f"r{i}", cores=OTHER_CORE) for i in range(int(kind) if kind.isdigit() else 0)]
        time.sleep(1)
    table = f"t{time.time_ns()}"
    server, begun = place.primary, time.monotonic()
    cpu = cpu_seconds(server.pid), cpu_seconds(ship.pid) if ship else 0
    load = place.load(table, 1, ROWS, rate, options.round_seconds, SERVER_CORE)
    with Others(lambda: sum(cpu_seconds(p) for p in [server.pid, *(n.pid for n in place.nodes)])) as others:
        result = load.done()
        server.wait_applied([table])
    applied = time.monotonic() - begun
    server_cpu = cpu_seconds(server.pid) - cpu[0]
    ship_cpu = None
    if ship:
        # Whatever of this round is not shipped yet is part of its cost.
        pid_cpu = shipped(place, ship)
        ship_cpu = (pid_cpu - cpu[1]) / (result["rows"] / 1e6)
    for node in [*followers]:
        node.kill()
        place.nodes.remove(node)
    server.query(f"DROP TABLE {table}")
    took = result["took_ms"]
    r = {"rows": result["rows"], "seconds": result["seconds"], "applied": applied, "server_cpu": server_cpu / (result["rows"] / 1e6), "ship_cpu": ship_cpu,
         "p50_ms": percentile(took, 0.5), "p99_ms": percentile(took, 0.99), "late_ms": max(result["late_ms"], default=0.0), "others": others.cores}
    r["said"] = f"{r['rows'] / r['seconds'] / 1e3:,.0f} k rows/s, commits p50 {r['p50_ms']:.1f} p99 {r['p99_ms']:.1f} ms, server {r['server_cpu']:.2f} CPU s/M rows, ship {ship_cpu or 0:.2f}, others {r['others']:.2f} cores"
    return r


def shipped(place: Place, ship) -> float:
    """Waits until the shipper rests, then ends it; returns the CPU seconds that it has used."""
    used = cpu_seconds(ship.pid)
    while True:
        time.sleep(0.7)
        now = cpu_seconds(ship.pid)
        if now - used < 0.02:
            break
        used = now
    place.end(ship)
    return now


def begin_anew(place: Place) -> None:
    """An empty bucket, and nothing that remembers another."""
    for folder in [place.store.run, place.work / "primary" / "understudy-ship", *place.work.glob("r[0-9]")]:
        shutil.rmtree(folder, ignore_errors=True)
    place.store.run.mkdir()


def summary(found: dict, base: str) -> dict:
    """Of each kind its medians; and of each but the base the ratios to it, pair by pair."""
    figures = {"rows_per_second": lambda r: r["rows"] / r["seconds"], "applied_per_second": lambda r: r["rows"] / r["applied"], "p50_ms": lambda r: r["p50_ms"],
               "p99_ms": lambda r: r["p99_ms"], "server_cpu": lambda r: r["server_cpu"], "late_ms": lambda r: r["late_ms"], "others": lambda r: r["others"]}
    out = {"kinds": {k: {f: interval([of(r) for r in rs]) for f, of in figures.items()} for k, rs in found.items()}, "ratios": {}}
    for kind, rs in found.items():
        with_cpu = [r["ship_cpu"] for r in rs if r["ship_cpu"] is not None]
        if with_cpu:
            out["kinds"][kind]["ship_cpu"] = interval(with_cpu)
        if kind != base:
            out["ratios"][kind] = {f: interval([of(r) / of(b) for r, b in zip(rs, found[base])]) for f, of in figures.items() if f not in ("late_ms", "others")}
    return out


def lines(found: dict) -> list[str]:
    out = []
    for name, f in found.items():
        out += ["", f"**{name}**", "", "| | k rows/s | until applied, k rows/s | commit p50 ms | commit p99 ms | latest start ms | server CPU s/M rows | ship CPU s/M rows | others: cores |", "|---|---:|---:|---:|---:|---:|---:|---:|---:|"]
        for kind, k in f["kinds"].items():
            ship = said(k["ship_cpu"], 1) if "ship_cpu" in k else ""
            out.append(f"| {kind} | {said(k['rows_per_second'], 1e-3)} | {said(k['applied_per_second'], 1e-3)} | {said(k['p50_ms'], 1)} | {said(k['p99_ms'], 1)} | {said(k['late_ms'], 1)}"
                       f" | {said(k['server_cpu'], 1)} | {ship} | {said(k['others'], 1)} |")
        for kind, r in f["ratios"].items():
            out.append(f"| {kind}, ratio of pairs | {said(r['rows_per_second'], 1, 3)} | {said(r['applied_per_second'], 1, 3)} | {said(r['p50_ms'], 1, 3)} | {said(r['p99_ms'], 1, 3)} | | {said(r['server_cpu'], 1, 3)} | | |")
    return out


def said(i: dict, scale: float, digits: int = 2) -> str:
    return f"{i['median'] * scale:.{digits}f} [{i['low'] * scale:.{digits}f}, {i['high'] * scale:.{digits}f}]"
