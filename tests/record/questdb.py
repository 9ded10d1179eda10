"""Starts, drives and stops a real QuestDB server.

Nothing here knows about recordings: see `recorder.py`.
"""

from __future__ import annotations

import http.client
import json
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.parse
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]

# Nothing may be purged (a recording is the whole log), nothing may be asked of the network,
# and a statement may be long: scenarios send their rows as literals.
BASE_SETTINGS = {
    "telemetry.enabled": "false",
    "cairo.wal.purge.interval": "100000000000",
    "http.request.header.buffer.size": "4m",
    "http.send.buffer.size": "1m",
    "config.reload.enabled": "false",
    "query.tracing.enabled": "false",
    "log.level.verbose": "false",
    "metrics.enabled": "false",
    # Small maps: scenarios have many small tables and partitions.
    "cairo.writer.data.append.page.size": "64k",
    "cairo.o3.column.memory.size": "128k",
    "cairo.wal.writer.data.append.page.size": "64k",
    "cairo.wal.writer.event.append.page.size": "32k",
    "shared.worker.count": "2",
    "http.export.connection.limit": "64",
}


class ServerError(Exception):
    """The server refused a statement or a write; `message` is its own text."""

    def __init__(self, message: str, statement: str = ""):
        super().__init__(f"{message} [in: {statement[:300]}]" if statement else message)
        self.message = message


def free_ports(n: int) -> list[int]:
    """`n` different ports of the loopback that nobody listens on right now."""
    sockets = [socket.socket() for _ in range(n)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


class QuestDB:
    """One server process over the directory `root` (its `db` lives in `root/db`)."""

    START_SECONDS = 120

    def __init__(self, version: str, root: Path, settings: dict[str, str] | None = None, heap: str = "1g"):
        self.version = version
        self.root = Path(root)
        self.settings = BASE_SETTINGS | (settings or {})
        self.heap = heap
        # Seconds that a request may take.
        self.patience = 300
        self.process: subprocess.Popen | None = None
        self.port = self.pg_port = self.ilp_port = 0
        self._local = threading.local()

    @property
    def db(self) -> Path:
        """The directory that holds the tables."""
        return self.root / "db"

    def command(self, lib: str) -> list[str]:
        """How the server is started: quickly, since recordings are short."""
        java = ["java", f"-XX:ErrorFile={self.root}/hs_err.log", f"-Xmx{self.heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        return java + ["-p", lib, "-m", "io.questdb/io.questdb.ServerMain", "-d", str(self.root), "-n"]

    # -- life ------------------------------------------------------------------------------------

    def start(self) -> "QuestDB":
        lib = subprocess.run(
            [TOP / "scripts" / "questdb.sh", self.version], check=True, capture_output=True, text=True
        ).stdout.strip()
        self.port, self.pg_port, self.ilp_port, minimal = free_ports(4)
        conf = self.root / "conf"
        conf.mkdir(parents=True, exist_ok=True)
        ports = {
            "http.bind.to": f"127.0.0.1:{self.port}",
            "pg.net.bind.to": f"127.0.0.1:{self.pg_port}",
            "line.tcp.net.bind.to": f"127.0.0.1:{self.ilp_port}",
            "http.min.net.bind.to": f"127.0.0.1:{minimal}",
        }
        text = "".join(f"{k}={v}\n" for k, v in (self.settings | ports).items())
        (conf / "server.conf").write_text(text)
        self.log = open(self.root / "server.log", "ab")
        self.process = subprocess.Popen(
            self.command(lib),
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
        )
        deadline = time.monotonic() + self.START_SECONDS
        while True:
            try:
                self.query("SELECT 1")
                return self
            except (OSError, http.client.HTTPException):
                if self.process.poll() is not None:
                    raise RuntimeError(f"QuestDB ended with {self.process.returncode}:\n{self.log_tail()}")
                if time.monotonic() > deadline:
                    self.kill()
                    raise RuntimeError(f"QuestDB did not answer in time:\n{self.log_tail()}")
                time.sleep(0.1)

    def stop(self) -> None:
        """Asks the server to end, so that it closes and truncates its open segments."""
        if not self.process:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError("QuestDB did not stop within 60 s")
        finally:
            self.process = None
            self.log.close()

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def log_tail(self, n: int = 4000) -> str:
        return (self.root / "server.log").read_text(errors="replace")[-n:]

    def __enter__(self) -> "QuestDB":
        return self.start()

    def __exit__(self, kind, *_):
        if kind:
            self.kill()
        else:
            self.stop()

    # -- HTTP ------------------------------------------------------------------------------------

    def request(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """One request on this thread's own connection."""
        known = getattr(self._local, "connection", None)
        if known and known[0] == self.port:
            connection = known[1]
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.patience)
            self._local.connection = (self.port, connection)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            raise

    def query(self, sql: str) -> list[dict]:
        """Rows of a SELECT by column name; `[]` for any other statement."""
        path = "/exec?" + urllib.parse.urlencode({"query": sql})
        status, body = self.request("GET", path)
        answer = json.loads(body)
        if status != 200 or "error" in answer:
            raise ServerError(answer.get("error", f"HTTP {status}"), sql)
        names = [c["name"] for c in answer.get("columns", [])]
        return [dict(zip(names, row)) for row in answer.get("dataset", [])]

    def export(self, sql: str, out: Path) -> None:
        """Writes the body of `/exp` to `out`: CSV, byte for byte."""
        path = "/exp?" + urllib.parse.urlencode({"query": sql})
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            if response.status != 200 or "csv" not in response.getheader("Content-Type", ""):
                raise ServerError(response.read(500).decode(errors="replace"), sql)
            with open(out, "wb") as file:
                shutil.copyfileobj(response, file, 1 << 20)
        finally:
            connection.close()

    def write(self, lines: str | list[str], precision: str = "u") -> None:
        """ILP over HTTP: one request is one commit per table."""
        text = lines if isinstance(lines, str) else "\n".join(lines) + "\n"
        status, body = self.request("POST", f"/write?precision={precision}", text.encode())
        if status >= 300:
            raise ServerError(body.decode(errors="replace"), text)

    # -- WAL apply -------------------------------------------------------------------------------

    def wal_tables(self, tables: list[str] | None = None) -> dict[str, dict]:
        """What `wal_tables()` says, by table; of all tables, or of the named ones."""
        sql = "SELECT * FROM wal_tables()"
        if tables is not None:
            names = ", ".join("'" + t.replace("'", "''") + "'" for t in tables)
            sql += f" WHERE name IN ({names})"
        return {r["name"]: r for r in self.query(sql)}

    def wait_applied(self, tables: list[str] | None = None, timeout: float = 300) -> dict[str, dict]:
        """Waits until every WAL table (or the named ones) is applied, or suspended; returns their state."""
        deadline = time.monotonic() + timeout
        pause = 0.005
        while True:
            state = self.wal_tables(tables)
            if tables is not None and set(tables) - set(state):
                raise KeyError(f"no such WAL table: {set(tables) - set(state)}")
            if all(r["suspended"] or r["writerTxn"] == r["sequencerTxn"] for r in state.values()):
                return state
            if time.monotonic() > deadline:
                raise RuntimeError(f"not applied in time: {state}")
            time.sleep(pause)
            pause = min(pause * 1.5, 0.1)
