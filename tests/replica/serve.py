#!/usr/bin/env python3
"""Starts a server on a directory and says how that went in a line; stops it when the input ends."""

import re
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "record")]

from questdb import QuestDB  # noqa: E402


def main() -> int:
    server = QuestDB("9.3.4", Path(sys.argv[1]))
    try:
        server.start()
    except RuntimeError as e:
        reason = re.search(r"cannot lock table name registry file", str(e) + server.log_tail(20000))
        print(reason.group(0) if reason else str(e).replace("\n", " ")[:2000], flush=True)
        return 0
    print("started", flush=True)
    sys.stdin.read()
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
