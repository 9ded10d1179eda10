"""The sequencer's log in parts."""

DESCRIPTION = "Sequencer log of format 2: seven transactions in a part, with schema changes, statements, a truncate and a restart"

SETTINGS = {"cairo.default.sequencer.part.txn.count": "7"}

START = 1_725_000_000_000_000
HOUR = 3_600_000_000


def run(db):
    r = db.random
    db.sql("CREATE TABLE v2 (ts TIMESTAMP, s SYMBOL, n LONG) TIMESTAMP(ts) PARTITION BY DAY WAL")
    db.sql("CREATE TABLE v2_dropped (ts TIMESTAMP, n LONG) TIMESTAMP(ts) PARTITION BY DAY WAL", f"INSERT INTO v2_dropped VALUES ({START}, 1)", "DROP TABLE v2_dropped")
    db.sql("CREATE TABLE v2_empty (ts TIMESTAMP, n LONG) TIMESTAMP(ts) PARTITION BY DAY WAL")
    for i in range(50):
        if i == 9:
            db.sql("ALTER TABLE v2 ADD COLUMN d DOUBLE")
        if i == 20:
            db.sql("TRUNCATE TABLE v2")
        if i == 27:
            db.sql("ALTER TABLE v2 DEDUP ENABLE UPSERT KEYS(ts)", "ALTER TABLE v2 RENAME COLUMN d TO e")
        if i == 33:
            db.restart()
        if i == 40:
            db.sql("ALTER TABLE v2 SET PARAM maxUncommittedRows = 100", "ALTER TABLE v2 DROP PARTITION LIST '2024-08-30'")
        d = "" if i < 9 else f",{'d' if i < 27 else 'e'}={i}.5"
        db.ilp([f"v2,s=s{i % 9} n={i * 100 + k}i{d} {START + r.randrange(200) * HOUR // 3}" for k in range(r.choice([1, 7, 20]))])
        if i in (6, 13, 26, 35):
            db.snapshot("v2")
