#!/usr/bin/env python3
"""Adds up the results of `drive.py` and `kills.py`."""

import json
import sys
from collections import Counter
from pathlib import Path


def main() -> int:
    total: dict = {"lots": 0, "wrong": []}
    for path in map(Path, sys.argv[1:]):
        result = json.loads(path.read_text())
        total["lots"] += 1
        for name, value in result.items():
            if name == "wrong":
                total["wrong"] += [f"{path.stem}: {what[:500]}" for what in value]
            elif isinstance(value, (int, float)) and name != "seed":
                total[name] = round(total.get(name, 0) + value, 1)
            elif isinstance(value, dict):
                total[name] = dict(Counter(total.get(name, {})) + Counter(value))
            elif isinstance(value, list):
                total[name] = total.get(name, 0) + len(value)
    print(json.dumps(total, indent=1))
    return 1 if total["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
