"""Makes a database directory that holds nothing but WAL, and keeps it, so that every run applies the same log."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from server import Server
from workloads import TABLE, Workload


@dataclass(frozen=True)
class Log:
    """A kept log: `db` is the directory; `wal_bytes` is what its segments hold."""

    db: Path
    commits: int
    rows: int
    wal_bytes: int


def table_dir(db: Path, table: str) -> Path:
    """Where a table lives: `name~id`."""
    found = sorted(db.glob(f"{table}~*[0-9]"))
    if len(found) != 1:
        raise FileNotFoundError(f"{table} in {db}: {found}")
    return found[0]


def made(workload: Workload, cache: Path, version: str) -> Log:
    """The workload's log, made now unless it is in `cache`."""
    home = cache / version / workload.key
    note = home / "made.json"
    recipe = [workload.create(TABLE), workload.insert(TABLE)]
    if note.exists():
        known = json.loads(note.read_text())
        if known.pop("recipe") == recipe:
            return Log(db=home / "db", **known)
    shutil.rmtree(home, ignore_errors=True)
    work = home.with_name(home.name + ".partial")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    with Server(work, version, apply=False, cores=None) as server:
        for statement in recipe:
            server.query(statement)
        applied, commits, _ = server.position(TABLE)
    if applied != 0 or commits != workload.commits:
        raise RuntimeError(f"{workload.key}: {applied} applied, {commits} commits; wanted 0 and {workload.commits}")
    wal_bytes = sum(f.stat().st_size for f in table_dir(work / "db", TABLE).glob("wal*/*/*"))
    work.rename(home)
    log = Log(home / "db", commits, workload.rows, wal_bytes)
    known = {k: v for k, v in asdict(log).items() if k != "db"}
    note.write_text(json.dumps(known | {"recipe": recipe}))
    return log


def copy(db: Path, to: Path) -> None:
    """An own copy, hard links within it kept as such, on the disk and in the page cache."""
    shutil.rmtree(to.parent, ignore_errors=True)
    to.parent.mkdir(parents=True)
    subprocess.run(["cp", "-a", db, to], check=True)
    subprocess.run(["sync"], check=True)
