"""A QuestDB server with its own defaults, as its users run it, on chosen cores."""

from __future__ import annotations

import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "record"))

import questdb  # noqa: E402  (the recorder's client)
from questdb import ServerError  # noqa: E402, F401

# Only what a benchmark needs: nothing is asked of the network, no WAL disappears, statements may take long.
SETTINGS = {
    "telemetry.enabled": "false",
    "cairo.wal.purge.interval": "100000000000",
    "config.reload.enabled": "false",
    "query.timeout": "36000s",
    "http.request.header.buffer.size": "1m",
    "cairo.commit.mode": "nosync",
}


class Server(questdb.QuestDB):
    """`apply` says whether WAL is applied; `cores` is a list for taskset, or None."""

    START_SECONDS = 600

    def __init__(self, root: Path, version: str, apply: bool, cores: str | None, heap: str = "2g", extra: dict | None = None):
        super().__init__(version, root, heap=heap)
        # Not the recorder's settings: its small maps would slow the server down.
        self.settings = SETTINGS | {"cairo.wal.apply.enabled": str(apply).lower()} | (extra or {})
        self.cores = cores

    def command(self, lib: str) -> list[str]:
        taskset = ["taskset", "-c", self.cores] if self.cores else []
        java = ["java", f"-XX:ErrorFile={self.root}/hs_err.log", f"-Xmx{self.heap}", "-XX:+UseParallelGC"]
        return taskset + java + ["-p", lib, "-m", "io.questdb/io.questdb.ServerMain", "-d", str(self.root), "-n"]

    @property
    def pid(self) -> int:
        # taskset becomes the program that it starts, so the process is the server's.
        return self.process.pid

    def position(self, table: str) -> tuple[int, int, bool]:
        """(applied, sequenced, suspended) of a table."""
        row = self.wal_tables([table])[table]
        return int(row["writerTxn"]), int(row["sequencerTxn"]), bool(row["suspended"])
