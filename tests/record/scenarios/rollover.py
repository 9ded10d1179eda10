"""Segments that roll over."""

DESCRIPTION = "Segment rollover by row count (100 rows), by size and by schema change, in several writers; commits larger than a segment"

SETTINGS = {"cairo.wal.segment.rollover.row.count": "100", "cairo.wal.segment.rollover.size": "64k"}

START = 1_715_000_000_000_000
MINUTE = 60_000_000


def run(db):
    r = db.random
    db.sql("CREATE TABLE ro (ts TIMESTAMP, s SYMBOL, n LONG, v VARCHAR) TIMESTAMP(ts) PARTITION BY DAY WAL")

    def lines(base, count):
        return [f'ro,s=s{r.randrange(50)} n={base + i}i,v="value {base + i}" {START + r.randrange(5000) * MINUTE}' for i in range(count)]

    for i in range(20):
        db.ilp(lines(i * 1000, r.choice([1, 40, 99, 100, 101, 260])))
        if i == 9:
            db.snapshot()
    for i in range(6):
        db.sql(f"ALTER TABLE ro ADD COLUMN c{i} INT")
        db.ilp(lines(30_000 + 1000 * i, 30))
    db.snapshot()
    batches = [lines(100_000 * (w + 1), 330) for w in range(3)]
    db.parallel([lambda b=b: db.ilp(b, 33) for b in batches])
    # By size: few rows, long values.
    db.sql("CREATE TABLE big (ts TIMESTAMP, v VARCHAR, st STRING) TIMESTAMP(ts) PARTITION BY DAY WAL")
    for i in range(12):
        db.ilp([f'big v="{chr(97 + i) * 7000}",st="{chr(65 + i) * 3000}" {START + (i * 5 % 12) * 600 * MINUTE}'])
    db.snapshot("big")
