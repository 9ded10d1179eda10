"""The primary, the stores and the nodes that are measured, and the load on them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
sys.path[:0] = [str(TOP / "tests" / "cluster"), str(TOP / "tests" / "replica"), str(HERE.parent / "apply_vs_questdb")]

import nodes  # noqa: E402
import stores  # noqa: E402
from server import Server  # noqa: E402

# QuestDB's defaults hold, its purge included.
PRIMARY = {"cairo.wal.purge.interval": "30000"}


class Place:
    """A folder with everything of one measurement; leaves nothing running."""

    def __init__(self, options, name: str, store: str, cores: str | None = None, more: dict | None = None):
        self.options = options
        self.work = options.dir / name
        shutil.rmtree(self.work, ignore_errors=True)
        (self.work / "primary").mkdir(parents=True)
        self.store = stores.Store(store, self.work, options.tools)
        self.primary = Server(self.work / "primary", options.questdb, apply=True, cores=cores, heap="1g", extra=PRIMARY | (more or {}))
        self.nodes: list[nodes.Node] = []
        self._proxies = []

    def __enter__(self) -> "Place":
        try:
            self.primary.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        for node in self.nodes:
            node.kill()
        self.primary.kill()
        for proxy in self._proxies:
            proxy.stop()
        with contextlib.suppress(Exception):
            self.store.stop()
        if not self.options.keep:
            shutil.rmtree(self.work, ignore_errors=True)

    def own_proxy(self):
        """Another way to the store, that counts what passes on it: (proxy, connection)."""
        proxy = stores.Proxy(self.store.port)
        self._proxies.append(proxy)
        return proxy, self.store.direct.replace(f"127.0.0.1:{self.store.port}", f"127.0.0.1:{proxy.port}")

    def ship(self, *more: str, cores: str | None = None, connection: str | None = None) -> nodes.Node:
        node = nodes.shipper(self.options.understudy, self.primary.db, connection or self.store.connection, self.work, "ship", list(more), cores)
        self.nodes.append(node.start())
        nodes.wait_founded(node, self.primary.db)
        return node

    def replica(self, name: str, *more: str, cores: str | None = None, connection: str | None = None) -> nodes.Node:
        node = nodes.replica(self.options.understudy, self.work / name, connection or self.store.connection, self.work, name, list(more), cores)
        self.nodes.append(node.start())
        return node

    def end(self, node: nodes.Node) -> None:
        node.finish(120)
        self.nodes.remove(node)

    def load(self, prefix: str, tables: int, rows: int, rate: float, seconds: float, cores: str | None = None) -> "Load":
        return Load(self.options, self.primary.port, prefix, tables, rows, rate, seconds, cores)


class Load:
    """`load.py` at work."""

    def __init__(self, options, port: int, prefix: str, tables: int, rows: int, rate: float, seconds: float, cores: str | None):
        words = [sys.executable, str(HERE / "load.py"), port, prefix, tables, rows, rate, seconds]
        command = (["taskset", "-c", cores] if cores else []) + [str(w) for w in words]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                        env=os.environ | {"PYTHONPATH": str(options.tools / "questdb-client"), "PYTHONWARNINGS": "ignore"})

    def done(self) -> dict:
        out, _ = self.process.communicate()
        if self.process.returncode:
            raise RuntimeError(f"the load ended with {self.process.returncode}")
        return json.loads(out)
