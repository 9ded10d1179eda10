"""A steady stream: how long after the sequencer has a transaction can it be read?

A live QuestDB takes small commits into many tables. Sequenced is the commit timestamp that it writes into `_txnlog`;
readable is when `seqTxn` in the applied table's `_txn` reaches the transaction, looked at every millisecond. Both are of
one clock. Applied by `understudy apply --follow` while QuestDB's own apply is off, or by QuestDB itself.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

from compare import _aggregates
from ingest import table_dir
from measure import MemoryWatch, cpu_seconds
from server import Server
from workloads import ORDERS, SHAPES, Workload

SHAPE = SHAPES["mixed"]
LATE_SHARE = 0.05
LATE_US = 10_000_000

LOG_HEADER, LOG_RECORD, LOG_TIME = 76, 28, 20
TXN_SEQ = 80


def add_arguments(p) -> None:
    g = p.add_argument_group("steady stream")
    g.add_argument("--stream", action="store_true", help="measures the stream instead of backlogs")
    g.add_argument("--seconds", type=float, default=60, help="measured time (default 60)")
    g.add_argument("--warm-seconds", type=float, default=15, help="the stream's time before that (default 15)")
    g.add_argument("--tables", type=int, default=20)
    g.add_argument("--commits-per-second", type=float, default=100, help="in all (default 100)")
    g.add_argument("--commit-rows", type=int, default=1000)


def main(options) -> int:
    """Measures what was asked for, prints a line of each, writes `stream.json` beside the result."""
    results = {}
    if options.only != "understudy":
        results["questdb"] = streamed(options, None)
    if options.understudy and options.only != "questdb":
        results["understudy"] = streamed(options, options.understudy)
    options.out.with_name("stream.json").write_text(json.dumps(results, indent=1) + "\n")
    print("| applied by | transactions | p50 ms | p99 ms | max ms | CPU s/s | QuestDB's CPU s/s | peak anon MB | generator late p99 ms |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for who, r in results.items():
        print(
            f"| {who} | {r['transactions']:,} | {r['p50_ms']:.1f} | {r['p99_ms']:.1f} | {r['max_ms']:.1f} | {r['cpu']:.2f}"
            f" | {r['questdb_cpu']:.2f} | {r['anonymous'] / 1e6:,.0f} | {r['generator_late_p99_ms']:.1f} |"
        )
    return 1 if any(r["differs"] for r in results.values()) else 0


def streamed(options, understudy: Path | None) -> dict:
    root = options.dir / ("stream-understudy" if understudy else "stream-questdb")
    shutil.rmtree(root, ignore_errors=True)
    (root / "live").mkdir(parents=True)
    replica = root / "replica"
    tables = [f"s{i:02}" for i in range(options.tables)]
    workload = Workload(ORDERS["inorder"], SHAPE, 1)
    with Server(root / "live", options.questdb, apply=not understudy, cores=options.cores) as server:
        for t in tables:
            server.query(workload.create(t))
        follower = None
        if understudy:
            follower = follow(options, understudy, server.db, replica)
        applied = (replica / "db") if understudy else server.db
        try:
            result = measured(options, server, tables, applied, follower.pid if follower else server.pid)
        finally:
            if follower:
                follower.send_signal(signal.SIGTERM)
                code = follower.wait(30)
                if code:
                    print(f"understudy ended with {code}; see {replica / 'understudy.log'}", file=sys.stderr)
    result["differs"] = compared(options, tables, root / "live", replica) if understudy else None
    if not options.keep:
        shutil.rmtree(root, ignore_errors=True)
    return result


def follow(options, understudy: Path, source: Path, replica: Path) -> subprocess.Popen:
    (replica / "db").mkdir(parents=True)
    command = ["taskset", "-c", options.cores] if options.cores else []
    command += [str(understudy), "apply", str(source), "--to", str(replica / "db"), "--follow", "--commit-mode", "nosync"]
    command += ["--threads", str(options.threads), "--memory-limit", options.memory_limit, *options.option]
    out = open(replica / "understudy.log", "wb")
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)


def measured(options, server: Server, tables: list[str], applied: Path, pid: int) -> dict:
    generator = Generator(options, server, tables)
    generator.start()
    # Tables appear in a replica with their first transaction at the latest.
    wait_for(lambda: all(list(applied.glob(f"{t}~*/_txn")) for t in tables), 30)
    watches = [Watch(table_dir(server.db, t), table_dir(applied, t)) for t in tables]
    poll(watches, time.monotonic() + options.warm_seconds)
    for w in watches:
        w.latencies.clear()
    cpus = cpu_seconds(pid), cpu_seconds(server.pid)
    start = time.monotonic()
    with MemoryWatch(pid, 0.1) as memory:
        poll(watches, start + options.seconds)
        generator.stop()
        # What was sequenced in the measured time counts, however late it is.
        wait_for(lambda: poll(watches, 0) or all(w.caught_up() for w in watches), 120)
    seconds = time.monotonic() - start
    latencies = sorted(x for w in watches for x in w.latencies)
    late = sorted(generator.late)
    return {
        "transactions": len(latencies),
        "seconds": seconds,
        "p50_ms": statistics.median(latencies) / 1000,
        "p99_ms": latencies[int(len(latencies) * 0.99)] / 1000,
        "max_ms": latencies[-1] / 1000,
        "cpu": (cpu_seconds(pid) - cpus[0]) / seconds,
        "questdb_cpu": (cpu_seconds(server.pid) - cpus[1]) / seconds,
        "anonymous": memory.anonymous,
        "generator_late_p99_ms": late[int(len(late) * 0.99)] * 1000 if late else 0.0,
    }


class Generator:
    """Commits at even distances: each a statement that QuestDB itself makes rows for, so that this process costs little."""

    CONNECTIONS = 2

    def __init__(self, options, server: Server, tables: list[str]):
        self.options, self.server, self.tables = options, server, tables
        self.late: list[float] = []
        self.failed: Exception | None = None
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(i,), daemon=True) for i in range(self.CONNECTIONS)]

    def start(self) -> None:
        self._begin = time.monotonic()
        for t in self._threads:
            t.start()

    def stop(self) -> None:
        self._end.set()
        for t in self._threads:
            t.join()
        if self.failed:
            raise self.failed

    def _run(self, first: int) -> None:
        n = first
        try:
            while not self._end.is_set():
                due = self._begin + n / self.options.commits_per_second
                time.sleep(max(0.0, due - time.monotonic()))
                self.late.append(time.monotonic() - due)
                self.server.query(self._statement(n))
                n += self.CONNECTIONS
        except Exception as e:  # noqa: BLE001 (told to the main thread)
            self.failed = e

    def _statement(self, n: int) -> str:
        rows = self.options.commit_rows
        # A table's commits follow each other without a gap.
        width = int(len(self.tables) / self.options.commits_per_second * 1_000_000)
        base = time.time_ns() // 1000 - width
        late = f"CASE WHEN rnd_double() < {LATE_SHARE} THEN rnd_long(0, {LATE_US}, 0) ELSE 0 END"
        values = ", ".join(e for _, _, e in SHAPE.columns)
        source = f"(SELECT {n * rows} + x j, {base} + x * {width // rows} - {late} t FROM long_sequence({rows}))"
        return f"INSERT INTO {self.tables[n % len(self.tables)]} SELECT t::TIMESTAMP, {values} FROM {source}"


class Watch:
    """One table: its sequencer's log, and the applied `_txn`."""

    def __init__(self, sequenced: Path, applied: Path):
        self.log = os.open(sequenced / "txn_seq" / "_txnlog", os.O_RDONLY)
        self.txn = os.open(applied / "_txn", os.O_RDONLY)
        self.seen = self.position()
        self.latencies: list[int] = []

    def position(self) -> int:
        """seqTxn of the area that the version's parity names; the last known one while it is being replaced."""
        head = os.pread(self.txn, 36, 0)
        version, a, b = struct.unpack_from("<qi20xi", head)
        base = b if version & 1 else a
        seq = struct.unpack("<q", os.pread(self.txn, 8, base + TXN_SEQ))[0]
        return seq if os.pread(self.txn, 8, 0) == head[:8] else getattr(self, "seen", 0)

    def sequenced(self) -> int:
        return struct.unpack("<q", os.pread(self.log, 8, 4))[0]

    def caught_up(self) -> bool:
        return self.seen >= self.sequenced()

    def look(self) -> None:
        position = self.position()
        if position <= self.seen:
            return
        now = time.time_ns() // 1000
        for n in range(self.seen, position):
            at = struct.unpack("<q", os.pread(self.log, 8, LOG_HEADER + n * LOG_RECORD + LOG_TIME))[0]
            self.latencies.append(now - at)
        self.seen = position


def poll(watches: list[Watch], until: float) -> None:
    """Looks at every table each millisecond, at least once."""
    while True:
        start = time.monotonic()
        for w in watches:
            w.look()
        if start >= until:
            return
        time.sleep(max(0.0, start + 0.001 - time.monotonic()))


def wait_for(done, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(0.001)


def compared(options, tables: list[str], live: Path, replica: Path) -> str | None:
    """Has QuestDB apply its own log, then asks it and the replica's directory the same; the first difference in words."""
    columns = ", ".join(e for name, kind, _ in SHAPE.columns for e in _aggregates(name, kind))
    answers = []
    for root in (live, replica):
        with Server(root, options.questdb, apply=True, cores=None) as server:
            server.wait_applied(tables)
            answers.append([server.query(f"SELECT count(), min(ts), max(ts), {columns} FROM {t}") for t in tables])
    for t, a, b in zip(tables, *answers):
        if a != b:
            print(f"{t} DIFFERS: {a} ours {b}", file=sys.stderr)
            return f"{t}: {a}, ours {b}"
    return None
