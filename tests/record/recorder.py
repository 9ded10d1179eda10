"""Runs a scenario against a server and collects what becomes a recording."""

from __future__ import annotations

import concurrent.futures
import gzip
import http.client
import io
import json
import random
import re
import sys
import tarfile
import time
from pathlib import Path

import layout
from pgwire import Pg
from questdb import QuestDB, ServerError

DEDUP_ORDER = "dedup with extra key columns: the log does not fix the order of rows inside one timestamp"


class Recorder:
    """What a scenario talks to: statements and rows in, snapshots of the server's answers out."""

    def __init__(self, name: str, version: str, seed: int, settings: dict, root: Path, options: dict | None = None):
        self.name, self.version, self.seed, self.settings = name, version, seed, dict(settings)
        self.options = options or {}
        # What becomes the recording: recording.json, db/, answers/.
        self.out = root / "out"
        (self.out / "answers").mkdir(parents=True)
        self.random = random.Random(f"{name}:{seed}")
        self.server = QuestDB(version, root / "server", settings)
        self.snapshots: dict[str, list[dict]] = {}
        self.multisets: dict[str, str] = {}
        self.expect: dict[str, dict] = {}

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

    def attempt(self, statement: str) -> str | None:
        """Runs a statement that the server may refuse; its message then."""
        try:
            self.server.query(statement)
            return None
        except ServerError as e:
            return e.message

    def bound(self, sql: str, *values, types: tuple[int, ...] = ()) -> None:
        """Runs a statement with bind variables, through the PG port."""
        pg = Pg(self.server.pg_port)
        try:
            pg.run(sql, *values, types=types)
        finally:
            pg.close()

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
            if row["suspended"] and name not in self.expect:
                raise AssertionError(f"{name} got suspended: {row}\n{self.server.log_tail()}")
        return state

    def snapshot(self, *tables: str) -> None:
        """Stores what the server answers for the tables now, and at which seqTxn that is."""
        for table in tables or self.user_tables():
            directory = self.directory(table)
            now = self.out / f"answers/{directory}.now"
            seq_txn = self.read_table(table, now)
            name = f"answers/{directory}@{seq_txn}.csv"
            if not (self.out / name).exists():
                entry = {"seqTxn": seq_txn, "file": name, "rows": self.count(table)}
                self.snapshots.setdefault(directory, []).append(entry)
            now.replace(self.out / name)

    def refresh_view(self, view: str, how: str = "INCREMENTAL") -> None:
        """Refreshes a materialized view up to what its base table holds, and waits for it."""
        deadline = time.monotonic() + 120
        while True:
            self.applied()
            self.sql(f"REFRESH MATERIALIZED VIEW {view} {how}")
            for _ in range(50):
                row = self.sql(f"SELECT * FROM materialized_views() WHERE view_name = '{view}'")[0]
                if row["view_status"] == "valid" and row["refresh_base_table_txn"] == row["base_table_txn"]:
                    self.applied(view)
                    return
                time.sleep(0.01)
            if time.monotonic() > deadline:
                raise RuntimeError(f"not refreshed: {row}")

    def refreshed(self, view: str) -> None:
        """Waits until a view that refreshes by itself has caught up."""
        deadline = time.monotonic() + 120
        while True:
            self.applied()
            row = self.sql(f"SELECT * FROM materialized_views() WHERE view_name = '{view}'")[0]
            if row["refresh_base_table_txn"] == row["base_table_txn"]:
                self.applied(view)
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"not refreshed: {row}")
            time.sleep(0.02)

    def multiset(self, table: str, reason: str = DEDUP_ORDER) -> None:
        """Says that the log doesn't fix the order of the table's rows, and why."""
        self.multisets[self.directory(table)] = reason

    def expect_diverged(self, table: str, seq_txn: int) -> None:
        """Says that a replica can't execute the statement of `seq_txn` exactly."""
        self.expect[table] = {"diverged": seq_txn}

    def expect_suspended(self, table: str, seq_txn: int) -> None:
        """Says that the server itself stops at `seq_txn`."""
        self.expect[table] = {"suspended": seq_txn}

    def expect_differs(self, table: str, partitions: list[str]) -> None:
        """Says in which partitions the applied table differs from what its log gives."""
        self.expect[table] = {"differs": partitions}

    def expect_purged(self, table: str) -> None:
        """Says which transactions have lost their rows, by what the recording then holds."""
        self.expect[table] = {"purged": None}

    def seq_txn(self, table: str) -> int:
        """Transactions that the sequencer holds of the table."""
        return self.server.wal_tables([table])[table]["sequencerTxn"]

    def restart(self) -> None:
        """Stops and starts the server: every table gets new WAL writers."""
        self.applied()
        self.server.stop()
        self.server.start()

    def copy_live(self) -> None:
        """Takes the `db` of the recording now, while the server holds its segments open."""
        self.applied()
        self._copy_db()

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

    def read_table(self, table: str, out: Path) -> int:
        """Writes the CSV of a table, of which everything that the sequencer knows is applied; its seqTxn."""
        while True:
            before = self.applied(table)[table]["writerTxn"]
            self.server.export(f'SELECT * FROM "{table}"', out)
            if self.server.wal_tables([table])[table]["writerTxn"] == before:
                return before

    # -- the recording ---------------------------------------------------------------------------

    def finish(self, description: str) -> None:
        """Collects the last answers, stops the server and completes the recording in `out`."""
        self.applied()
        tables = [self._describe(row) for row in self._tables()]
        for table in tables:
            answer = self.out / f"answers/{table['dir']}.csv"
            if self.read_table(table["name"], answer) != table["seqTxn"]:
                raise AssertionError(f"{table['name']} moved on while it was read")
            # A snapshot of the last state would be the same file again.
            table["snapshots"] = [s for s in table["snapshots"] if s["seqTxn"] != table["seqTxn"]]
            (self.out / f"answers/{table['dir']}@{table['seqTxn']}.csv").unlink(missing_ok=True)
        self.server.stop()
        if not (self.out / "db").exists():
            self._copy_db()
        for table in tables:
            if "purged" in table.get("expect", {}):
                table["expect"]["purged"] = layout.transactions_without_segment(self.out / "db" / table["dir"])
        recording = {
            "name": self.name,
            "questdb": self.version,
            "description": description,
            "seed": self.seed,
            "settings": self.settings,
            "tables": sorted(tables, key=lambda t: t["id"]),
        }
        text = json.dumps(recording, indent=1, ensure_ascii=False) + "\n"
        (self.out / "recording.json").write_text(text)

    def _copy_db(self) -> None:
        db = self.server.db
        whole = self.options.get("applied", False)
        for path in layout.table_files(db) if whole else layout.replay_files(db):
            target = self.out / "db" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((db / path).read_bytes() if whole else layout.read_trimmed(db, path))

    def _describe(self, row: dict) -> dict:
        name, directory = row["table_name"], row["directoryName"]
        state = self.server.wal_tables([name])[name]
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


