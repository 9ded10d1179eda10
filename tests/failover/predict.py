"""What the simulator, and so the lab on the page, says of the same cluster with the same timers."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

SEEDS = 20
SECOND = 1_000_000
# What a real machine may take beyond the model: processes that start, a client that walks on. In seconds.
TOLERANCE = 1.5
# Of a frozen node it hears nothing: it waits for the end of its own patience first.
PATIENCE = {"zombie": 1.0}
STORES = {"fs": "directory", "seaweedfs": "s3"}
# As `Run` has them: a client that sends a row a hundred times a second.
RATE = 100


def scenario(part: str, store: str, number: int) -> dict:
    """Something happens at 10 s, and a bit later for each number: at any time between two packs."""
    at = 10 * SECOND + number * 137_000
    script = {
        "manual": [{"at_us": at, "do": "kill", "node": 0}, {"at_us": at + SECOND // 10, "do": "promote", "node": 1, "planned": False}],
        "automatic": [{"at_us": at, "do": "kill", "node": 0}],
        "planned": [{"at_us": at, "do": "promote", "node": 1, "planned": True}],
        "zombie": [{"at_us": at, "do": "pause", "node": 0}],
    }[part]
    script.append({"at_us": at + 15 * SECOND, "do": "resume" if part == "zombie" else "start", "node": 0})
    return {
        "format": 1,
        "name": part,
        "nodes": 3,
        "clients": 1,
        "operator": False,
        "store": STORES[store],
        "until_us": 40 * SECOND,
        # The defaults of `understudy run`, and what `drive.py` sets.
        "node": {"failover": part != "manual", "throttle_us": (3 if part == "manual" else 1) * SECOND, "poll_us": SECOND, "snapshot_every_us": 0},
        "client": {"durable": False, "on_disk": False, "every_us": SECOND // RATE, "rows": 1, "late_per_mille": 0, "tables": 1, "dedup_tables": 0},
        "script": script,
    }


def predict(understudy: Path, part: str, store: str, folder: Path) -> dict:
    """Ranges over some seeds, in seconds: from the event until somebody takes writes again, and of how long the acknowledged rows are lost."""
    windows, lost = [], []
    for number in range(SEEDS):
        file = folder / f"predict-{number}.json"
        given = scenario(part, store, number)
        file.write_text(json.dumps(given))
        command = [understudy, "--json", "--no-progress", "simulate", "--scenario", str(file), "--replay", str(number)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{command}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr}")
        at = given["script"][0]["at_us"]
        told = [json.loads(line) for line in done.stdout.splitlines()]
        opened = [one["at_us"] for one in told if one.get("kind") == "opened" and one["at_us"] > at]
        windows.append((min(opened) - at) / SECOND)
        lost.append(sum(one["rows"] for one in told if one.get("kind") == "set-aside") / RATE)
    return {"window": [min(windows), max(windows)], "lost": [min(lost), max(lost)]}


def compare(part: str, predicted: dict, windows: list[float], lost: list[float]) -> None:
    """Fails where what was measured is not what was predicted, within the tolerance."""
    low, high = predicted["window"]
    tolerance = TOLERANCE + PATIENCE.get(part, 0)
    for window in windows:
        assert low - tolerance <= window <= high + tolerance, f"a window of {window} s; the simulator says {low} to {high} s"
    for seconds in lost:
        assert seconds <= predicted["lost"][1] + TOLERANCE, f"rows of {seconds} s are lost; the simulator says at most {predicted['lost'][1]} s"
