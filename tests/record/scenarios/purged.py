"""The ordinary database: segments are deleted soon after they were applied."""

import time

DESCRIPTION = "A server with its ordinary habit of purging (every 100 ms): of one table all but the last rows are gone, of another nothing was ever there, one is untouched"

SETTINGS = {"cairo.wal.purge.interval": "100", "cairo.wal.segment.rollover.row.count": "40"}

START = 1_712_000_000_000_000
HOUR = 3_600_000_000


def run(db):
    db.sql("CREATE TABLE busy (ts TIMESTAMP, n INT, s SYMBOL) TIMESTAMP(ts) PARTITION BY DAY WAL",
           "CREATE TABLE quiet (ts TIMESTAMP, n INT) TIMESTAMP(ts) PARTITION BY DAY WAL",
           "CREATE TABLE empty (ts TIMESTAMP, n INT) TIMESTAMP(ts) PARTITION BY DAY WAL")
    for i in range(20):
        db.ilp([f"busy,s=s{(i + k) % 30} n={i * 100 + k}i {START + (i * 7 + k) * HOUR}" for k in range(12)])
        if i == 8:
            db.sql("ALTER TABLE busy ADD COLUMN late INT", "TRUNCATE TABLE busy")
        if i == 14:
            db.sql("ALTER TABLE busy ALTER COLUMN n TYPE LONG", "UPDATE busy SET late = 5 WHERE n > 1000")
        db.applied()
        time.sleep(0.15)
    db.insert("quiet", [f"{START + i * HOUR}, {i}" for i in range(9)])
    db.applied()
    # A writer that is gone leaves nothing behind.
    db.restart()
    time.sleep(2.5)
    db.ilp([f"busy,s=last n={9000 + k}i {START + (200 + k) * HOUR}" for k in range(5)])
    db.applied()
    time.sleep(0.5)
    for table in ("busy", "quiet", "empty"):
        db.expect_purged(table)
