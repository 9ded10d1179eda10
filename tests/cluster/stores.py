"""The five stores, each with the ways in which it can be made to fail here.

| store | 503 | hang | slow | cut |
|---|---|---|---|---|
| SeaweedFS, Azurite, the GCS stand-in | all by the proxy of `faulty.py` | | | |
| HDFS | the NameNode's connections are cut | the cluster is stopped (SIGSTOP) | the NameNode's, by the proxy | the NameNode's, by the proxy |
| a directory | it is renamed away, as a mount that is missing | the same | nothing | renamed away for a moment |
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from faulty import Proxy

SERVERS = Path(__file__).resolve().parents[1] / "stores" / "servers.py"
NAMES = ("fs", "seaweedfs", "azurite", "gcs", "hdfs")


class Store:
    """A store that was started; `connection` is what nodes are given, faults included."""

    def __init__(self, name: str, work: Path, tools: Path):
        self.name = name
        self.run = work / "store"
        self.proxy: Proxy | None = None
        self.connection = self.start(tools)

    def start(self, tools: Path) -> str:
        if self.name == "fs":
            self.run.mkdir(parents=True)
            return f"fs::root={self.run};"
        subprocess.run([sys.executable, SERVERS, "start", tools / "stores", self.run, self.name], check=True)
        started = json.loads((self.run / "stores.json").read_text())[0]
        self.proxy = Proxy(started["port"])
        self.port, self.direct = started["port"], started["connection"]
        return self.direct.replace(f"127.0.0.1:{started['port']}", f"127.0.0.1:{self.proxy.port}")

    def mode(self, mode: str) -> None:
        """pass, 503, hang, slow or cut; as far as this store can."""
        if self.name == "fs":
            away = self.run.with_name("store-away")
            if mode in ("503", "hang", "cut") and not away.exists():
                self.run.rename(away)
            elif mode in ("pass", "slow") and away.exists():
                away.rename(self.run)
        elif self.name == "hdfs":
            os.kill(self.pid(), signal.SIGSTOP if mode == "hang" else signal.SIGCONT)
            self.proxy.mode("pass" if mode == "hang" else mode)
        else:
            self.proxy.mode(mode)

    def pid(self) -> int:
        return json.loads((self.run / "pids.json").read_text())[self.name]

    def stop(self) -> None:
        if self.proxy:
            self.proxy.stop()
            subprocess.run([sys.executable, SERVERS, "stop", self.run], check=True)
        for folder in (self.run, self.run.with_name("store-away")):
            shutil.rmtree(folder, ignore_errors=True)
