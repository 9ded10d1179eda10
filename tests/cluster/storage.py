#!/usr/bin/env python3
"""Storage policies enforced by three replicas of a real QuestDB, each on its own schedule: see README.md.

    python3 tests/cluster/storage.py --understudy target/debug/understudy --out target/storage
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), *(str(HERE.parent / d) for d in ("record", "replica"))]

import nodes  # noqa: E402
from questdb import QuestDB  # noqa: E402

FIRST, DAYS, ROWS = datetime(2026, 3, 1), 12, 4000
# How each instance goes about it: check interval, workers.
SCHEDULES = {"a": ("500ms", 2), "b": ("3s", 1), "c": ("1s", 0)}
KILLS = 5
# Of one instance, in bytes: all that it ever needs, and no more than is filled at once.
DISK = 256 << 20
DEDUP = {"trades": "", "ticks": "DEDUP UPSERT KEYS(ts, sym)"}
TABLES = list(DEDUP)
COLUMNS = "ts TIMESTAMP, sym SYMBOL, side SYMBOL INDEX, price DOUBLE, size LONG, note VARCHAR, old STRING, id UUID"


class Run:
    """A primary, a shipper and three replicas, on a directory as the store."""

    def __init__(self, understudy: Path, work: Path, seed: int):
        self.understudy, self.work, self.random = understudy, work, random.Random(seed)
        print(f"seed {seed}", flush=True)
        (work / "primary").mkdir()
        (work / "bucket").mkdir()
        self.primary = QuestDB("9.3.4", work / "primary")
        self.store = f"fs::root={work / 'bucket'};"
        self.ship = nodes.shipper(understudy, self.primary.db, self.store, work, more=["--window", "50"])
        self.replicas, self.mounts = {}, {}
        (work / "b").mkdir()
        # A disk of its own, which can be filled.
        self.mount(work / "b", f"size={DISK}")
        for name, (interval, workers) in SCHEDULES.items():
            self.replicas[name] = nodes.replica(understudy, work / name, self.store, work, name, ["--poll", "100"])
            self.configure(name, interval, workers)

    def configure(self, name: str, interval: str, workers: int) -> None:
        conf = self.work / name / "conf"
        conf.mkdir(exist_ok=True)
        lines = {"check.interval": interval, "worker.count": workers, "retry.interval": "500ms", "max.reschedule.count": 3}
        (conf / "server.conf").write_text("".join(f"storage.policy.{key}={value}\n" for key, value in lines.items()))

    def mount(self, where: Path, options: str) -> bool:
        """Puts an empty file system there, where this process may."""
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(where)], capture_output=True)
        if done.returncode == 0:
            self.mounts[where.name] = where
        return done.returncode == 0

    def unmount(self, where: Path) -> None:
        subprocess.run(["umount", "--lazy", str(where)], check=True)
        del self.mounts[where.name]

    # -- what is asked ---------------------------------------------------------------------------

    def command(self, *words: str, bucket: bool = True) -> subprocess.CompletedProcess:
        store = {"QDB_REPLICATION_OBJECT_STORE": self.store} if bucket else {}
        return subprocess.run([str(self.understudy), *words], capture_output=True, text=True, timeout=120, env=os.environ | store)

    def policy(self, *words: str) -> None:
        done = self.command("policy", *words[:1], "--to", self.store, *words[1:])
        assert done.returncode == 0, f"policy {words}: {done.stdout}{done.stderr}\n{self.ship.tail()}"

    def status(self, target: str) -> dict:
        done = self.command("status", target, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def dir_of(self, table: str) -> str:
        return self.primary.query(f"SELECT directoryName FROM tables() WHERE table_name = '{table}'")[0]["directoryName"]

    def journal(self, name: str) -> list[dict]:
        """All that an instance told, in order."""
        for path in (self.work / "bucket" / "nodes").glob("*.json"):
            if json.loads(path.read_text())["name"] == name:
                objects = sorted(path.with_suffix("").glob("*.journal"))
                return [entry for each in objects for entry in json.loads(each.read_text())["entries"]]
        return []

    def forms(self, name: str, table: str) -> dict[str, str]:
        """How an instance stores a table's partitions, as its journal tells; without those that it dropped."""
        forms: dict[str, str] = {}
        for entry in self.journal(name):
            if entry["what"] == "partitions" and entry["table"] == table:
                forms |= {p["name"]: p.get("form", "native") for p in entry["partitions"]}
        return dict(sorted((day, form) for day, form in forms.items() if form != "dropped"))

    def steps(self, name: str, table: str) -> list[tuple]:
        told = (e for e in self.journal(name) if e["what"] == "policy_step" and e["table"] == table)
        return [(e.get("partition"), e["step"], e.get("task"), e.get("text")) for e in told]

    def until(self, what: str, condition, seconds: float = 60):
        end = time.monotonic() + seconds
        while not (found := condition()):
            for node in self.replicas.values():
                if node.process:
                    node.running()
            if time.monotonic() > end:
                tails = "\n".join(f"{node.name}: {node.tail()}" for node in self.replicas.values())
                raise AssertionError(f"{what}: not within {seconds:.0f} s\n{tails}")
            time.sleep(0.2)
        return found

    def until_forms(self, names: str, table: str, want: dict[str, str]) -> None:
        def reached():
            return all(self.forms(name, table) == want for name in names)

        try:
            self.until(f"forms of {table}", reached)
        except AssertionError as error:
            raise AssertionError(f"{error}\nwant {want}\n" + "\n".join(f"{n}: {self.forms(n, table)}" for n in names)) from None

    def days(self, **forms: range) -> dict[str, str]:
        """Names of partitions with their forms: by form, the days counted from the first."""
        named = ((f"{FIRST + timedelta(days=day):%Y-%m-%d}", form) for form, days in forms.items() for day in days)
        return dict(sorted(named))

    def level(self, names: str) -> None:
        self.primary.wait_applied(TABLES)
        dirs = [self.dir_of(table) for table in TABLES]
        nodes.wait_level(self.primary.db, dirs, {self.replicas[n]: self.work / n / "db" for n in names}, 60)

    def parquet_files(self) -> set[Path]:
        """Partitions' files in the bucket."""
        return {path for path in (self.work / "bucket" / "blob").glob("*/*") if path.read_bytes()[:4] == b"PAR1"}

    def equal(self, names: str, *tables: str) -> None:
        """`diff` finds each replica's rows to be the primary's."""
        only = [word for table in tables for word in ("--table", table)]
        for name in names:
            done = self.command("diff", str(self.primary.db), str(self.work / name / "db"), *only)
            assert done.returncode == 0, f"{name}: diff ended with {done.returncode}\n{done.stdout}{done.stderr}"

    # -- what happens ----------------------------------------------------------------------------

    def insert(self, table: str, first: int, days: int, rows: int, at: str = "0") -> None:
        """Rows spread evenly over some days, `at` being added to their timestamps."""
        start = FIRST + timedelta(days=first)
        step = days * 86_400_000_000 // rows
        self.primary.query(
            f"INSERT INTO {table} SELECT ('{start.isoformat()}Z'::TIMESTAMP::LONG + x * {step} - {step} + {at})::TIMESTAMP,"
            " 's' || (x % 50), CASE WHEN x % 3 = 0 THEN 'buy' WHEN x % 3 = 1 THEN 'sell' END, x * 0.25, x,"
            " CASE WHEN x % 5 > 0 THEN 'a note of some length ' || x END, CASE WHEN x % 7 > 0 THEN 'o' || x END, rnd_uuid4()"
            f" FROM long_sequence({rows})"
        )

    def run(self) -> str:
        begun = time.monotonic()
        self.primary.start()
        for table in TABLES:
            self.primary.query(f"CREATE TABLE {table} ({COLUMNS}) TIMESTAMP(ts) PARTITION BY DAY WAL {DEDUP[table]}")
            self.insert(table, 0, DAYS, ROWS * DAYS)
        nodes.wait_founded(self.ship.start(), self.primary.db)
        for node in self.replicas.values():
            node.start()
        self.level("abc")
        phases = [self.differ, self.converge, self.late_rows, self.wishes, self.full_disk, self.killed, self.drop, self.damaged]
        for phase in [*phases, self.refusing_bucket, self.remote, self.remote_changes]:
            since = time.monotonic()
            phase()
            print(f"{phase.__name__}: {time.monotonic() - since:.1f} s", flush=True)
        for node in [self.ship, *self.replicas.values()]:
            node.finish()
        self.primary.stop()
        return f"three replicas with schedules of their own came to the same states; {time.monotonic() - begun:.0f} s"

    def differ(self) -> None:
        """Two instances convert, the one without workers does not."""
        trades = self.dir_of("trades")
        self.policy("set", "trades", "TO PARQUET 2d")
        # The last row is in the last day: what ended two days before it is old.
        self.want = self.days(parquet=range(DAYS - 3), native=range(DAYS - 3, DAYS))
        self.until_forms("ab", trades, self.want)
        self.until_forms("c", trades, self.days(native=range(DAYS)))
        told = self.until("c tells why", lambda: [s for s in self.steps("c", trades) if s[1] == "defined"])
        assert "worker.count is 0" in told[-1][3], told
        status = self.status(self.store)
        assert [t["formsDiffer"] for t in status["tables"] if t["directory"] == trades] == [DAYS - 3], status
        assert not status["converged"] and f"{DAYS - 3} partitions are stored in different forms" in status["summary"], status
        done = [s for s in self.steps("a", trades) if s[1:3] == ("done", "PARQUET_COMMIT")]
        assert len(done) == DAYS - 3, done
        assert set(self.forms("a", trades).values()) == {"parquet", "native"}
        self.equal("abc")

    def converge(self) -> None:
        """The third one gets workers."""
        trades = self.dir_of("trades")
        self.replicas["c"].finish()
        self.configure("c", "1s", 1)
        self.replicas["c"].start()
        self.until_forms("abc", trades, self.want)
        self.equal("abc")
        self.until("the cluster has converged", lambda: self.status(self.store)["converged"])
        stored = next(t for t in self.status(str(self.work / "a" / "db"))["tables"] if t["directory"] == trades)["stored"]
        assert (stored["here"], stored["parquet"], stored["standing"]) == (DAYS, DAYS - 3, "active"), stored

    def late_rows(self) -> None:
        """Rows for days that are Parquet files: native for a moment, and files again."""
        trades = self.dir_of("trades")
        before = {name: len(self.steps(name, trades)) for name in "abc"}
        self.insert("trades", 1, 2, 300, "17")
        self.level("abc")
        for name in "abc":
            done = {f"{FIRST + timedelta(days=day):%Y-%m-%d}" for day in (1, 2)}
            again = lambda: {s[0] for s in self.steps(name, trades)[before[name]:] if s[1:3] == ("done", "PARQUET_COMMIT")}  # noqa: B023
            self.until("late rows are converted", lambda: again() >= done)  # noqa: B023
        self.until_forms("abc", trades, self.want)
        self.equal("abc")

    def wishes(self) -> None:
        """CONVERT PARTITION in the log is followed without a policy."""
        ticks = self.dir_of("ticks")
        day = f"{FIRST + timedelta(days=3):%Y-%m-%d}"
        self.primary.query(f"ALTER TABLE ticks CONVERT PARTITION TO PARQUET LIST '{day}'")
        want = self.days(native=range(DAYS)) | {day: "parquet"}
        self.until_forms("abc", ticks, want)
        self.equal("abc")
        self.primary.query(f"ALTER TABLE ticks CONVERT PARTITION TO NATIVE LIST '{day}'")
        self.until_forms("abc", ticks, self.days(native=range(DAYS)))

    def full_disk(self) -> None:
        """An instance without room for the file gives up, says so, has lost nothing, and goes on once there is room."""
        if "b" not in self.mounts:
            return print("full_disk: skipped, nothing can be mounted here", flush=True)
        ticks, filler = self.dir_of("ticks"), self.work / "b" / "filler"
        with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
            while file.write(bytes(4096)) == 4096:
                pass
        # Room for what is small, and for no partition's file.
        os.truncate(filler, max(filler.stat().st_size - (32 << 10), 0))
        self.policy("set", "ticks", "TO PARQUET 2d")
        self.want = self.days(parquet=range(DAYS - 3), native=range(DAYS - 3, DAYS))
        self.until_forms("ac", ticks, self.want)
        errors = self.until("b gives up", lambda: [e for e in self.journal("b") if e["what"] == "error" and ticks in e.get("table", "")])
        assert all("PARQUET_CONVERSION was given up" in e["text"] and "No space left" in e["text"] for e in errors), errors
        self.until_forms("b", ticks, self.days(native=range(DAYS)))
        self.equal("b", "ticks")
        filler.unlink()
        # Another policy: what was given up is tried again.
        self.policy("set", "ticks", "TO PARQUET 2d, DROP LOCAL 30d")
        self.until_forms("abc", ticks, self.want)
        self.until("that is told", lambda: len([e for e in self.journal("b") if e["what"] == "recovered"]) >= 1)

    def killed(self) -> None:
        """An instance that is killed again and again while it converts goes on each time."""
        ticks = self.dir_of("ticks")
        self.policy("set", "ticks", "TO PARQUET 1d")
        for _ in range(KILLS):
            time.sleep(self.random.uniform(0.2, 1.2))
            self.replicas["b"].kill()
            self.replicas["b"].start()
        want = self.days(parquet=range(DAYS - 2), native=range(DAYS - 2, DAYS))
        self.until_forms("abc", ticks, want)
        self.equal("abc")

    def drop(self) -> None:
        """Old days go, the others are as they were; the primary keeps all."""
        trades = self.dir_of("trades")
        self.policy("set", "trades", "TO PARQUET 2d, DROP LOCAL 6d")
        want = self.days(parquet=range(DAYS - 7, DAYS - 3), native=range(DAYS - 3, DAYS))
        self.until_forms("abc", trades, want)
        # The digest is of all rows: these can't be compared, and that is no difference.
        self.insert("trades", DAYS - 1, 1, 10, "23")
        self.level("abc")
        self.until("a says so", lambda: "not comparable with the primary's digest since 5 partitions" in self.replicas["a"].tail(100_000), 30)
        errors = [e for name in "abc" for e in self.journal(name) if e["what"] == "error" and trades in e.get("table", trades)]
        assert not errors, errors

    def damaged(self) -> None:
        """Files that can't be read or are gone: nothing goes into the bucket or is dropped; that is told, and over once they can be read."""
        trades = self.dir_of("trades")
        days = [f"{FIRST + timedelta(days=DAYS - back):%Y-%m-%d}" for back in (5, 6)]
        [file], [gone] = ([*(self.work / "c" / "db" / trades).glob(f"{day}*/data.parquet")] for day in days)
        whole = file.read_bytes()
        file.write_bytes(whole[:100] + bytes(len(whole) - 200) + whole[-100:])
        away = gone.rename(self.work / "c" / "gone.parquet")
        self.policy("set", "trades", "TO REMOTE 2d, DROP LOCAL 6d")
        errors = lambda: {e["table"]: e["text"] for e in self.journal("c") if e["what"] == "error" and trades in e.get("table", "")}  # noqa: E731
        told = self.until("c gives up", lambda: len(found := errors()) == 2 and found)
        for day in days:
            text = told[f"{trades}/{day}"]
            assert "REMOTE_UPLOAD was given up" in text and "data.parquet" in text, told
            assert self.forms("c", trades)[day] == "parquet"
        self.until("the others are in the bucket", lambda: len([s for s in self.steps("c", trades) if s[1:3] == ("done", "REMOTE_UPLOAD")]) >= 2)
        file.write_bytes(whole)
        away.rename(gone)
        self.policy("set", "trades", "TO REMOTE 2d, DROP LOCAL 7d")
        for day in days:
            self.until("c goes on", lambda: (day, "done", "REMOTE_UPLOAD", None) in self.steps("c", trades))  # noqa: B023
        assert len([e for e in self.journal("c") if e["what"] == "recovered"]) >= 2

    def refusing_bucket(self) -> None:
        """As long as the bucket takes no partition, none is dropped."""
        blobs = self.work / "bucket" / "blob"
        if not self.mount(blobs, "ro"):
            return print("refusing_bucket: skipped, nothing can be mounted here", flush=True)
        ticks, before = self.dir_of("ticks"), {name: len(self.journal(name)) for name in "abc"}
        self.policy("set", "ticks", "TO PARQUET 1d, TO REMOTE 2d, DROP LOCAL 5d")
        errors = lambda name: [e for e in self.journal(name)[before[name]:] if e["what"] == "error"]  # noqa: E731
        for name in "abc":
            told = self.until(f"{name} gives up", lambda: errors(name))  # noqa: B023
            assert all("REMOTE_UPLOAD was given up" in e["text"] and "Read-only file system" in e["text"] for e in told), told
        # Time enough for all checks to drop what they wanted to.
        time.sleep(3)
        self.until_forms("abc", ticks, self.days(parquet=range(DAYS - 2), native=range(DAYS - 2, DAYS)))
        self.unmount(blobs)
        self.equal("abc", "ticks")

    def remote(self) -> None:
        """Days go into the bucket, each once, and from there they are read."""
        ticks, files = self.dir_of("ticks"), self.parquet_files()
        self.policy("set", "ticks", "TO PARQUET 1d, TO REMOTE 2d, DROP LOCAL 4d")
        self.want = self.days(remote=range(DAYS - 5), parquet=range(DAYS - 5, DAYS - 2), native=range(DAYS - 2, DAYS))
        for _ in range(KILLS):
            time.sleep(self.random.uniform(0.2, 1.0))
            self.replicas["b"].kill()
            self.replicas["b"].start()
        self.until_forms("abc", ticks, self.want)
        before, files = files, self.parquet_files()
        assert len(files - before) == DAYS - 3, files
        self.equal("abc", "ticks")
        replayed = self.command("replay", str(self.work / "a" / "db"), "--table", "ticks")
        rows = self.primary.query("SELECT count() n FROM ticks")[0]["n"]
        assert replayed.returncode == 0 and replayed.stdout.count("\n") == rows + 1, replayed.stderr
        done = self.command("diff", str(self.primary.db), str(self.work / "a" / "db"), "--table", "ticks", bucket=False)
        said = done.stdout + done.stderr
        assert done.returncode != 0 and "is in the bucket alone: no bucket is known" in said, said

    def remote_changes(self) -> None:
        """What is done to a table counts for its days in the bucket, too."""
        ticks = self.dir_of("ticks")
        for change in ("ADD COLUMN more INT", "RENAME COLUMN note TO remark", "DROP COLUMN old", "ALTER COLUMN size TYPE DOUBLE",
                       "ALTER COLUMN side TYPE VARCHAR"):
            self.primary.query(f"ALTER TABLE ticks {change}")
        self.level("abc")
        self.equal("abc", "ticks")
        # QuestDB 9.3.4 does not stand Parquet partitions behind a dropped column: they are native again, and that is told.
        self.want |= self.days(native=range(DAYS - 5, DAYS))
        told = lambda name: [s for s in self.steps(name, ticks) if s[1] == "given_up" and "QuestDB 9.3.4" in s[3]]  # noqa: E731
        for name in "abc":
            self.until("the conversion is given up", lambda: len(told(name)) >= 3)  # noqa: B023
        # Late rows, of which some take the place of others, and some are new.
        day = f"{FIRST + timedelta(days=2):%Y-%m-%d}"
        self.primary.query(f"INSERT INTO ticks (ts, sym, price, more) SELECT ts, sym, price + 1, 7 FROM ticks WHERE ts IN '{day}' LIMIT 100")
        self.primary.query(f"INSERT INTO ticks (ts, sym, price, more) SELECT dateadd('u', 3, ts), 'new', price, 8 FROM ticks WHERE ts IN '{day}' LIMIT 50")
        self.level("abc")
        self.equal("abc", "ticks")
        self.until_forms("abc", ticks, self.want)
        self.equal("abc", "ticks")
        self.primary.query(f"ALTER TABLE ticks DROP PARTITION LIST '{day}'")
        self.level("abc")
        del self.want[day]
        self.until_forms("abc", ticks, self.want)
        self.equal("abc", "ticks")

    def end(self) -> None:
        for node in [self.ship, *self.replicas.values()]:
            with contextlib.suppress(Exception):
                node.kill()
        self.primary.kill()

    def leave(self) -> None:
        """After what is kept was copied."""
        for where in list(self.mounts.values()):
            self.unmount(where)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--understudy", type=Path, required=True, help="the command")
    parser.add_argument("--out", type=Path, required=True, help="where a failed run is kept")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    work = Path(tempfile.mkdtemp(prefix="storage-"))
    run = Run(args.understudy.resolve(), work, args.seed)
    passed = False
    try:
        print(run.run(), flush=True)
        print("  1 passed", flush=True)
        passed = True
    finally:
        run.end()
        if not passed:
            shutil.rmtree(args.out, ignore_errors=True)
            shutil.copytree(work, args.out, symlinks=True)
            print(f"kept in {args.out}", flush=True)
        run.leave()
        shutil.rmtree(work, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
