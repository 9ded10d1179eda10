#!/usr/bin/env python3
"""Rows by QuestDB's own client: client.py WHERE-IT-IS PORT VERSION SEED. A process of its own: our `questdb.py` has the client's name."""

from __future__ import annotations

import random
import sys
from decimal import Decimal
from pathlib import Path

sys.path[:0] = [sys.argv[1], str(Path(__file__).parent)]
import edges  # noqa: E402
import numpy  # noqa: E402
from questdb import Sender, TimestampMicros, TimestampNanos  # noqa: E402

ROWS = 400


def main(port: str, version: str, seed: str) -> None:
    rng = random.Random(int(seed))
    with Sender.from_conf(f"http::addr=127.0.0.1:{port};protocol_version={version};auto_flush=off;") as sender:
        for n in range(ROWS):
            columns = {"price": rng.uniform(0, 1e6), "size": rng.randrange(1 << 40), "note": edges.text(rng), "ok": rng.random() < 0.5,
                       "seen": TimestampMicros(rng.randrange(1 << 50))}
            if version != "1" and n % 3 == 0:
                columns["book"] = numpy.array([[rng.random(), 2.5], [1.0, rng.random()]])
            if n % 5 == 0:
                columns["note"] = None
            symbols = {"side": rng.choice(["buy", "sell"])} | ({"venue": f"v{rng.randrange(50)}"} if n % 2 else {})
            at = TimestampNanos(1_650_000_000_000_000_000 + rng.randrange(5 * 86400) * 1_000_000_000)
            sender.row(f"client{version}", symbols=symbols, columns=columns, at=at)
            if version == "3" and n % 4 == 0:
                sender.row("typed", columns={"d32": Decimal(rng.randrange(-(10**6), 10**6)).scaleb(-3)}, at=at)
            if n % 50 == 49:
                sender.flush()
        sender.flush()


if __name__ == "__main__":
    main(*sys.argv[2:])
