#!/usr/bin/env python3
"""Ends `understudy apply` at random moments with kill -9, and shows what it left to the real server.

    python3 tests/replica/kills.py --seed 7 --kills 25 --apply target/debug/understudy --replay target/debug/understudy --out target/kills.json

Each directory is kept as the crash left it. The tables of all of them become tables of one database, which a server opens, reads and
writes to; on a copy of each, the command is run again, and those become another database. Some directories are also opened alone.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1] / "record")]

import questions as q  # noqa: E402
import sources  # noqa: E402
import tablefiles as files  # noqa: E402
from drive import DIVERGED, SUSPENDED, save, workplace  # noqa: E402
from peers import SERVER, log_of  # noqa: E402
from questdb import QuestDB, ServerError  # noqa: E402

# Tables that one server opens at a time: with three hundred that are all written to at once it can run out of open files.
COLLECTED_MAX = 200
THREADS = 6


@dataclass
class Crashed:
    """A table's directory as a crash left it, and as which table it was collected."""

    kill: int
    folder: Path
    origin: tuple[str, str, int, int]
    seq_txn: int
    max_txn: int
    number: int = 0

    @property
    def name(self) -> str:
        return f"k{self.kill:03d}_{self.origin[0]}"


class Kills:
    """A source, and what a command left of it each time that it was ended."""

    def __init__(self, args: argparse.Namespace, work: Path):
        self.args, self.work = args, work
        self.random = random.Random(f"kills:{args.seed}:{args.first}")
        self.result = {"seed": args.seed, "kills": 0, "tables": 0, "states": Counter(), "compared": 0, "finished": 0, "unlike": [], "wrong": [], "seconds": 0.0}
        self.prefixes: dict[tuple[str, int], bytes | None] = {}

    def run(self) -> None:
        started = time.monotonic()
        self.source = sources.killing_source(self.args.seed, self.work / "source")
        whole = self.uninterrupted()
        print(f"  uninterrupted: {whole:.2f} s", file=sys.stderr, flush=True)
        crashed: list[Crashed] = []
        for kill in range(self.args.first, self.args.first + self.args.kills):
            crashed += self.kill(kill, whole)
            if len(crashed) >= COLLECTED_MAX:
                self.judge(crashed)
                crashed = []
        if crashed:
            self.judge(crashed)
        self.result["seconds"] = round(time.monotonic() - started, 1)

    # -- the command -----------------------------------------------------------------------------

    def command(self, target: Path) -> list:
        return [self.args.apply, "apply", self.source.db, "--to", target, "--no-progress"]

    def uninterrupted(self) -> float:
        target = self.work / "whole/db"
        started = time.monotonic()
        self.apply(target)
        shutil.rmtree(target.parent)
        return time.monotonic() - started

    def apply(self, target: Path) -> None:
        if self.args.apply == "copy":
            shutil.rmtree(target.parent, ignore_errors=True)
            shutil.copytree(self.source.db, target)
            return
        target.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(self.command(target), capture_output=True, text=True)
        if done.returncode not in (0, DIVERGED, SUSPENDED):
            raise RuntimeError(f"apply --to {target} ended with {done.returncode}:\n{done.stderr[-4000:]}")

    def kill(self, number: int, whole: float) -> list[Crashed]:
        """Runs the command for some part of the time that it takes, now and then from where a run before was ended."""
        root = self.work / f"crash{number:03d}"
        target = root / "db"
        if self.args.apply == "copy":
            shutil.copytree(self.source.half if number % 2 else self.source.db, target)
        else:
            target.mkdir(parents=True)
            runs = self.random.choice([1, 1, 1, 2, 3])
            for _ in range(runs):
                process = subprocess.Popen(self.command(target), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(self.random.uniform(0, whole / runs))
                process.kill()
                process.wait()
        self.result["kills"] += 1
        found = []
        for origin in files.read_registry(self.source.db):
            folder = target / origin[1]
            if not (folder / "_txn").is_file():
                self.result["states"]["absent"] += origin[1] in self.known()
                continue
            if origin[1] in self.known():
                txn, last = files.read_txn(folder), files.max_txn(folder)
                whole_log = files.max_txn(self.source.db / origin[1])
                state = "complete" if txn.seq_txn == whole_log else "partial" if txn.seq_txn else "created"
                self.result["states"][state] += 1
                if last < txn.seq_txn:
                    self.wrong(f"crash {number}: {origin[1]}: the sequencer's log ends at {last}, _txn is at {txn.seq_txn}")
                found.append(Crashed(number, folder, origin, txn.seq_txn, last))
        return found

    def known(self) -> set[str]:
        return {t.directory for t in self.source.tables}

    def wrong(self, what: str) -> None:
        self.result["wrong"].append(what)

    # -- judgement -------------------------------------------------------------------------------

    def judge(self, crashed: list[Crashed]) -> None:
        # As they are, before anything of ours has run again.
        self.judge_collected(crashed, "crashed", self.holds_a_prefix, True)
        for kill in sorted({c.kill for c in crashed})[: self.args.alone]:
            self.judge_alone([c for c in crashed if c.kill == kill])
        # And finished by another run.
        again = []
        for kill in sorted({c.kill for c in crashed}):
            root = self.work / f"again{kill:03d}"
            shutil.copytree(self.work / f"crash{kill:03d}", root)
            try:
                self.apply(root / "db")
            except RuntimeError as e:
                self.wrong(f"crash {kill}: {e}")
                continue
            for t in self.source.tables:
                folder = root / "db" / t.directory
                origin = next(o for o in files.read_registry(self.source.db) if o[1] == t.directory)
                if not (folder / "_txn").is_file():
                    self.wrong(f"crash {kill}: {t.directory} isn't there after another run")
                    continue
                again.append(Crashed(kill, folder, origin, files.read_txn(folder).seq_txn, files.max_txn(folder)))
        for i in range(0, len(again), COLLECTED_MAX):
            self.judge_collected(again[i : i + COLLECTED_MAX], "finished", self.is_finished, False)
        for kill in {c.kill for c in crashed}:
            shutil.rmtree(self.work / f"again{kill:03d}", ignore_errors=True)
            if not any(f"crash {kill}:" in w for w in self.result["wrong"]):
                shutil.rmtree(self.work / f"crash{kill:03d}", ignore_errors=True)

    def judge_collected(self, crashed: list[Crashed], what: str, check, write: bool) -> None:
        """Makes the tables those of one database, and has a server open it."""
        root = self.work / f"collected-{what}"
        db = root / "db"
        db.mkdir(parents=True)
        registry = []
        for number, c in enumerate(crashed, 101):
            folder = f"{c.name}~{number}"
            subprocess.run(["cp", "-a", c.folder, db / folder], check=True)
            files.give_identity(db / folder, c.name, number)
            registry.append((c.name, folder, number, files.WAL_TABLE))
        files.write_registry(db, registry)
        self.served(root, crashed, [c.name for c in crashed], check, write, what)
        shutil.rmtree(root, ignore_errors=True)

    def judge_alone(self, crashed: list[Crashed]) -> None:
        """The whole directory, registry and all. A table that isn't in the registry yet doesn't exist for the server."""
        root = self.work / "alone"
        shutil.copytree(crashed[0].folder.parent.parent, root)
        registry = files.read_registry(root / "db") if list((root / "db").glob("tables.d.[0-9]*")) else []
        names = {folder: name for name, folder, _, _ in registry}
        crashed = [c for c in crashed if c.origin[1] in names]
        self.served(root, crashed, [names[c.origin[1]] for c in crashed], self.holds_a_prefix, True, "alone")
        shutil.rmtree(root)

    def served(self, root: Path, crashed: list[Crashed], names: list[str], check, write: bool, what: str) -> None:
        server = QuestDB("9.3.4", root, self.source.settings | SERVER)
        server.patience = 60
        try:
            with server:
                states = server.wait_applied(timeout=60)
                with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
                    for c, problem in zip(crashed, pool.map(lambda item: self.checked(server, item, states, check, write), zip(crashed, names))):
                        if problem:
                            self.wrong(f"crash {c.kill}: {what}: {c.origin[1]} at {c.seq_txn} of {c.max_txn}: {problem}")
                for name, state in server.wait_applied(timeout=60).items():
                    if state["suspended"] and name in names:
                        self.wrong(f"crash {crashed[names.index(name)].kill}: {what}: {name} got suspended by what was written: {state}\n{log_of(server, name)}")
        except RuntimeError as e:
            self.wrong(f"crash {crashed[0].kill if crashed else ''}: {what}: {e}")

    def checked(self, server: QuestDB, item: tuple[Crashed, str], states: dict, check, write: bool) -> str | None:
        c, name = item
        state = states.get(name)
        if state is None:
            return "not in wal_tables()"
        if state["suspended"]:
            return f"suspended: {state}\n{log_of(server, name)}"
        kind, answer = q.ask(server, f'SELECT * FROM "{name}"')
        if kind == "error":
            return f"SELECT *: {answer}"
        self.result["tables"] += 1
        return check(c, answer) or (written_to(server, name) if write else None)

    def holds_a_prefix(self, c: Crashed, answer: str) -> str | None:
        """The rows are those after some transaction that _txn, or the log that is ahead of it, names."""
        seen = False
        for n in range(c.seq_txn, c.max_txn + 1):
            expected = self.prefix(c.origin[1], n)
            if expected is None:
                continue
            seen = True
            if same(expected.decode(), answer, c.origin[1] in self.source.multisets):
                self.result["compared"] += 1
                return None
        if not seen:
            self.result["unlike"].append(f"{c.origin[1]} at {c.seq_txn}")
            return None
        return f"{answer.count(chr(10))} lines, not the rows after any of {c.seq_txn}..{c.max_txn}"

    def prefix(self, directory: str, n: int) -> bytes | None:
        """The rows after `n` transactions by our own replay; None where it doesn't claim to be exact."""
        key = (directory, n)
        if key not in self.prefixes:
            done = subprocess.run([self.args.replay, "replay", self.source.db, "--table", directory, "--to", str(n), "-q", "--no-progress"], capture_output=True)
            self.prefixes[key] = done.stdout if done.returncode == 0 else None
        return self.prefixes[key]

    def is_finished(self, c: Crashed, answer: str) -> str | None:
        expected = self.source.answers[c.origin[1]]
        if same(expected, answer, c.origin[1] in self.source.multisets):
            self.result["finished"] += 1
            return None
        if self.prefix(c.origin[1], files.max_txn(self.source.db / c.origin[1])) is None:
            self.result["unlike"].append(f"{c.origin[1]} finished")
            return None
        return f"{answer.count(chr(10))} lines, the server's own has {expected.count(chr(10))}, or they differ"


def same(expected: str, answer: str, multiset: bool) -> bool:
    return expected == answer or (multiset and sorted(expected.split("\r\n")) == sorted(answer.split("\r\n")))


def written_to(server: QuestDB, name: str) -> str | None:
    """Rows ahead of all, late, of a new symbol, in a new partition; a new column; all of it is there afterwards."""
    shape = q.look_at(server, name)
    about = server.query(f"SELECT dedup, ttlValue FROM tables() WHERE table_name = '{name}'")[0]
    symbol = shape.symbols[0] if shape.symbols else None
    before = server.query(f'SELECT count() n FROM "{name}"')[0]["n"]
    high, low = (f"'{shape.high}'", f"'{shape.low}'") if shape.high else ("'2024-01-01'", "'2023-01-01'")
    columns = f"({q.quoted(shape.timestamp)}" + (f", {q.quoted(symbol)})" if symbol else ")")
    values = [f"(dateadd('s', 1, {high}::timestamp)", f"(dateadd('y', 2, {high}::timestamp)", f"(dateadd('u', 1, {low}::timestamp)", f"({low}"]
    try:
        for i, value in enumerate(values):
            server.query(f'INSERT INTO "{name}" {columns} VALUES ' + value + (f", 'after the crash {i}')" if symbol else ")"))
            if i == 0:
                # One alone has to become visible: nothing later pushes it.
                server.wait_applied([name], timeout=60)
            if i == 1:
                # Before a column comes: the server ends where one is asked for that a Parquet partition of its own or of ours lacks.
                formed = [p["name"] for p in server.query(f"SELECT name, isParquet FROM table_partitions('{name}')") if p["isParquet"]]
                if formed:
                    server.query(f'ALTER TABLE "{name}" CONVERT PARTITION TO NATIVE LIST ' + ", ".join(f"'{p}'" for p in formed))
                server.query(f'ALTER TABLE "{name}" ADD COLUMN after_the_crash INT')
    except (ServerError, RuntimeError) as e:
        return f"writing: {e}"
    state = server.wait_applied([name])[name]
    if state["suspended"]:
        return f"suspended by a write: {state}\n{log_of(server, name)}"
    after = server.query(f'SELECT count() n, count(after_the_crash) m FROM "{name}"')[0]["n"]
    if not about["dedup"] and not about["ttlValue"] and after != before + len(values):
        return f"{before} rows, and {after} after {len(values)} more"
    if symbol and not about["dedup"] and not about["ttlValue"]:
        found = server.query(f"SELECT count() n FROM \"{name}\" WHERE {q.quoted(symbol)} IN ('after the crash 0', 'after the crash 2')")[0]["n"]
        if found != 2:
            return f"{found} rows of the two new symbols"
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--first", type=int, default=0, help="number of the first of them")
    parser.add_argument("--alone", type=int, default=2, help="how many directories of each lot a server also opens alone")
    parser.add_argument("--apply", default="copy", help="the understudy command, or 'copy' for a plain copy")
    parser.add_argument("--replay", required=True, help="the understudy command that says what a prefix of the log gives")
    parser.add_argument("--work", type=Path, help="where directories are made; what is wrong is copied beside the result")
    parser.add_argument("--out", type=Path, required=True, help="the result, as JSON")
    args = parser.parse_args()
    work = args.work or workplace("kills-")
    work.mkdir(parents=True, exist_ok=True)
    run = Kills(args, work)
    try:
        run.run()
    finally:
        save(run.result, args.out)
    r = run.result
    print(f"{r['kills']} kills, {r['tables']} tables opened, {r['compared']} prefixes equal, {r['finished']} finished, {dict(r['states'])}, {len(r['wrong'])} wrong, {r['seconds']} s")
    if r["wrong"]:
        kept = args.out.parent / f"{args.out.stem}-kept"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(work, kept)
        print(f"kept in {kept}")
    shutil.rmtree(work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
