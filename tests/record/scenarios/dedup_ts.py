"""Deduplication by the designated timestamp alone."""

DESCRIPTION = "DEDUP UPSERT KEYS(ts): duplicates inside a commit, across commits, in order and late, deduplication switched off and on over duplicates"

HOUR = 3_600_000_000
START = 1_735_689_600_000_000  # 2025-01-01


def run(db):
    r = db.random
    db.sql("CREATE TABLE dd (ts TIMESTAMP, s SYMBOL, n LONG, v VARCHAR) TIMESTAMP(ts) PARTITION BY DAY WAL "
           "DEDUP UPSERT KEYS(ts)")
    number = 0

    def commit(rows, spread, step=HOUR // 4):
        nonlocal number
        lines = []
        for _ in range(rows):
            number += 1
            ts = START + r.randrange(spread) * step
            value = r.choice([f',v="value {number}"', ',v=""', ""])
            lines.append(f"dd,s=s{number % 7} n={number}i{value} {ts}")
        db.ilp(lines)

    for _ in range(12):
        commit(r.choice([1, 5, 60, 200]), 300)
    db.snapshot()
    # In order, with equal neighbours.
    db.ilp([f"dd,s=ordered n={10_000 + i}i {START + (400 + i // 3) * HOUR // 4}" for i in range(90)])
    db.snapshot()
    db.sql("ALTER TABLE dd DEDUP DISABLE")
    for _ in range(5):
        commit(100, 250)
    db.snapshot()
    # Copies that exist already are all overwritten, none is removed.
    db.sql("ALTER TABLE dd DEDUP ENABLE UPSERT KEYS(ts)")
    for _ in range(6):
        commit(80, 260)
    db.snapshot()
    db.sql("TRUNCATE TABLE dd")
    commit(50, 20)
    commit(50, 20)
