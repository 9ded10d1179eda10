"""What scripts/demo.sh starts, once everything is built: see there."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import signal
import socket
import sys
import tarfile
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TOP / "tests" / d) for d in ("cluster", "record", "replica")]

import nodes  # noqa: E402
import workload  # noqa: E402
from questdb import QuestDB, ServerError  # noqa: E402

# Slowly: a demo may be left alone for hours.
WRITERS = [w | {"now": True, "batch": 20, "rate": 2.0, "late": w.get("late", 0.0) / 10} for w in workload.WRITERS]
# The recording that is shipped where there is no Java.
RECORDING = TOP / "tests" / "data" / "trading_day.tar.gz"
SAY_EVERY = 10.0


class Demo:
    def __init__(self, args: argparse.Namespace, root: Path):
        self.args, self.root = args, root
        self.bucket = root / "bucket"
        self.bucket.mkdir()
        self.store = f"fs::root={self.bucket};"
        self.server: QuestDB | None = None
        self.writers: workload.Writers | None = None
        self.nodes: dict[str, nodes.Node] = {}

    def start(self) -> None:
        more = []
        if self.args.live:
            self.live()
            db, says = self.server.db, f"http://127.0.0.1:{self.server.port}   (its own console)"
        else:
            db, says = self.recorded()
            more = ["--once"]
        self.add(nodes.shipper(self.args.understudy, db, self.store, self.root, "primary", more))
        nodes.wait_founded(self.nodes["primary"], db)
        if more:
            self.nodes.pop("primary").wait(120)
        for name in ("replica-a", "replica-b"):
            self.add(nodes.replica(self.args.understudy, self.root / name, self.store, self.root, name, ["--poll", "200"]))
        port = self.args.port or free_port()
        serve = [self.args.understudy, "serve", self.bucket, "--page", self.args.page, "--bind", f"127.0.0.1:{port}"]
        self.add(nodes.Node("page", self.root, serve))
        self.until_served(port)
        print(f"""
  database    {says}
  bucket      {self.store}
  replicas    {self.root}/replica-a, {self.root}/replica-b
  logs        {self.root}/*.log

  page        {self.url(port)}

Ctrl-C ends all of it.
""", flush=True)

    def live(self) -> None:
        (self.root / "primary").mkdir()
        # QuestDB's default: what it has applied is purged after half a minute.
        self.server = QuestDB("9.3.4", self.root / "primary", {"cairo.wal.purge.interval": "30000"}).start()
        for statement in workload.TABLES:
            self.server.query(statement)
        self.writers = workload.Writers(self.server, self.args.tools / "questdb-client", 1, WRITERS)
        self.changes = list(workload.CHANGES)
        self.begun = time.monotonic()

    def recorded(self) -> tuple[Path, str]:
        """A database that nobody writes to any more."""
        with tarfile.open(RECORDING) as tar:
            tar.extractall(self.root / "recorded", filter="data")
        db = next(p.parent for p in (self.root / "recorded").rglob("tables.d.*"))
        return db, f"none: Java 17 or Maven are missing (scripts/setup.sh java). {RECORDING.name} was shipped once, so nothing new will come"

    def add(self, node: nodes.Node) -> None:
        self.nodes[node.name] = node.start()

    def until_served(self, port: int) -> None:
        while True:
            self.nodes["page"].running()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            time.sleep(0.1)

    def url(self, port: int) -> str:
        """As `serve` prints it: it knows how the page finds what it serves."""
        for line in self.nodes["page"].log.read_text().splitlines():
            for word in line.split():
                if word.startswith("http://"):
                    return word
        return f"http://127.0.0.1:{port}/"

    # -- until Ctrl-C ----------------------------------------------------------------------------

    def run(self) -> None:
        said = time.monotonic()
        while True:
            for node in self.nodes.values():
                node.running()
            if self.server:
                self.change()
            if self.server and time.monotonic() - said > SAY_EVERY:
                said = time.monotonic()
                print(self.standing(), flush=True)
            time.sleep(0.2)

    def change(self) -> None:
        """The statements of the workload, once each, in their order."""
        while self.changes and time.monotonic() - self.begun > self.changes[0][0]:
            _, statement = self.changes.pop(0)
            print(f"  {statement}", flush=True)
            with contextlib.suppress(ServerError):
                workload.change(self.server, statement)

    def standing(self) -> str:
        tables = [d for d in self.server.db.iterdir() if (d / "txn_seq").is_dir() and not d.name.startswith(("sys.", "telemetry", "_"))]
        now = {d.name: nodes.applied(d) for d in tables}
        behind = {}
        for name in ("replica-a", "replica-b"):
            behind[name] = sum(max(n - max(nodes.applied(self.root / name / "db" / d), 0), 0) for d, n in now.items() if n > 0)
        rows = sum(t["rows"] for t in self.writers.account().values())
        return f"{rows:,} rows acknowledged; transactions behind: " + ", ".join(f"{k} {v}" for k, v in behind.items())

    def end(self) -> None:
        print("ending", flush=True)
        if self.writers:
            self.writers.kill()
        for node in reversed(self.nodes.values()):
            if node.process and node.process.poll() is None:
                node.process.send_signal(signal.SIGTERM)
        for node in self.nodes.values():
            with contextlib.suppress(Exception):
                node.process.wait(15)
            node.kill()
        if self.server:
            with contextlib.suppress(Exception):
                self.server.stop()
            self.server.kill()


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--understudy", type=Path, required=True)
    parser.add_argument("--tools", type=Path, required=True)
    parser.add_argument("--page", type=Path, required=True)
    parser.add_argument("--live", action="store_true")
    parser.add_argument("--port", type=int, default=9010, help="of the page (default 9010; 0 for any)")
    parser.add_argument("--dir", type=Path, help="where everything is kept; else it is removed in the end")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if args.dir:
        args.dir.mkdir(parents=True)
    root = args.dir or Path(tempfile.mkdtemp(prefix="understudy-demo-"))
    demo = Demo(args, root.resolve())
    try:
        demo.start()
        demo.run()
    except KeyboardInterrupt:
        print()
        return 0
    finally:
        # A second Ctrl-C shall not leave half of it running.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        demo.end()
        if not args.dir:
            shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
