"""A new replica of a long log, beside `understudy apply` of the same log from files, and beside reading the bucket's objects."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
import urllib.parse
from pathlib import Path

from figures import interval
from ingest import copy, made
from measure import take_memory
from places import nodes, stores
from workloads import ORDERS, SHAPES, Workload

SHARE = 0.8


def measured(options) -> dict:
    workload = Workload(ORDERS["inorder"], SHAPES["mixed"], options.rows)
    log = made(workload, options.cache, options.questdb)
    work = options.dir / "catchup"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    found = {"rows": options.rows, "wal_bytes": log.wal_bytes, "stores": {}}
    try:
        # The shipper links files beside the database: on its own copy.
        copy(log.db, work / "primary" / "db")
        found["apply"] = [timed(options, work, "applied", [options.understudy, "apply", work / "primary" / "db", "--to", work / "applied" / "db", "--commit-mode", "nosync", "--no-progress"]) for _ in range(options.runs)]
        for name in ("fs", "seaweedfs"):
            found["stores"][name] = of_store(options, work, name)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return found


def of_store(options, work, name: str) -> dict:
    shutil.rmtree(work / "store", ignore_errors=True)
    shutil.rmtree(work / "primary" / "understudy-ship", ignore_errors=True)
    store = stores.Store(name, work, options.tools)
    try:
        connection = store.direct if store.proxy else store.connection
        ship = nodes.shipper(options.understudy, work / "primary" / "db", connection, work, more=["--once"])
        begun = time.monotonic()
        ship.start().wait(900)
        shipped = time.monotonic() - begun
        runs = []
        for _ in range(options.runs):
            shutil.rmtree(work / "new", ignore_errors=True)
            (work / "new").mkdir()
            runs.append(timed(options, work, "new", [options.understudy, "replica", "--dir", work / "new", "--from", connection, "--until-caught-up", "--name", "new", "--no-progress"]))
        objects = listed(store)
        return {"ship_seconds": shipped, "replica": runs, "read": [read(store, objects, work) for _ in range(options.runs)], "objects": len(objects)}
    finally:
        store.stop()


def timed(options, work, folder: str, command: list) -> dict:
    shutil.rmtree(work / folder, ignore_errors=True)
    (work / folder / "db").mkdir(parents=True)
    take_memory(4 << 30)
    begun = time.monotonic()
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    seconds = time.monotonic() - begun
    if done.returncode:
        raise RuntimeError(f"{command[1]} ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return {"seconds": seconds}


# -- the store's own speed ---------------------------------------------------------------------------


def listed(store: stores.Store) -> list[str]:
    """Objects of the log and those that it names, as paths or URLs."""
    if not store.proxy:
        return [str(p) for part in ("log", "blob") for p in (store.run / part).rglob("*") if p.is_file()]
    base, found, more = url(store), [], ""
    while True:
        body = subprocess.run([*curl(store), f"{base}?list-type=2&max-keys=1000{more}"], check=True, capture_output=True, text=True).stdout
        found += [f"{base}/{key}" for key in re.findall(r"<Key>([^<]+)</Key>", body) if "/log/" in f"/{key}" or "/blob/" in f"/{key}"]
        token = re.search(r"<NextContinuationToken>([^<]+)<", body)
        if not token:
            return found
        more = "&continuation-token=" + urllib.parse.quote(token[1], safe="")


def read(store: stores.Store, objects: list[str], work: Path) -> dict:
    """Reads all objects, 16 at a time, to nowhere."""
    sizes, begun = work / "sizes", time.monotonic()
    if store.proxy:
        config = work / "objects"
        config.write_text("".join(f'url = "{o}"\noutput = "/dev/null"\n' for o in objects))
        done = subprocess.run([*curl(store), "-Z", "--parallel-max", "16", "-w", "%{size_download}\\n", "-K", config], check=True, capture_output=True, text=True)
        total = sum(int(n) for n in done.stdout.split())
    else:
        sizes.write_text("\0".join(objects))
        total = int(subprocess.run(f"xargs -0 cat < {sizes} | wc -c", shell=True, check=True, capture_output=True, text=True).stdout)
    return {"seconds": time.monotonic() - begun, "bytes": total}


def url(store: stores.Store) -> str:
    given = dict(part.split("=", 1) for part in store.direct.split("::", 1)[1].split(";") if part)
    return f"{given['endpoint']}/{given['bucket']}"


def curl(store: stores.Store) -> list[str]:
    given = dict(part.split("=", 1) for part in store.direct.split("::", 1)[1].split(";") if part)
    return ["curl", "-sS", "--fail", "--aws-sigv4", f"aws:amz:{given['region']}:s3", "--user", f"{given['access_key_id']}:{given['secret_access_key']}"]


def lines(found: dict) -> list[str]:
    alone = interval([r["seconds"] for r in found["apply"]])
    out = ["| | seconds | M rows/s | of the slower of apply and the store | goal met |", "|---|---:|---:|---:|---|",
           f"| `understudy apply`, from files | {shown(alone)} | {found['rows'] / alone['median'] / 1e6:.2f} | | |"]
    for name, f in found["stores"].items():
        took, reading = interval([r["seconds"] for r in f["replica"]]), interval([r["seconds"] for r in f["read"]])
        share = max(alone["median"], reading["median"]) / took["median"]
        size = f["read"][0]["bytes"]
        out += [f"| {name}: reading {f['objects']:,} objects, {size / 1e6:,.0f} MB of {found['wal_bytes'] / 1e6:,.0f} MB | {shown(reading)} | {found['rows'] / reading['median'] / 1e6:.2f} | | |",
                f"| {name}: a new replica | {shown(took)} | {found['rows'] / took['median'] / 1e6:.2f} | {share * 100:.0f} % | {'yes' if share >= SHARE else 'NO'} |",
                f"| {name}: `ship --once` | {f['ship_seconds']:.1f} | {found['rows'] / f['ship_seconds'] / 1e6:.2f} | | |"]
    return out


def shown(i: dict) -> str:
    return f"{i['median']:.1f} [{i['low']:.1f}, {i['high']:.1f}]"
