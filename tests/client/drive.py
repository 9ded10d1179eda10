#!/usr/bin/env python3
"""`understudy send` against a real QuestDB 9.3.4: what arrives, and what becomes of it when servers and senders die.

    drive.py --understudy target/debug/understudy --out target/client [SCENARIO]...
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "record")]

import questdb  # noqa: E402
from questdb import QuestDB, ServerError, free_ports  # noqa: E402

SCENARIOS = {}
START_US = 1_767_225_600_000_000


def scenario(function):
    SCENARIOS[function.__name__] = function
    return function


class Failed(Exception):
    """A scenario did not go as it should."""


def check(fact: bool, what: str) -> None:
    if not fact:
        raise Failed(what)


class Server(QuestDB):
    """A server that keeps its ports over restarts."""

    def __init__(self, root: Path, settings: dict[str, str] | None = None):
        super().__init__("9.3.4", root, settings)
        self.ports = free_ports(4)

    def start(self) -> "Server":
        before = questdb.free_ports
        questdb.free_ports = lambda n: self.ports[:n]
        try:
            return super().start()
        finally:
            questdb.free_ports = before

    def request(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        user, password = (self.settings.get(f"http.{key}") for key in ("user", "password"))
        if not user:
            return super().request(method, path, body)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            login = base64.b64encode(f"{user}:{password}".encode()).decode()
            connection.request(method, path, body, {"Authorization": f"Basic {login}"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def wait_rows(self, least: int, table: str = "rows") -> None:
        deadline = time.monotonic() + 60
        while self.query(f"SELECT count() n FROM {table}")[0]["n"] < least:
            check(time.monotonic() < deadline, f"{least} rows in {table}")
            time.sleep(0.1)

    def rows(self, table: str = "rows") -> tuple[int, int, int]:
        """Rows, different ids and their sum, once the log is applied."""
        self.wait_applied([table], timeout=60)
        (row,) = self.query(f"SELECT count() n, count_distinct(id) d, sum(id) s FROM {table}")
        return row["n"], row["d"], row["s"] or 0


class Bench:
    def __init__(self, understudy: Path, out: Path):
        self.understudy, self.out = understudy, out

    def server(self, name: str, **settings: str) -> Server:
        return Server(self.out / name, {key.replace("_", "."): value for key, value in settings.items()})

    def start(self, conf: str, *args: str, text: bytes | None = None) -> subprocess.Popen:
        """Begins to send; with `text` all of it is put in, without it the caller writes to stdin."""
        command = [self.understudy, "send", "--json", "--conf", conf, *args]
        log = open(self.out / "send.log", "ab")
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        if text is not None:
            process.stdin.write(text)
            process.stdin.close()
            process.stdin = None
        return process

    def send(self, conf: str, *args: str, text: bytes = b"", exit: int = 0) -> dict:
        process = self.start(conf, *args, text=text)
        return self.end(process, exit)

    def end(self, process: subprocess.Popen, exit: int = 0) -> dict:
        out, _ = process.communicate(timeout=180)
        check(process.returncode == exit, f"exit {process.returncode}, not {exit}: {out[-2000:].decode()}")
        return json.loads(out)


def lines(first: int, end: int, table: str = "rows") -> bytes:
    """Rows first .. end, each with an id and a time of its own."""
    row = "{t},kind=k{k} id={i}i,price={p},note=\"row {i}\" {at}\n"
    return "".join(
        row.format(t=table, k=i % 7, i=i, p=i / 8, at=(START_US + i * 1000) * 1000) for i in range(first, end)
    ).encode()


def dedup(server: Server, table: str = "rows") -> None:
    server.query(
        f"CREATE TABLE {table} (kind SYMBOL, id LONG, price DOUBLE, note VARCHAR, timestamp TIMESTAMP)"
        " TIMESTAMP(timestamp) PARTITION BY DAY WAL DEDUP UPSERT KEYS(timestamp, id)"
    )


def expected(n: int) -> tuple[int, int, int]:
    return n, n, n * (n - 1) // 2


@scenario
def rows_arrive(bench: Bench) -> str:
    with bench.server("arrive") as server:
        n = 300_000
        path = bench.out / "rows.ilp"
        path.write_bytes(lines(0, n))
        report = bench.send(f"http::addr=127.0.0.1:{server.port};", str(path))
        check(report["rows_acknowledged"] == n, f"{report['rows_acknowledged']} of {n} acknowledged")
        check(server.rows() == expected(n), f"{server.rows('rows')}")
        note = server.query("SELECT note, kind, price FROM rows WHERE id = 12345")
        check(note == [{"note": "row 12345", "kind": "k4", "price": 12345 / 8}], str(note))
        return f"{n} rows in {report['counters']['frames_appended']} frames, {report['seconds']} s"


@scenario
def a_restart_of_the_server_loses_and_doubles_nothing(bench: Bench) -> str:
    server = bench.server("restart").start()
    try:
        dedup(server)
        conf = f"http::addr=127.0.0.1:{server.port};auto_flush_rows=200;reconnect_max_backoff_millis=500;"
        n, process, down = 60_000, bench.start(conf), False
        for first in range(0, n, 1000):
            process.stdin.write(lines(first, first + 1000))
            process.stdin.flush()
            if down:  # These rows found nobody: whoever has nothing to send notices no outage.
                time.sleep(1)
                server.start()
            down = first in (20_000, 40_000)
            if down:
                server.wait_rows(first - 10_000)  # More than it had at the last kill: the sender is back.
                server.kill()
        report = bench.end(process)
        check(report["rows_acknowledged"] == n, f"{report['rows_acknowledged']} of {n} acknowledged")
        check(server.rows() == expected(n), f"{server.rows('rows')}, not {expected(n)}")
        windows = [(w["until_us"] - w["from_us"]) // 1000 for w in report["windows"]]
        check(len(windows) >= 2, f"two outages, not {windows}")
        again = report["counters"]["total_frames_replayed"]
        return f"{n} rows, outages of {windows} ms as the client saw them, {again} frames sent again"
    finally:
        server.kill()


@scenario
def a_slot_bridges_a_server_that_is_not_there(bench: Bench) -> str:
    server, slot = bench.server("later"), bench.out / "slots"
    conf = f"http::addr=127.0.0.1:{server.ports[0]};initial_connect_retry=async;auto_flush_rows=1000;"
    report = bench.send(conf + "close_flush_timeout_millis=0;", "--sf-dir", str(slot), text=lines(0, 5000), exit=1)
    check(report["frames_waiting"] == 5 and report["rows_acknowledged"] == 0, str(report))
    with server:
        dedup(server)
        report = bench.send(conf, "--sf-dir", str(slot), text=lines(5000, 6000))
        check(report["frames_recovered"] == 5 and report["frames_waiting"] == 0, str(report))
        check(server.rows() == expected(6000), str(server.rows()))
    left = sorted(path.name for path in (slot / "default").iterdir())
    check(left == [".lock", ".lock.pid"], f"an empty slot, not {left}")
    return "5,000 rows of one process, 1,000 of the next"


@scenario
def a_sender_that_is_killed_is_continued(bench: Bench) -> str:
    """Each sender is killed at some moment; its producer starts over with the rows that it had not seen acknowledged."""
    slot, found = bench.out / "slots", []
    with bench.server("server") as server:
        dedup(server)
        conf = (
            f"http::addr=127.0.0.1:{server.port};auto_flush_rows=50;sf_max_segment_bytes=64k;"
            "initial_connect_retry=async;reconnect_max_backoff_millis=500;"
        )
        rounds, step = 6, 4000
        for round in range(rounds):
            if round == 3:
                # An outage, so that the slot fills.
                server.kill()
            rows = lines(round * step, (round + 1) * step)
            process = bench.start(conf, "--sf-dir", str(slot))
            try:
                for at in range(0, len(rows), 1 << 14):
                    process.stdin.write(rows[at : at + (1 << 14)])
                    process.stdin.flush()
            finally:
                time.sleep(0.05 * round)
                process.kill()
                process.wait()
            if round == 3:
                server.start()
            report = bench.send(conf, "--sf-dir", str(slot), text=rows)
            found.append(report["frames_recovered"])
        n = rounds * step
        check(server.rows() == expected(n), f"{server.rows()}, not {expected(n)}")
        check(found[3] > 0, f"frames were left in the slot: {found}")
    return f"{n} rows over {rounds} kills; frames found in the slot: {found}"


@scenario
def orphans_are_adopted(bench: Bench) -> str:
    server, slot = bench.server("orphans"), bench.out / "orphans-slots"
    conf = f"http::addr=127.0.0.1:{server.ports[0]};initial_connect_retry=async;auto_flush_rows=100;"
    for number in range(6):
        text = lines(number * 1000, number * 1000 + 1000)
        bench.send(conf + f"close_flush_timeout_millis=0;sender_id=dead-{number};", "--sf-dir", str(slot), text=text, exit=1)
    # One of which nobody can know whether it is whole.
    (slot / "dead-5" / "sf-manifest.bin").unlink()
    with server:
        dedup(server)
        report = bench.send(conf + "sender_id=alive;drain_orphans=on;", "--sf-dir", str(slot), text=lines(5000, 5100))
        counters = report["counters"]
        check(counters["total_background_drainers_succeeded"] == 5, str(counters))
        check(counters["total_background_drainers_failed"] == 1, str(counters))
        check(server.rows() == expected(5100), str(server.rows()))
        check((slot / "dead-5" / ".failed").exists(), "a sentinel")
        report = bench.send(conf + "sender_id=alive;drain_orphans=on;", "--sf-dir", str(slot))
        check(report["counters"]["total_background_drainers_failed"] == 0, "not tried again")
    return "five drained, one given up with a sentinel"


@scenario
def a_bad_line_stops_and_keeps_what_follows(bench: Bench) -> str:
    with bench.server("bad") as server:
        dedup(server)
        conf = f"http::addr=127.0.0.1:{server.port};auto_flush_rows=10;"
        text = lines(0, 20) + b'rows id="no number" 1767225600000000000\n' + lines(21, 40)
        report = bench.send(conf, "--sf-dir", str(bench.out / "bad-slot"), text=text, exit=1)
        check("cast error" in report["error"] and report["frames_waiting"] >= 1, str(report["error"]))
        check(report["counters"]["last_terminal_error"]["category"] == "PARSE_ERROR", str(report["counters"]))
        check(server.rows()[0] == 20, str(server.rows()))
        again = bench.send(conf, "--sf-dir", str(bench.out / "bad-slot"), exit=1)
        check(again["frames_recovered"] == report["frames_waiting"], "it blocks the slot, as documented")
        return report["error"][:120]


@scenario
def a_read_only_server_is_passed_over(bench: Bench) -> str:
    # Made by one that is not read-only, since the other one makes nothing.
    with bench.server("readonly"):
        pass
    with bench.server("readonly", readonly="true") as replica, bench.server("primary") as primary:
        dedup(primary)
        conf = f"http::addr=127.0.0.1:{replica.port},127.0.0.1:{primary.port};"
        report = bench.send(conf, text=lines(0, 1000))
        states = [host["state"] for host in report["hosts"]]
        check(states == ["TopologyReject", "Healthy"], str(states))
        check(primary.rows() == expected(1000), str(primary.rows()))
        alone = bench.send(f"http::addr=127.0.0.1:{replica.port};", text=lines(0, 10), exit=1)
        check("role" in alone["error"], alone["error"])
        return "first host read-only, rows on the second"


@scenario
def credentials_are_final(bench: Bench) -> str:
    settings = {"http_user": "sender", "http_password": "s;cret"}
    with bench.server("login", **settings) as server, bench.server("open") as other:
        hosts = f"127.0.0.1:{server.port},127.0.0.1:{other.port}"
        refused = bench.send(f"http::addr={hosts};username=sender;password=wrong;", text=lines(0, 10), exit=1)
        check(refused["counters"]["last_terminal_error"]["category"] == "SECURITY_ERROR", str(refused["counters"]))
        check(refused["hosts"][1]["state"] == "Unknown", "the second host is never asked")
        bench.send(f"http::addr={hosts};username=sender;password=s;;cret;", text=lines(0, 10))
        log = (bench.out / "send.log").read_text()
        check("s;cret" not in log and "wrong" not in log, "a password in the log")
        return "wrong ones stop, right ones write"


@scenario
def durable_acknowledgement_is_refused_where_it_is_not_offered(bench: Bench) -> str:
    with bench.server("durable") as server:
        report = bench.send(f"http::addr=127.0.0.1:{server.port};", "--durable", text=lines(0, 10), exit=1)
        check("does not offer durable acknowledgement" in report["error"], report["error"])
        return "stops at the first connection"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--understudy", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("scenarios", nargs="*")
    args = parser.parse_args()
    # A login of the machine's is none of the tests'.
    os.environ.pop("QDB_CLIENT_CONF", None)
    failed = 0
    for name in args.scenarios or SCENARIOS:
        out = args.out.resolve() / name
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        began = time.monotonic()
        try:
            told = SCENARIOS[name](Bench(args.understudy.resolve(), out))
        except (Failed, ServerError, RuntimeError, OSError, subprocess.SubprocessError, json.JSONDecodeError) as error:
            failed += 1
            print(f"FAILED {name}: {error}\n{(out / 'send.log').read_text()[-3000:] if (out / 'send.log').exists() else ''}", flush=True)
            continue
        print(f"ok {name} ({time.monotonic() - began:.0f} s): {told}", flush=True)
    print(f"  {len(args.scenarios or SCENARIOS) - failed} passed")
    if failed:
        print(f"  {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
