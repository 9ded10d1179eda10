#!/usr/bin/env python3
"""QuestDB's own client as a load that costs it little: one buffer is made beforehand and sent again and again.

    PYTHONPATH=target/tools/questdb-client bench/replication/load.py PORT PREFIX TABLES ROWS RATE SECONDS

Each commit has ROWS rows in one of TABLES tables in turn, which it makes first (the prefix `few`: with one column); QuestDB gives the rows their timestamps. RATE is commits a
second in all, 0 as many as it takes. Prints one line of JSON: rows, seconds, commits' latencies in ms and how late each began.
"""

from __future__ import annotations

import json
import sys
import time

from questdb import Sender, ServerTimestamp
from questdb.ingress import Buffer


def main() -> None:
    port, prefix, tables, rows, rate, seconds = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]), float(sys.argv[6])
    with Sender.from_conf(f"http::addr=127.0.0.1:{port};auto_flush=off;retry_timeout=0;") as sender:
        buffers = [filled(sender, prefix, prefix if tables == 1 else f"{prefix}{t}", rows) for t in range(tables)]
        for buffer in buffers:
            sender.flush(buffer, clear=False, transactional=True)
        took, late = [], []
        begun = time.monotonic()
        while (now := time.monotonic()) < begun + seconds:
            if rate:
                due = begun + len(took) / rate
                if due > now:
                    time.sleep(due - now)
                now = time.monotonic()
                late.append((now - due) * 1000)
            sender.flush(buffers[len(took) % tables], clear=False, transactional=True)
            took.append((time.monotonic() - now) * 1000)
        spent = time.monotonic() - begun
    print(json.dumps({"rows": rows * len(took), "seconds": spent, "took_ms": took, "late_ms": late}))


def filled(sender: Sender, prefix: str, table: str, rows: int) -> Buffer:
    buffer = sender.new_buffer()
    for n in range(rows):
        if prefix == "few":
            buffer.row(table, columns={"id": n}, at=ServerTimestamp)
            continue
        buffer.row(table, symbols={"sym": f"S{n * 7919 % 1000}", "side": "buy" if n % 3 else "sell"},
                   columns={"id": n, "price": n * 0.37, "quantity": n * 1.5, "note": f"note {n * 31 % 997:>8}"}, at=ServerTimestamp)
    return buffer


if __name__ == "__main__":
    main()
