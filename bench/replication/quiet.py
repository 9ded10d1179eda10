"""What `ship` costs beside many tables to which nothing comes, and how soon it notices when something does.

No server is needed: the tables are one recorded table, many times over, of which the log at first names fewer transactions than it
has. Naming one more is what a server's commit does, too.
"""

from __future__ import annotations

import os
import random
import shutil
import struct
import tarfile
import time
from pathlib import Path

from figures import Others, percentile
from measure import cpu_seconds, status_bytes
from places import TOP, nodes

RECORDING, TABLE = TOP / "tests" / "data" / "ooo.tar.gz", "ooo~6"
# Transactions that the logs name at first, and how many commits are let in.
SHOWN, COMMITS = 2, 20
SLICES = 6
GOAL_CORES, GOAL_SECONDS = 0.01, 1.0


def measured(options) -> dict:
    work = options.dir / "quiet"
    shutil.rmtree(work, ignore_errors=True)
    db, bucket = work / "primary" / "db", work / "bucket"
    bucket.mkdir(parents=True)
    dirs = database(work / "recording", db, options.quiet)
    # The recording has no partitions of which there could be digests.
    os.environ["QDB_UNDERSTUDY_DIGEST"] = "off"
    ship = nodes.shipper(options.understudy, db, f"fs::root={bucket};", work, "ship").start()
    try:
        begun = time.monotonic()
        at_rest(ship, bucket)
        taken = time.monotonic() - begun
        # Until a minute after its last transaction a table is looked at more often.
        time.sleep(options.settle_seconds)
        cores, others = [], []
        for _ in range(SLICES):
            used = cpu_seconds(ship.pid)
            with Others(lambda: cpu_seconds(ship.pid)) as around:
                time.sleep(options.idle_seconds / SLICES)
            cores.append((cpu_seconds(ship.pid) - used) / around.seconds)
            others.append(around.cores)
        memory = status_bytes(ship.pid, "RssAnon")
        noticed = [let_in(db / name, bucket) for name in random.Random(1).sample(dirs, COMMITS)]
        ship.finish()
    finally:
        ship.kill()
        if not options.keep:
            shutil.rmtree(work, ignore_errors=True)
    return {"tables": options.quiet, "taken": taken, "cores": cores, "others": others, "rss_anon": memory, "noticed": noticed}


def database(recording: Path, db: Path, count: int) -> list[str]:
    """The recorded table so many times, with one registry; all but the logs' heads are the same files."""
    with tarfile.open(RECORDING) as tar:
        tar.extractall(recording, filter="data")
    one = recording / "db" / TABLE
    db.mkdir(parents=True)
    dirs, registry = [], bytearray(8)
    for n in range(1, count + 1):
        table = f"t{n}"
        directory = f"{table}~{n}"
        shutil.copytree(one, db / directory, copy_function=os.link)
        for name in ("txn_seq/_txnlog", "_txn"):
            (db / directory / name).unlink()
            shutil.copyfile(one / name, db / directory / name)
        max_txn(db / directory, SHOWN)
        registry += struct.pack("<i", 0) + text(table) + text(directory) + struct.pack("<ii64x", n, 1)
        dirs.append(directory)
    registry[:8] = struct.pack("<q", len(registry))
    (db / "tables.d.0").write_bytes(registry)
    return dirs


def text(text: str) -> bytes:
    return struct.pack("<i", len(text)) + text.encode("utf-16-le")


def max_txn(table: Path, count: int) -> None:
    """Has the log name so many transactions, and the table say that all of them are applied."""
    with open(table / "_txn", "r+b") as file:
        version, a, b = struct.unpack("<qi20xi", file.read(36))
        file.seek((b if version & 1 else a) + nodes.TXN_SEQ)
        file.write(struct.pack("<q", count))
    with open(table / "txn_seq" / "_txnlog", "r+b") as file:
        file.seek(nodes.LOG_LAST)
        file.write(struct.pack("<q", count))


def at_rest(ship: nodes.Node, bucket: Path, seconds: float = 600) -> None:
    """Until nothing has come into the bucket for some seconds: no transactions."""
    until, last = time.monotonic() + seconds, -1
    while (now := objects(bucket)) != last or now < 3:
        ship.running()
        assert time.monotonic() < until, f"not at rest after {seconds:.0f} s:\n{ship.tail()}"
        last = now
        time.sleep(12)


def objects(bucket: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(bucket / "log"))


def let_in(table: Path, bucket: Path) -> float:
    """Seconds from one more transaction in the table's log until it is in the bucket."""
    time.sleep(random.uniform(1, 2))
    before, begun = objects(bucket), time.monotonic()
    max_txn(table, SHOWN + 1)
    while objects(bucket) == before:
        assert time.monotonic() < begun + 30, f"{table.name} was not noticed"
        time.sleep(0.002)
    return time.monotonic() - begun


def lines(found: dict) -> list[str]:
    cores, noticed = sorted(found["cores"]), found["noticed"]
    median, worst = percentile(cores, 0.5), max(noticed)
    met = "yes" if median <= GOAL_CORES and worst <= GOAL_SECONDS + 0.1 else "NO"
    return ["| quiet tables | % of a core, median [range] | others: cores | RssAnon MB | commit in the bucket: p50, max s | goals met |", "|---:|---:|---:|---:|---:|---|",
            f"| {found['tables']:,} | {median * 100:.2f} [{cores[0] * 100:.2f}, {cores[-1] * 100:.2f}] | {sum(found['others']) / len(cores):.2f}"
            f" | {found['rss_anon'] / 1e6:.1f} | {percentile(noticed, 0.5):.2f}, {worst:.2f} | {met} |"]
