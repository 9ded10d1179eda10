"""What an ordinary server leaves: tables applied up to some transaction, the log from there on."""

import time

DESCRIPTION = "Applied tables whose log was purged, and transactions after it that the server had not applied when the files were copied"

APPLIED = True

SETTINGS = {"cairo.wal.purge.interval": "100", "cairo.wal.segment.rollover.row.count": "50"}

START = 1_712_000_000_000_000  # 2024-04-01T19:33:20
HOUR = 3_600_000_000
NAMES = ["a", "é", "a longer name", "日本"]


def event(r, n, at):
    return (f"{at}, {n}, '{r.choice(NAMES)}{n % 7}', 'text {n} {'x' * (n % 23)}', '{'ü' * (n % 11)}', {n / 8}, ARRAY[{n}.5, 2.0], "
            f"{'true' if n % 3 else 'false'}, rnd_uuid4(), {n % 90}.25m")


def run(db):
    r = db.random
    db.sql("CREATE TABLE events (ts TIMESTAMP, n INT, s SYMBOL INDEX CAPACITY 8, v VARCHAR, t STRING, d DOUBLE, a DOUBLE[], b BOOLEAN, u UUID, "
           "m DECIMAL(10,2)) TIMESTAMP(ts) PARTITION BY DAY WAL",
           "CREATE TABLE latest (ts TIMESTAMP, k SYMBOL, n LONG) TIMESTAMP(ts) PARTITION BY HOUR WAL DEDUP UPSERT KEYS(ts, k)",
           "CREATE TABLE nanos (ts TIMESTAMP_NS, n INT) TIMESTAMP(ts) PARTITION BY WEEK WAL",
           "CREATE TABLE whole (ts TIMESTAMP, n INT) TIMESTAMP(ts) PARTITION BY MONTH WAL",
           "CREATE TABLE empty (ts TIMESTAMP, n INT) TIMESTAMP(ts) PARTITION BY YEAR WAL")

    def write(first, last):
        for i in range(first, last):
            db.insert("events", [event(r, i * 10 + k, START + (i * 4 + r.randrange(9)) * HOUR + k) for k in range(10)])
            db.ilp([f"latest,k={r.choice(NAMES).replace(' ', '_')} n={i * 100 + k}i {START + (i + k % 3) * HOUR}" for k in range(8)])
            db.sql(f"INSERT INTO nanos SELECT ({START}000 + {i} * 86400000000000 + x * 1000000001)::timestamp_ns, x::int FROM long_sequence(5)")

    write(0, 12)
    db.sql("ALTER TABLE events ADD COLUMN late BYTE", "ALTER TABLE events ADD COLUMN sym SYMBOL",
           "ALTER TABLE events ALTER COLUMN d TYPE VARCHAR", "ALTER TABLE events RENAME COLUMN v TO w", "ALTER TABLE events DROP COLUMN b")
    db.sql(f"INSERT INTO events (ts, n, late, sym) VALUES ({START + 90 * HOUR}, -1, 7, 'x'), ({START + 91 * HOUR}, -2, 8, 'y')",
           f"INSERT INTO events (ts, n, late, sym) VALUES ({START + 100 * HOUR}, -3, 9, null)")
    db.applied()
    # A writer that is gone leaves nothing behind.
    db.restart()
    time.sleep(2.5)
    db.server.settings["cairo.wal.apply.enabled"] = "false"
    db.restart()
    for i in range(12, 18):
        db.ilp([f"events,s={NAMES[k % 2]}{i},sym=z{k} n={i * 10 + k}i,late={k}i {START + (i * 4 + r.randrange(40)) * HOUR - k}" for k in range(9)])
        db.ilp([f"latest,k=a n={-i}i {START + (i - 3) * HOUR}", f"latest,k=new{i} n={i}i {START + i * HOUR}"])
    db.sql("ALTER TABLE events ALTER COLUMN late TYPE INT", "ALTER TABLE events ADD COLUMN more VARCHAR",
           "UPDATE events SET n = 5 WHERE n = 121", f"INSERT INTO events (ts, more) VALUES ({START + 5}, 'more'), ({START + 800 * HOUR}, null)",
           f"INSERT INTO whole VALUES ({START}, 1)")
    db.server.stop()
    db._copy_db()
    db.server.settings["cairo.wal.apply.enabled"] = "true"
    db.server.start()
    db.applied()
