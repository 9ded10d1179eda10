#!/usr/bin/env python3
"""Proves a replica's directories against the real server: see README.md beside this file.

    python3 tests/replica/drive.py --seed 7 --scenarios 200 --apply target/debug/understudy --out target/replica.json
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1] / "record")]

import same_bytes  # noqa: E402
import sources  # noqa: E402
from peers import Peers  # noqa: E402

# Exit codes of the command that say something of tables, not of the run.
DIVERGED, SUSPENDED = 5, 6


class Run:
    """All batches of a run, and what came of them."""

    def __init__(self, args: argparse.Namespace, work: Path):
        self.args, self.work = args, work
        self.result = {"seed": args.seed, "tables": 0, "exact": 0, "diverged": [], "stopped": 0, "queries": 0, "statements": 0, "files": Counter(), "layout": [],
                       "orderlyFiles": 0, "orderlyWrong": [], "wrong": [], "errors": {}, "applySeconds": 0.0, "seconds": 0.0}

    def run(self) -> None:
        started = time.monotonic()
        jobs = self.jobs()
        # The next batch is made while one is compared.
        with concurrent.futures.ThreadPoolExecutor(1) as maker:
            coming = maker.submit(jobs[0])
            for i in range(len(jobs)):
                source = coming.result()
                if i + 1 < len(jobs):
                    coming = maker.submit(jobs[i + 1])
                self.batch(i, source)
        self.result["seconds"] = round(time.monotonic() - started, 1)

    def jobs(self) -> list:
        a, jobs = self.args, []
        for first in range(a.first, a.first + a.scenarios, a.batch):
            numbers = list(range(first, min(first + a.batch, a.first + a.scenarios)))
            half = (first // a.batch) % 2 == 0
            jobs.append(lambda numbers=numbers, half=half: self.made(lambda root: sources.random_source(a.seed, numbers, root, half)))
        if a.recorded:
            for names, settings in sources.SCENARIOS:
                jobs.append(lambda n=names, s=settings: self.made(lambda root: sources.scenario_source(a.seed, n, s, root)))
        return jobs

    def made(self, make) -> sources.Source:
        started = time.monotonic()
        source = make(Path(tempfile.mkdtemp(prefix="made-", dir=self.work)))
        print(f"  made {source.name} in {time.monotonic() - started:.1f} s", file=sys.stderr, flush=True)
        return source

    def batch(self, number: int, source: sources.Source) -> None:
        started = time.monotonic()
        one, two = source.root / "one", source.root / "two"
        # Every third of them with next to no memory: blocks of a few dozen rows, columns written piece by piece.
        limit = ["--memory-limit", "64KiB"] if number % 3 == 2 else []
        if source.half:
            self.apply(source.half, two / "db", limit)
        self.apply(source.db, two / "db", limit)
        self.result["applySeconds"] += time.monotonic() - started
        self.compare_bytes(source, two / "db")
        one.mkdir()
        subprocess.run(["cp", "-a", source.db, one / "db"], check=True)
        peers = Peers(source, one, two, self.args.seed)
        problem = None
        try:
            peers.run()
        except Exception as e:  # noqa: BLE001
            problem = f"{source.name}: {type(e).__name__}: {e}\none: {peers.one.log_tail(1500)}\ntwo: {peers.two.log_tail(1500)}"
        self.collect(source, peers, problem)
        if not problem and not any(w.startswith(source.name) for w in self.result["wrong"]):
            shutil.rmtree(source.root)
        print(f"  compared {source.name} in {time.monotonic() - started:.1f} s", file=sys.stderr, flush=True)

    def apply(self, source: Path, target: Path, more: list[str]) -> None:
        """The command under test, or a copy, which has to pass."""
        if self.args.apply == "copy":
            shutil.rmtree(target.parent, ignore_errors=True)
            target.parent.mkdir(parents=True)
            subprocess.run(["cp", "-a", source, target], check=True)
            return
        target.mkdir(parents=True, exist_ok=True)
        done = subprocess.run([self.args.apply, "apply", source, "--to", target, "--no-progress", *more], capture_output=True, text=True)
        if done.returncode not in (0, DIVERGED, SUSPENDED):
            raise RuntimeError(f"apply {source} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")

    def compare_bytes(self, source: sources.Source, target: Path) -> None:
        for t in source.tables:
            orderly = t.directory in source.orderly
            try:
                found = same_bytes.compare_tables(source.db / t.directory, target / t.directory)
            except (OSError, ValueError, KeyError, IndexError, ArithmeticError) as e:
                self.result["wrong"].append(f"{source.name}: {t.directory}: bytes: {type(e).__name__}: {e}")
                continue
            self.result["files"] += found.files
            self.result["layout"] += found.layout
            if orderly:
                self.result["orderlyFiles"] += found.files.total()
                self.result["orderlyWrong"] += found.wrong + found.layout
            elif found.wrong and t.directory not in source.multisets and not self.is_diverged(source, t.directory):
                self.result["wrong"] += [f"{source.name}: bytes: {w}" for w in found.wrong[:3]]

    def is_diverged(self, source: sources.Source, directory: str) -> bool:
        """Whether our own replay of the log says that it isn't the server's table, and so may differ; or that the log stops it."""
        if self.args.replay is None:
            return False
        done = subprocess.run([self.args.replay, "replay", source.db, "--table", directory, "--no-progress", "-q"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return done.returncode == DIVERGED

    def collect(self, source: sources.Source, peers: Peers, problem: str | None) -> None:
        result = self.result
        result["tables"] += len(source.tables)
        result["queries"] += peers.asked
        result["statements"] += peers.pair.statements
        result["stopped"] += len(peers.stopped)
        result["exact"] += len(peers.whole)
        for message, count in peers.errors.items():
            result["errors"][message] = result["errors"].get(message, 0) + count
        for directory, what in peers.wrong.items():
            if self.is_diverged(source, directory):
                result["diverged"].append(directory)
            else:
                result["wrong"].append(f"{source.name}: {directory}: {what[0]}")
        if problem:
            result["wrong"].append(problem)


def workplace(prefix: str) -> Path:
    """A new directory, in memory where there is room: the servers make and remove a hundred thousand files."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 6 << 30
    return Path(tempfile.mkdtemp(prefix=prefix, dir=memory if roomy else None))


def save(result: dict, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--scenarios", type=int, default=200, help="random tables")
    parser.add_argument("--first", type=int, default=0, help="number of the first of them")
    parser.add_argument("--batch", type=int, default=100, help="tables of one server")
    parser.add_argument("--recorded", action="store_true", help="the scenarios of tests/record as well")
    parser.add_argument("--apply", default="copy", help="the understudy command, or 'copy' for a plain copy")
    parser.add_argument("--replay", help="the understudy command that says which tables diverge")
    parser.add_argument("--work", type=Path, help="where directories are made; what differs is copied beside the result")
    parser.add_argument("--out", type=Path, required=True, help="the result, as JSON")
    args = parser.parse_args()
    work = args.work or workplace("replica-")
    work.mkdir(parents=True, exist_ok=True)
    run = Run(args, work)
    try:
        run.run()
    finally:
        run.result["layout"] = run.result["layout"][:200]
        save(run.result, args.out)
    print(f"{run.result['tables']} tables, {run.result['exact']} to the end, {run.result['queries']} queries, {run.result['statements']} statements, "
          f"{len(run.result['wrong'])} differ, {run.result['seconds']} s")
    if run.result["wrong"]:
        kept = args.out.parent / f"{args.out.stem}-kept"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(work, kept)
        print(f"kept in {kept}")
    shutil.rmtree(work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
