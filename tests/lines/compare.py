#!/usr/bin/env python3
"""The same lines to a real QuestDB and to our node; see README.md."""

from __future__ import annotations

import argparse
import gzip
import http.client
import json
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "record"), str(Path(__file__).parent)]
import edges  # noqa: E402
from questdb import QuestDB, free_ports  # noqa: E402

VERSION = "9.3.4"


class Node:
    """`understudy run` on a directory."""

    def __init__(self, binary: Path, root: Path):
        self.binary, self.root, self.process = binary, root, None
        (self.port,) = free_ports(1)

    def start(self) -> None:
        conf = self.root / "conf"
        conf.mkdir(parents=True, exist_ok=True)
        text = f"http.net.bind.to=127.0.0.1:{self.port}\nhttp.min.enabled=false\ncairo.wal.segment.rollover.row.count=500\ncairo.wal.purge.interval=2s\n"
        (conf / "server.conf").write_text(text)
        self.log = open(self.root / "node.log", "ab")
        self.process = subprocess.Popen([self.binary, "run", "--dir", self.root], stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 60
        while True:
            try:
                if ask(self.port, "GET", "/ping")[0] == 204:
                    return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"no node:\n{(self.root / 'node.log').read_text()[-2000:]}") from None
                time.sleep(0.05)

    def stop(self, how: int = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        code = self.process.wait(90)
        self.log.close()
        return code


def ask(port: int, method: str, path: str, body: bytes | None = None, headers: dict | None = None) -> tuple[int, dict, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
    finally:
        connection.close()


def normal(answer: tuple[int, dict, bytes]) -> tuple[int, str | None, object]:
    """What of an answer has to be equal: the number of an error, and of a table, are each server's own."""
    status, headers, body = answer
    kind = headers.get("content-type")
    try:
        told = json.loads(body)
        told.pop("errorId", None)
        told["message"] = re.sub(r"~\d+", "~N", told["message"])
        # Of a request as a whole the server says line 0, or nothing on its first one.
        if told.get("line") == 0:
            del told["line"]
            told["message"] = told["message"].replace("failed to parse line protocol:errors encountered on line(s):", "")
        return status, kind, told
    except (ValueError, TypeError, KeyError):
        return status, kind, body


class Comparison:
    def __init__(self, real: QuestDB, node: Node):
        self.real, self.node = real, node
        self.sent = self.taken = 0
        self.wrong: list[str] = []

    def send(self, body: bytes, query: str = "", headers: dict | None = None, path: str = "/write") -> None:
        theirs = normal(ask(self.real.port, "POST", path + query, body, headers))
        ours = normal(ask(self.node.port, "POST", path + query, body, headers))
        self.sent += 1
        self.taken += theirs[0] == 204
        if ours != theirs:
            self.wrong.append(f"{body[:300]!r} {query}\n  theirs {theirs}\n  ours   {ours}")

    def differ(self) -> None:
        for body, status in edges.DIFFER:
            answer = ask(self.node.port, "POST", "/write", body)
            if answer[0] != status:
                self.wrong.append(f"{body!r}: {status} expected\n  ours   {normal(answer)}")

    def check(self) -> None:
        if self.wrong:
            print("\n".join(self.wrong[:40]), file=sys.stderr)
            raise SystemExit(f"{len(self.wrong)} of {self.sent} answers differ")
        print(f"{self.sent} requests, {self.taken} of them taken: all answers are equal")


def settled(server: QuestDB) -> None:
    deadline = time.monotonic() + 120
    while True:
        states = server.query("SELECT name, suspended, writerTxn, sequencerTxn FROM wal_tables()")
        suspended = [s["name"] for s in states if s["suspended"]]
        if suspended:
            raise SystemExit(f"suspended: {suspended}\n{server.log_tail()}")
        if all(s["writerTxn"] == s["sequencerTxn"] for s in states):
            return
        if time.monotonic() > deadline:
            raise SystemExit(f"not applied: {[s for s in states if s['writerTxn'] != s['sequencerTxn']]}")
        time.sleep(0.05)


def tables(server: QuestDB) -> list[str]:
    names = [t["table_name"] for t in server.query("SELECT table_name FROM tables()")]
    return sorted(n for n in names if not n.startswith(("sys.", "telemetry", "_query")) and n != "f1")


def rows(server: QuestDB, table: str, designated: str) -> bytes:
    """All rows, but of those with the time at which they came, which is each server's own, only how many there are."""
    came = f"\"{designated}\" BETWEEN dateadd('d', -1, now()) AND dateadd('d', 1, now())"
    (count,) = server.query(f'SELECT count() c FROM "{table}" WHERE {came}')
    return export(server, f'SELECT * FROM "{table}" WHERE NOT ({came})') + f"{count['c']} more\r\n".encode()


def export(server: QuestDB, query: str) -> bytes:
    path = "/exp?" + urllib.parse.urlencode({"query": query})
    status, _, body = ask(server.port, "GET", path)
    assert status == 200, body[:500]
    return body


def compare_tables(real: QuestDB, other: QuestDB, dedup: set[str], without: str = "") -> int:
    settled(real)
    settled(other)
    names = [name for name in tables(real) if name != without]
    if names != tables(other):
        raise SystemExit(f"other tables: {sorted(set(names) ^ set(tables(other)))}")
    many = 0
    for name in names:
        columns = [server.query(f'SHOW COLUMNS FROM "{name}"') for server in (real, other)]
        for side in columns:
            for column in side:
                column.pop("symbolTableSize", None), column.pop("symbolCapacity", None)
        if columns[0] != columns[1]:
            raise SystemExit(f"{name}: other columns\n{columns[0]}\n{columns[1]}")
        designated = next((c["column"] for c in columns[0] if c["designated"]), None)
        if designated is None:
            continue
        theirs, ours = rows(real, name, designated), rows(other, name, designated)
        many += theirs.count(b"\r\n") - 2
        if name in dedup:
            theirs, ours = b"\n".join(sorted(theirs.split(b"\n"))), b"\n".join(sorted(ours.split(b"\n")))
        if theirs != ours:
            pairs = [(a, b) for a, b in zip(theirs.split(b"\r\n"), ours.split(b"\r\n")) if a != b]
            counts = [len(side.splitlines()) for side in (theirs, ours)]
            raise SystemExit(f"{name}: {len(pairs)} lines differ, of {counts}\n{pairs[:3]}")
    print(f"{len(names)} tables, {many} rows: all are equal")
    return many


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--understudy", type=Path, required=True)
    arguments.add_argument("--client", type=Path, help="where QuestDB's client for Python is installed")
    arguments.add_argument("--rust-client", type=Path, help="the program of tests/lines/rust")
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--requests", type=int, default=400)
    given = arguments.parse_args()
    shutil.rmtree(given.out, ignore_errors=True)
    given.out.mkdir(parents=True)
    settings = {"cairo.wal.purge.interval": "2s"}
    with QuestDB(VERSION, given.out / "ours", settings) as server:
        for statement in edges.SCHEMA + edges.EVOLUTION:
            server.query(statement)
        settled(server)
    shutil.copytree(given.out / "ours", given.out / "real")
    real = QuestDB(VERSION, given.out / "real", settings).start()
    node = Node(given.understudy.resolve(), given.out / "ours")
    try:
        run(given, real, node, settings)
        print("  1 passed")
    finally:
        real.kill()
        if node.process and node.process.poll() is None:
            node.process.kill()


def run(given: argparse.Namespace, real: QuestDB, node: Node, settings: dict) -> None:
    node.start()
    for path in ["/settings", "/ping"]:
        assert ask(node.port, "GET", path)[0] == ask(real.port, "GET", path)[0]
    both = Comparison(real, node)
    for body in edges.EDGES:
        both.send(body)
    for precision in ["n", "ns", "u", "us", "ms", "s", "m", "h", "q", ""]:
        both.send(f"p{precision} a=1 1234\n".encode(), f"?precision={precision}")
    both.send(gzip.compress(b"z1 a=1 5\n"), headers={"Content-Encoding": "gzip"})
    both.send(b"z1 a=2 6\n", path="/api/v2/write")
    both.differ()
    rng = random.Random(given.seed)
    kinds = [edges.good, edges.good, edges.typed, edges.typed, edges.broken]
    for n in range(given.requests):
        both.send(rng.choice(kinds)(rng))
        if n == given.requests // 2:
            node.stop(signal.SIGKILL)
            node.start()
    both.check()
    if given.client:
        for version in ["1", "2", "3"]:
            for port in [real.port, node.port]:
                client = [sys.executable, Path(__file__).with_name("client.py"), given.client, str(port), version, str(given.seed)]
                subprocess.run(client, check=True)
        print("rows of the client for Python in versions 1, 2 and 3")
    if given.rust_client:
        for version in ["1", "2", "3"]:
            for port in [real.port, node.port]:
                subprocess.run([given.rust_client, str(port), version, str(given.seed)], check=True)
        print("rows of the client for Rust in versions 1, 2 and 3")
    code = node.stop()
    if code != 0:
        raise SystemExit(f"the node ended with {code}")
    dedup = {"once"}
    other = QuestDB(VERSION, given.out / "ours", settings).start()
    try:
        compare_tables(real, other, dedup)
        # The real server goes on where we stopped.
        more = [edges.good(rng) for _ in range(60)] + [b"evolved a=9i,new=1 1719251200000000000\n", b"e50 a=1,late=2i 1\n"]
        for body in more:
            for server in (real, other):
                status, _, answer = ask(server.port, "POST", "/write", body)
                assert status == 204, answer
        for statement in ["ALTER TABLE r1 ADD COLUMN by_sql INT", "UPDATE typed SET l = 1 WHERE i = 1"]:
            for server in (real, other):
                server.query(statement)
        compare_tables(real, other, dedup)
        other.stop()
        other.start()
        compare_tables(real, other, dedup)
    finally:
        other.kill()
    promoted(given, real, settings, dedup, rng)


def promoted(given: argparse.Namespace, real: QuestDB, settings: dict, dedup: set[str], rng: random.Random) -> None:
    """A directory that a replica kept goes on as a node's own."""
    root = given.out / "promoted"
    real.stop()
    (root / "db").mkdir(parents=True)
    applied = [given.understudy, "apply", given.out / "real" / "db", "--to", root / "db", "--adopt"]
    done = subprocess.run(applied, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"apply: {done.returncode}\n{done.stdout}\n{done.stderr}")
    node = Node(given.understudy.resolve(), root)
    node.start()
    real.start()
    both = Comparison(real, node)
    for _ in range(60):
        both.send(rng.choice([edges.good, edges.typed])(rng))
    both.send(b"evolved a=10i,newer=1 1719251300000000000\n")
    both.send(b"made_by_promoted,s=x a=1 5\n")
    both.check()
    node.stop()
    server = QuestDB(VERSION, root, settings).start()
    try:
        # A replica has no table without a WAL.
        compare_tables(real, server, dedup, without="plain")
    finally:
        server.kill()


if __name__ == "__main__":
    main()
