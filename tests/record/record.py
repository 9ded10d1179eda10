#!/usr/bin/env python3
"""Records scenarios from a real QuestDB into tests/data. See README.md beside this file."""

from __future__ import annotations

import argparse
import importlib
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import recorder  # noqa: E402

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "data"


def scenario_names() -> list[str]:
    names = (p.stem for p in (HERE / "scenarios").glob("*.py"))
    return sorted(n for n in names if not n.startswith("_"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="scenarios to record")
    parser.add_argument("--all", action="store_true", help="every scenario")
    parser.add_argument("--list", action="store_true", help="print the scenarios and end")
    parser.add_argument("--version", help="QuestDB release; default: the scenario's own, else 9.3.4")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=DATA, help="directory of the archives")
    parser.add_argument("--unpacked", action="store_true", help="write OUT/NAME/... instead of an archive")
    parser.add_argument("--applied", action="store_true", help="also keep the applied tables' files")
    parser.add_argument("--size", choices=["small", "large"], default="small", help="of trading_day")
    parser.add_argument("--bundle", type=Path, help="also put the recording there as static files, without answers")
    args = parser.parse_args()
    if args.list:
        print("\n".join(scenario_names()))
        return 0
    names = scenario_names() if args.all else args.names
    if not names:
        parser.error("name a scenario, or --all")
    for name in names:
        record_one(name, args)
    return 0


def bundle(recording: Path, target: Path) -> None:
    """Puts what the page fetches, without the answers, into a directory of static files."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    shutil.copytree(recording / "db", target / "db")
    shutil.copy(recording / "recording.json", target)
    size = sum((target / p).stat().st_size for p in recorder.files_of(target))
    print(f"{target}: {size:,} bytes, {len(recorder.files_of(target))} files", flush=True)


def record_one(name: str, args: argparse.Namespace) -> None:
    started = time.monotonic()
    scenario = importlib.import_module(f"scenarios.{name}")
    version = args.version or getattr(scenario, "VERSION", "9.3.4")
    with tempfile.TemporaryDirectory(prefix=f"record-{name}-") as root:
        whole = args.applied or getattr(scenario, "APPLIED", False)
        options = {"size": args.size, "applied": whole}
        made = recorder.record(scenario, name, version, args.seed, Path(root), options)
        count = len(recorder.files_of(made))
        if args.bundle:
            bundle(made, args.bundle)
        if args.unpacked:
            target = args.out / name
            shutil.rmtree(target, ignore_errors=True)
            args.out.mkdir(parents=True, exist_ok=True)
            shutil.move(made, target)
            size = sum((target / p).stat().st_size for p in recorder.files_of(target))
        else:
            folder = args.out / "files" if whole else args.out
            folder.mkdir(parents=True, exist_ok=True)
            packed = recorder.archive(made)
            (folder / f"{name}.tar.gz").write_bytes(packed)
            size = len(packed)
    print(f"{name}: {size:,} bytes, {count} files, {time.monotonic() - started:.1f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