def record(scenario, name: str, version: str, seed: int, root: Path, options: dict | None = None) -> Path:
    """Runs one scenario module from start to stop below `root`; the directory of the recording."""
    recorder = Recorder(name, version, seed, getattr(scenario, "SETTINGS", {}), root, options)
    try:
        recorder.server.start()
        scenario.run(recorder)
        recorder.finish(scenario.DESCRIPTION)
        return recorder.out
    except (OSError, http.client.HTTPException):
        print(f"the server's last words:\n{recorder.server.log_tail()}", file=sys.stderr)
        raise
    except RuntimeError as e:
        if isinstance(e.__cause__, (OSError, http.client.HTTPException)):
            print(f"the server's last words:\n{recorder.server.log_tail()}", file=sys.stderr)
        raise
    finally:
        recorder.server.kill()


def files_of(recording: Path) -> list[Path]:
    """The files of a recording's directory, sorted, relative to it."""
    return sorted(p.relative_to(recording) for p in recording.rglob("*") if p.is_file())


def archive(recording: Path) -> bytes:
    """The directory as a tar.gz that depends on nothing but its files."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path in files_of(recording):
            data = (recording / path).read_bytes()
            info = tarfile.TarInfo(path.as_posix())
            info.size, info.mode, info.mtime = len(data), 0o644, 0
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(raw.getvalue(), 9, mtime=0)
