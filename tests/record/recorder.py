"""Runs a scenario against a server and collects what becomes a recording."""

from __future__ import annotations

import concurrent.futures
import gzip
import io
import json
import random
import re
import shutil
import tarfile
import tempfile
from pathlib import Path

import layout
from questdb import QuestDB, ServerError

DEDUP_ORDER = "dedup with extra key columns: the log does not fix the order of rows inside one timestamp"


class Recorder:
    """What a scenario talks to: statements and rows in, snapshots of the server's answers out."""

    def __init__(self, name: str, version: str, seed: int, settings: dict, root: Path, heap: str = "1g"):
        self.name, self.version, self.seed, self.settings = name, version, seed, dict(settings)
        self.root = root
        self.random = random.Random(f"{name}:{seed}")
        self.server = QuestDB(version, root / "server", settings, heap)
        self.answers: dict[str, bytes] = {}
        self.snapshots: dict[str, list[dict]] = {}
        self.multisets: dict[str, str] = {}
        self.expect: dict[str, dict] = {}
        self.live_copy: dict[str, bytes] | None = None

    # -- what scenarios call ---------------------------------------------------------------------

    def sql(self, *statements: str) -> list[dict]:
        """Runs statements one after another; the rows of the last."""
        rows: list[dict] = []
        for statement in statements:
            rows = self.server.query(statement)
        return rows

    def refused(self, statement: str) -> str:
        """Runs a statement that the server must refuse; its message."""
        try:
            self.server.query(statement)
        except ServerError as e:
            return e.message
        raise AssertionError(f"was not refused: {statement}")

    def insert(self, table: str, rows: list[str], columns: str = "", chunk: int = 500) -> None:
        """INSERTs rows of literals, each `"(a, b, ...)"`'s inside; one commit for each `chunk`."""
        for i in range(0, len(rows), chunk):
            values = ",".join(f"({r})" for r in rows[i : i + chunk])
            self.sql(f'INSERT INTO "{table}" {columns} VALUES {values}')

    def ilp(self, lines: list[str], chunk: int = 0) -> None:
        """Sends ILP lines (timestamps in µs); one commit, or one for each `chunk` lines."""
        step = chunk or len(lines) or 1
        for i in range(0, len(lines), step):
            self.server.write(lines[i : i + step])

    def parallel(self, jobs: list) -> list:
        """Runs the callables at once, each on its own thread and connection."""
        with concurrent.futures.ThreadPoolExecutor(len(jobs)) as pool:
            return [f.result() for f in [pool.submit(j) for j in jobs]]

    def applied(self, *tables: str) -> dict[str, dict]:
        """Waits until the tables (all, if none is named) are applied; fails if one got suspended."""
        state = self.server.wait_applied(list(tables) or None)
        for name, row in state.items():
            if row["suspended"] and "suspended" not in self.expect.get(name, {}):
                raise AssertionError(f"{name} got suspended: {row}\n{self.server.log_tail()}")
        return state

    def snapshot(self, *tables: str) -> None:
        """Stores what the server answers for the tables now, and at which seqTxn that is."""
        for table in tables or self.user_tables():
            seq_txn, body = self.read_table(table)
            directory = self.directory(table)
            name = f"answers/{directory}@{seq_txn}.csv"
            if name not in self.answers:
                self.answers[name] = body
                entry = {"seqTxn": seq_txn, "file": name, "rows": self.count(table)}
                self.snapshots.setdefault(directory, []).append(entry)

    def multiset(self, table: str, reason: str = DEDUP_ORDER) -> None:
        """Says that the log doesn't fix the order of the table's rows, and why."""
        self.multisets[self.directory(table)] = reason

    def expect_diverged(self, table: str, seq_txn: int) -> None:
        """Says that a replica can't execute the statement of `seq_txn` exactly."""
        self.expect[table] = {"diverged": seq_txn}

    def expect_suspended(self, table: str, seq_txn: int) -> None:
        """Says that the server itself stops at `seq_txn`."""
        self.expect[table] = {"suspended": seq_txn}

    def seq_txn(self, table: str) -> int:
        """Transactions that the sequencer holds of the table."""
        return self.server.wal_tables()[table]["sequencerTxn"]

    def restart(self) -> None:
        """Stops and starts the server: every table gets new WAL writers."""
        self.applied()
        self.server.stop()
        self.server.start()

    def copy_live(self) -> None:
        """Takes the `db` of the recording now, while the server holds its segments open."""
        self.applied()
        self.live_copy = self._files()

    # -- reading answers -------------------------------------------------------------------------

    def user_tables(self) -> list[str]:
        return sorted(r["table_name"] for r in self._tables())

    def _tables(self) -> list[dict]:
        rows = self.server.query("SELECT * FROM tables()")
        return [r for r in rows if r["walEnabled"] and not layout.SYSTEM_TABLE.match(r["table_name"])]

    def directory(self, table: str) -> str:
        return next(r["directoryName"] for r in self._tables() if r["table_name"] == table)

    def count(self, table: str) -> int:
        return self.sql(f'SELECT count() n FROM "{table}"')[0]["n"]

    def read_table(self, table: str) -> tuple[int, bytes]:
        """(seqTxn, CSV) of a table of which everything that the sequencer knows is applied."""
        while True:
            before = self.applied(table)[table]["writerTxn"]
            body = self.server.export(f'SELECT * FROM "{table}"')
            if self.server.wal_tables()[table]["writerTxn"] == before:
                return before, body

    # -- the recording ---------------------------------------------------------------------------

    def finish(self, description: str) -> dict[str, bytes]:
        """Collects the last answers, stops the server and returns the recording's files by path."""
        self.applied()
        tables = [self._describe(row) for row in self._tables()]
        for table in tables:
            seq_txn, body = self.read_table(table["name"])
            if seq_txn != table["seqTxn"]:
                raise AssertionError(f"{table['name']} moved on while it was read")
            self.answers[f"answers/{table['dir']}.csv"] = body
            # A snapshot of the last state would be the same file again.
            table["snapshots"] = [s for s in table["snapshots"] if s["seqTxn"] != seq_txn]
            self.answers.pop(f"answers/{table['dir']}@{seq_txn}.csv", None)
        self.server.stop()
        recording = {
            "name": self.name,
            "questdb": self.version,
            "description": description,
            "seed": self.seed,
            "settings": self.settings,
            "tables": sorted(tables, key=lambda t: t["id"]),
        }
        files = self.live_copy if self.live_copy is not None else self._files()
        text = json.dumps(recording, indent=1, ensure_ascii=False) + "\n"
        return {"recording.json": text.encode()} | files | self.answers

    def _files(self) -> dict[str, bytes]:
        db = self.server.db
        return {f"db/{p.as_posix()}": layout.read_trimmed(db, p) for p in layout.replay_files(db)}

    def _describe(self, row: dict) -> dict:
        name, directory = row["table_name"], row["directoryName"]
        state = self.server.wal_tables()[name]
        columns = self.sql(f'SHOW COLUMNS FROM "{name}"')
        table = {
            "name": name,
            "dir": directory,
            "id": row["id"],
            "type": "matview" if row.get("matView") else "table",
            "seqTxn": state["writerTxn"],
            "sequencerTxn": state["sequencerTxn"],
            "rows": self.count(name),
            "columns": [
                {k: c.get(k, False) for k in ("type", "designated", "upsertKey")} | {"name": c["column"]}
                for c in columns
            ],
            "partitionBy": row["partitionBy"],
            "dedup": row["dedup"],
            "ttl": f"{row['ttlValue']} {row['ttlUnit']}" if row.get("ttlValue") else None,
            "order": "multiset" if directory in self.multisets else "exact",
            "partitions": self._partitions(name),
            "snapshots": self.snapshots.get(directory, []),
        }
        if directory in self.multisets:
            table["reason"] = self.multisets[directory]
        if name in self.expect:
            table["expect"] = self.expect[name]
        return table

    def _partitions(self, table: str) -> list[dict]:
        """Logical partitions: parts that the server split off count with their partition."""
        merged: dict[str, dict] = {}
        for p in self.sql(f"table_partitions('{table}')"):
            if not p.get("attached", True):
                continue
            name = p["name"] if p.get("partitionBy") == "WEEK" else re.sub(r"T\d{4,}(-\d+)?$", "", p["name"])
            part = {k: p[k] for k in ("name", "minTimestamp", "maxTimestamp", "numRows")} | {"name": name}
            if name in merged:
                old = merged[name]
                old["maxTimestamp"] = max(old["maxTimestamp"], part["maxTimestamp"])
                old["minTimestamp"] = min(old["minTimestamp"], part["minTimestamp"])
                old["numRows"] += part["numRows"]
            else:
                merged[name] = part
        return list(merged.values())


def record(scenario, name: str, version: str, seed: int, heap: str = "1g") -> dict[str, bytes]:
    """Runs one scenario module from start to stop; the recording's files by path."""
    root = Path(tempfile.mkdtemp(prefix=f"record-{name}-"))
    recorder = Recorder(name, version, seed, getattr(scenario, "SETTINGS", {}), root, heap)
    try:
        recorder.server.start()
        scenario.run(recorder)
        return recorder.finish(scenario.DESCRIPTION)
    finally:
        recorder.server.kill()
        shutil.rmtree(root, ignore_errors=True)


def archive(files: dict[str, bytes]) -> bytes:
    """The files as a tar.gz that depends on nothing but them."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(files):
            info = tarfile.TarInfo(path)
            info.size, info.mode, info.mtime = len(files[path]), 0o644, 0
            tar.addfile(info, io.BytesIO(files[path]))
    return gzip.compress(raw.getvalue(), 9, mtime=0)


def unpack(files: dict[str, bytes], out: Path) -> None:
    """Writes the files below `out`."""
    for path, data in files.items():
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
