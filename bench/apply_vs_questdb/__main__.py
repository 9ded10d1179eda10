"""Measures `understudy apply` against QuestDB's own apply job. See README.md."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
from pathlib import Path

import compare
import limits
import report
import stream
import subjects
from ingest import made
from server import TOP
from workloads import Workload, matrix


def main() -> int:
    options = arguments()
    # Ends by an exception, so that no server stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    wanted = chosen(options)
    if options.list:
        print("\n".join(w.key for w in wanted))
        return 0
    options.dir.mkdir(parents=True, exist_ok=True)
    if options.stream:
        return stream.main(options)
    for w in wanted:
        say(f"log of {w.key}")
        made(w, options.cache, options.questdb)
    if options.ingest_only:
        return 0
    results = []
    speed = limits.measured(options.dir, options.threads)
    for w in wanted:
        results.append(measured(w, options, speed))
        report.write(options.out, results, speed, report.machine(options.cores))
    print(report.markdown(results, speed))
    return 1 if any(r.differs for r in results) else 0


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(prog="apply_vs_questdb", description=__doc__)
    p.add_argument("workloads", nargs="*", help="order or order-shape, e.g. late or shuffled-mixed; all if none is named")
    p.add_argument("--understudy", type=Path, help="the command, built for release; without it only QuestDB is measured")
    p.add_argument("--option", action="append", default=[], help="one more option of `understudy apply`, e.g. --option=--threads=2")
    p.add_argument("--only", choices=("questdb", "understudy"), help="runs one of the two (the other's last result is compared)")
    p.add_argument("--runs", type=int, default=3, help="runs of each, taking turns (default 3)")
    p.add_argument("--rows", type=int, default=5_000_000, help="rows of each workload (default 5,000,000)")
    p.add_argument("--one-row-rows", type=int, default=500_000, help="rows of the one-row commits (default 500,000)")
    p.add_argument("--large", type=int, nargs="?", const=40_000_000, help="adds in order and shuffled with so many rows (40,000,000)")
    p.add_argument("--cores", default="0,1", help="cores for both, as taskset takes them (default 0,1; empty for all)")
    p.add_argument("--threads", type=int, default=2, help="threads for `understudy apply` and for the machine's limits (default 2)")
    p.add_argument("--memory-limit", default="1GiB", help="for `understudy apply` (default 1GiB)")
    p.add_argument("--compare", choices=("full", "aggregates"), default="full", help="full compares each day's CSV once per workload")
    p.add_argument("--free-memory", type=int, default=4096, help="MiB of memory that are written to before each run (default 4096; see README.md)")
    p.add_argument("--questdb", default="9.3.4", help="version (default 9.3.4)")
    p.add_argument("--cache", type=Path, default=TOP / "target" / "bench-wal", help="where logs are kept")
    p.add_argument("--dir", type=Path, default=TOP / "target" / "bench-run", help="where the programs work")
    p.add_argument("--out", type=Path, default=TOP / "target" / "bench-run" / "result", help="result, without its suffix")
    p.add_argument("--keep", action="store_true", help="leaves the applied directories in --dir")
    p.add_argument("--ingest-only", action="store_true", help="makes the logs and ends")
    p.add_argument("--list", action="store_true", help="lists the workloads and ends")
    stream.add_arguments(p)
    return p.parse_args()


def chosen(options: argparse.Namespace) -> list[Workload]:
    every = matrix(options.rows, options.one_row_rows, options.large)
    if not options.workloads:
        return every
    named = [w for w in every if any((w.key + "-").startswith(name + "-") for name in options.workloads)]
    if not named:
        sys.exit(f"no such workload; there are: {', '.join(w.key for w in every)}")
    return named


def measured(w: Workload, options: argparse.Namespace, speed: limits.Limits) -> report.Result:
    """Runs of both in turns. A run of ours is compared with QuestDB's latest before the next begins."""
    log = made(w, options.cache, options.questdb)
    result = report.Result(w, log, {"questdb": [], "understudy": []})
    theirs = options.dir / f"{w.key}-questdb"
    ours = options.dir / f"{w.key}-understudy"
    ours_options = ["--threads", str(options.threads), "--memory-limit", options.memory_limit, *options.option]
    answer = None
    for run in range(options.runs):
        full = options.compare == "full" and run == 0
        if options.only != "understudy" or not theirs.exists():
            cost = subjects.questdb(w, log, theirs, options.questdb, options.cores, options.free_memory << 20)
            result.runs["questdb"].append(cost)
            say(f"{w.key} questdb {spoken(w, cost)}")
        if not options.understudy or options.only == "questdb":
            continue
        cost = subjects.understudy(options.understudy, log, ours, options.cores, ours_options, options.free_memory << 20)
        result.runs["understudy"].append(cost)
        say(f"{w.key} understudy {spoken(w, cost)}")
        answer = answer or compare.answers(w, theirs, options.questdb, full=options.compare == "full")
        result.differs = compare.difference(answer, compare.answers(w, ours, options.questdb, full))
        if result.differs:
            say(f"{w.key} DIFFERS: {result.differs}")
            break
        result.compared = options.compare
    any_run = result.median("understudy") or result.median("questdb")
    if any_run:
        result.floor = speed.floor(log.wal_bytes, any_run.final)
    if not options.keep:
        for root in (theirs, ours, ours.with_name(ours.name + "-source")):
            shutil.rmtree(root, ignore_errors=True)
    return result


def spoken(w: Workload, c) -> str:
    return (
        f"{c.seconds:.2f} s, {w.rows / c.seconds / 1e6:.2f} M rows/s, {c.cpu:.1f} CPU s (others {c.others:.1f}),"
        f" anonymous {c.anonymous / 1e6:,.0f} MB, resident {c.resident / 1e6:,.0f} MB,"
        f" written {c.written / 1e6:,.0f} MB = {c.amplification:.2f} x {c.final / 1e6:,.0f} MB"
    )


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
