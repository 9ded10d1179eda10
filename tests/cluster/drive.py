#!/usr/bin/env python3
"""A primary, a shipper, two replicas and a store that fails now and then: see README.md beside this file.

    python3 tests/cluster/drive.py --understudy target/debug/understudy --tools target/tools --out target/cluster fs seaweedfs
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import signal
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), *(str(HERE.parent / d) for d in ("record", "replica"))]

import nodes  # noqa: E402
import questions  # noqa: E402
import stores  # noqa: E402
import verify  # noqa: E402
import workload  # noqa: E402
from questdb import QuestDB  # noqa: E402

# QuestDB's default: applied segments go away after half a minute.
SERVER = {"cairo.wal.purge.interval": "30000"}
SECONDS = 46
# (second, what): the store's modes, and what becomes of the nodes. The store hangs over a purge of the primary's, and for longer than a
# request may take (10 s). `b` starts when segments that it needs are gone from the primary.
EVENTS = [
    (0, "start a"),
    (5, "slow"),
    (9, "pass"),
    (11, "503"),
    (14, "pass"),
    (15, "kill a"),
    (18, "start a"),
    (20, "hang"),
    (34, "pass"),
    (36, "start b"),
    (38, "cut"),
    (38.5, "pass"),
    (39.5, "cut"),
    (40, "pass"),
    (42, "kill ship"),
    (43, "start ship"),
]
LEVEL_SECONDS = 90


class Cluster:
    """One run against one store."""

    def __init__(self, args: argparse.Namespace, store: str, work: Path):
        self.args, self.work = args, work
        self.store = stores.Store(store, work, args.tools)
        self.primary = QuestDB("9.3.4", work / "primary", SERVER)
        (work / "primary").mkdir()
        ship = nodes.shipper(args.understudy, self.primary.db, self.store.connection, work, more=["--window", "100"])
        followers = {name: nodes.replica(args.understudy, work / name, self.store.connection, work, name, ["--poll", "100"]) for name in "ab"}
        self.nodes = {"ship": ship, **followers}
        self.writers: workload.Writers | None = None

    def run(self) -> str:
        begun = time.monotonic()
        self.primary.start()
        for statement in workload.TABLES:
            self.primary.query(statement)
        nodes.wait_founded(self.nodes["ship"].start(), self.primary.db)
        self.writers = workload.Writers(self.primary, self.args.tools / "questdb-client", self.args.seed)
        self.play()
        acknowledged = self.writers.finish()
        self.primary.wait_applied()
        questions.wait_views(self.primary, ["upserts_1m"])
        self.primary.wait_applied()
        rows = verify.accounts(self.primary, acknowledged, "the primary")
        level = self.level()
        for node in self.nodes.values():
            node.finish()
        tables = [t["table_name"] for t in verify.listed(self.primary) if t["table_type"] != "V"]
        for name in "ab":
            verify.diff(self.args.understudy, self.primary.db, self.work / name / "db", tables)
        asked = sum(verify.opened(self.primary, self.work / name, self.work, acknowledged, name) for name in "ab")
        self.primary.stop()
        return (f"{rows:,} acknowledged rows on the primary and on two replicas, each once; {asked} questions answered alike; "
                f"level {level:.1f} s after the last commit, {time.monotonic() - begun:.0f} s in all")

    def play(self) -> None:
        """Statements and events, each at its second."""
        steps = sorted([(at, "change", s) for at, s in workload.CHANGES] + [(at, "event", e) for at, e in EVENTS], key=lambda step: step[0])
        begun = time.monotonic()
        for at, kind, what in [*steps, (SECONDS, "", "")]:
            while (left := begun + at - time.monotonic()) > 0:
                for node in self.nodes.values():
                    if node.process:
                        node.running()
                time.sleep(min(left, 0.2))
            if kind == "change":
                workload.change(self.primary, what)
            elif kind == "event":
                self.event(what)

    def event(self, what: str) -> None:
        verb, _, name = what.partition(" ")
        if not name:
            self.store.mode(verb)
        elif verb == "start":
            if name == "b":
                self.purged()
            self.nodes[name].start()
        else:
            self.nodes[name].kill()
            self.nodes[name].process = None

    def purged(self) -> None:
        """The primary no longer has the first segments of what is shipped: what comes now can only come from the bucket."""
        trades = next(self.primary.db.glob("trades~*"))
        until = time.monotonic() + 30
        while list(trades.glob("wal*/0")):
            assert time.monotonic() < until, f"QuestDB has purged nothing of {trades.name}"
            time.sleep(0.2)

    def level(self) -> float:
        dirs = [t["directoryName"] for t in verify.listed(self.primary) if t["table_type"] != "V"]
        followers = {self.nodes[name]: self.work / name / "db" for name in "ab"}
        return nodes.wait_level(self.primary.db, dirs, followers, LEVEL_SECONDS)

    def end(self) -> None:
        """Leaves nothing running, whatever happened."""
        with contextlib.suppress(Exception):
            self.store.mode("pass")
        for node in self.nodes.values():
            node.kill()
        if self.writers:
            self.writers.kill()
        self.primary.kill()
        self.store.stop()


def one(args: argparse.Namespace, store: str) -> bool:
    """A run; what failed keeps its directories and logs."""
    memory = Path("/dev/shm")
    work = Path(tempfile.mkdtemp(prefix=f"cluster-{store}-", dir=memory if memory.is_dir() and shutil.disk_usage(memory).free > 4 << 30 else None))
    cluster = None
    try:
        cluster = Cluster(args, store, work)
        print(f"{store}: {cluster.run()}", flush=True)
        return True
    except Exception:  # noqa: BLE001 (the other stores are still to come)
        print(f"{store}: FAILED\n{traceback.format_exc()}", flush=True)
        if cluster:
            cluster.end()
        kept = args.out / f"{store}-kept"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(work, kept, symlinks=True)
        print(f"kept in {kept}", flush=True)
        return False
    finally:
        if cluster:
            cluster.end()
        shutil.rmtree(work, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stores", nargs="+", choices=stores.NAMES)
    parser.add_argument("--understudy", type=Path, required=True, help="the command; with the feature `hdfs` for that store")
    parser.add_argument("--tools", type=Path, required=True, help="where scripts/stores.sh and scripts/setup.sh installed stores and client")
    parser.add_argument("--out", type=Path, required=True, help="where a failed run is kept")
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--at-once", type=int, default=1, help="so many stores at a time, each with a cluster of its own")
    args = parser.parse_args()
    # Ends by an exception, so that nothing stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    args.out.mkdir(parents=True, exist_ok=True)
    pool = ThreadPoolExecutor(args.at_once)
    try:
        passed = list(pool.map(lambda store: one(args, store), args.stores))
    finally:
        pool.shutdown(cancel_futures=True)
    print(f"  {sum(passed)} passed")
    if not all(passed):
        print(f"  {len(passed) - sum(passed)} failed")
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
