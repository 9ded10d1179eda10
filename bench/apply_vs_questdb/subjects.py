"""The two programs under measurement. Each gets its own copy of a log and leaves a root with an applied `db`."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from ingest import Log, copy, table_dir
from measure import Cost, MemoryWatch, cpu_seconds, device_written, machine_seconds, reset_peak, table_bytes, take_memory
from server import Server
from workloads import TABLE, WARM_TABLE, Workload

TIMEOUT = 3600.0


def questdb(workload: Workload, log: Log, root: Path, version: str, cores: str | None, free_memory: int) -> Cost:
    """QuestDB's apply job, in a process that has applied another table of the same kind before.

    The log's segments are out of its sight when it starts, which suspends the table; once it is warm they are put
    back and the table is resumed: time counts from there until it is applied.
    """
    copy(log.db, root / "db")
    table = table_dir(root / "db", TABLE)
    hidden = [(w, w.with_name("hidden-" + w.name)) for w in table.glob("wal*") if w.is_dir()]
    for wal, aside in hidden:
        wal.rename(aside)
    with Server(root, version, apply=True, cores=cores) as server:
        _wait(server, lambda: server.position(TABLE)[2])
        server.query(workload.create(WARM_TABLE))
        server.query(workload.insert(WARM_TABLE, workload.warming()))
        _wait(server, lambda: _applied(server, WARM_TABLE))
        for wal, aside in hidden:
            aside.rename(wal)
        before = device_written(root)
        take_memory(free_memory)
        reset_peak(server.pid)
        cpu, machine = cpu_seconds(server.pid), machine_seconds()
        with MemoryWatch(server.pid) as memory:
            start = time.monotonic()
            server.query(f"ALTER TABLE {TABLE} RESUME WAL")
            _wait(server, lambda: _applied(server, TABLE))
            seconds = time.monotonic() - start
        cpu, machine = cpu_seconds(server.pid) - cpu, machine_seconds() - machine
        written = device_written(root) - before
    return Cost(seconds, cpu, memory.resident, memory.anonymous, written, table_bytes(table), max(0.0, machine - cpu))


def _applied(server: Server, table: str) -> bool:
    applied, sequenced, suspended = server.position(table)
    if suspended and applied > 0:
        raise RuntimeError(f"QuestDB suspended {table} at {applied} of {sequenced}:\n{server.log_tail()}")
    return applied == sequenced


def _wait(server: Server, done) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not done():
        if time.monotonic() > deadline or server.process.poll() is not None:
            raise RuntimeError(f"QuestDB did not get there:\n{server.log_tail()}")
        time.sleep(0.005)


def understudy(program: Path, log: Log, root: Path, cores: str | None, options: list[str], free_memory: int) -> Cost:
    """`understudy apply`, from the start of its process to its end."""
    source = root.with_name(root.name + "-source") / "db"
    copy(log.db, source)
    shutil.rmtree(root, ignore_errors=True)
    (root / "db").mkdir(parents=True)
    command = ["taskset", "-c", cores] if cores else []
    command += [str(program), "apply", str(source), "--to", str(root / "db"), "--commit-mode", "nosync", *options]
    before = device_written(root)
    take_memory(free_memory)
    with open(root / "understudy.log", "wb") as out:
        machine = machine_seconds()
        start = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        with MemoryWatch(process.pid, 0.005) as memory:
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.monotonic() - start
        machine = machine_seconds() - machine
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        said = (root / "understudy.log").read_text(errors="replace")[-4000:]
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{said}")
    written = device_written(root) - before
    final = table_bytes(table_dir(root / "db", TABLE))
    # Not ru_maxrss: it remembers what was resident in this interpreter when it forked.
    cpu = usage.ru_utime + usage.ru_stime
    return Cost(seconds, cpu, memory.resident, memory.anonymous, written, final, max(0.0, machine - cpu))
