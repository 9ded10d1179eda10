"""The nodes of a cluster, as processes: a shipper beside the primary, replicas."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import time
from pathlib import Path

# Where `_txn` has the seqTxn in the area that is in force, and `_txnlog` its last one.
TXN_SEQ, LOG_LAST = 80, 4
# Several nodes on one machine: none listens for metrics, all would on the same port.
ENVIRONMENT = {"NO_COLOR": "1", "QDB_HTTP_MIN_ENABLED": "false"}


class Node:
    """One `understudy` process; `name` is that of its log in `logs`."""

    def __init__(self, name: str, logs: Path, command: list, cores: str | None = None):
        self.name, self.log = name, logs / f"{name}.log"
        self.command = (["taskset", "-c", cores] if cores else []) + [str(word) for word in command]
        self.process: subprocess.Popen | None = None

    def start(self) -> "Node":
        with open(self.log, "ab") as out:
            out.write(f"--- {' '.join(self.command[:3])} ...\n".encode())
            out.flush()
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                                            env=os.environ | ENVIRONMENT)
        return self

    @property
    def pid(self) -> int:
        return self.process.pid

    def kill(self) -> None:
        """As a machine that loses power would end it."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def finish(self, seconds: float = 60) -> None:
        """Asks it to end; it has to do so in time, and say that all is well."""
        self.running()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end within {seconds:.0f} s of SIGTERM:\n{self.tail()}") from None
        assert code == 0, f"{self.name} ended with {code}:\n{self.tail()}"

    def wait(self, seconds: float) -> None:
        """Until it has ended by itself, with 0."""
        code = self.process.wait(seconds)
        assert code == 0, f"{self.name} ended with {code}:\n{self.tail()}"

    def running(self) -> None:
        code = self.process.poll()
        assert code is None, f"{self.name} ended by itself with {code}:\n{self.tail()}"

    def tail(self, size: int = 3000) -> str:
        return self.log.read_text(errors="replace")[-size:]


def shipper(understudy: Path, db: Path, store: str, logs: Path, name: str = "ship", more: list = [], cores: str | None = None) -> Node:
    return Node(name, logs, [understudy, "ship", "--db", db, "--to", store, "--name", name, "--no-progress", *more], cores)


def replica(understudy: Path, root: Path, store: str, logs: Path, name: str, more: list = [], cores: str | None = None) -> Node:
    root.mkdir(parents=True, exist_ok=True)
    return Node(name, logs, [understudy, "replica", "--dir", root, "--from", store, "--name", name, "--no-progress", *more], cores)


def wait_founded(ship: Node, db: Path, seconds: float = 60) -> None:
    """Until the shipper has begun its cluster, or found it: a replica that comes before ends."""
    until = time.monotonic() + seconds
    while not (db.parent / "understudy-ship" / "cluster").exists():
        ship.running()
        assert time.monotonic() < until, f"{ship.name} has not begun within {seconds:.0f} s:\n{ship.tail()}"
        time.sleep(0.05)


# -- how far tables are, read from outside ----------------------------------------------------------


def applied(table: Path) -> int:
    """seqTxn of an applied table, from its `_txn`; -1 if it isn't there (yet)."""
    for _ in range(100):
        try:
            with open(table / "_txn", "rb") as file:
                head = os.pread(file.fileno(), 36, 0)
                version, a, b = struct.unpack_from("<qi20xi", head)
                seq = struct.unpack("<q", os.pread(file.fileno(), 8, (b if version & 1 else a) + TXN_SEQ))[0]
                # Read again if it was written meanwhile.
                if os.pread(file.fileno(), 36, 0) == head:
                    return seq
        except (FileNotFoundError, struct.error):
            return -1
    return -1


def sequenced(table: Path) -> int:
    with open(table / "txn_seq" / "_txnlog", "rb") as file:
        return struct.unpack("<q", os.pread(file.fileno(), 8, LOG_LAST))[0]


def wait_level(primary: Path, dirs: list[str], nodes: dict[Node, Path], seconds: float) -> float:
    """Until each replica's tables are where the primary's are; returns how long that took."""
    begun = time.monotonic()
    want = {d: applied(primary / d) for d in dirs}
    while True:
        behind = {f"{node.name}: {d}": (applied(db / d), n) for node, db in nodes.items() for d, n in want.items() if applied(db / d) < n}
        if not behind:
            return time.monotonic() - begun
        for node in nodes:
            node.running()
        if time.monotonic() - begun > seconds:
            raise AssertionError(f"not level after {seconds:.0f} s: {behind}\n" + "\n".join(f"{n.name}: {n.tail()}" for n in nodes))
        time.sleep(0.1)
