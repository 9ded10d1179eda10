"""Partitions that expire."""

DESCRIPTION = "TTL in hours, days, weeks, months and years; late rows into expired partitions; TTL set, changed and lifted; rows dated in the future"

HOUR = 3_600_000_000
DAY = 24 * HOUR
START = 1_704_067_200_000_000  # 2024-01-01


def run(db):
    # Each commit is applied before the next: TTL is judged after every commit that the server applies.
    for name, unit, ttl, step in [("hours", "HOUR", "6 HOURS", HOUR // 2), ("days", "DAY", "3 DAYS", DAY // 3), ("by_hours", "DAY", "48 HOURS", DAY // 4),
                                  ("weeks", "WEEK", "2 WEEKS", 2 * DAY), ("months", "MONTH", "2 MONTHS", 9 * DAY), ("years", "YEAR", "2 YEARS", 100 * DAY),
                                  ("days_by_month", "DAY", "1 MONTH", 3 * DAY)]:
        expiring(db, f"ttl_{name}", unit, ttl, step)
    changing(db)
    future(db)


def commit(db, table, moments, number):
    db.insert(table, [f"{at}, {number + i}, 's{i % 3}'" for i, at in enumerate(moments)])
    db.applied(table)


def expiring(db, table, unit, ttl, step):
    r = db.random
    db.sql(f"CREATE TABLE {table} (ts TIMESTAMP, n INT, s SYMBOL) TIMESTAMP(ts) PARTITION BY {unit} TTL {ttl} WAL")
    now = START
    for i in range(24):
        now += step * r.choice([1, 1, 1, 2, 3])
        late = [max(now - r.randrange(30) * step, 2 * DAY) for _ in range(r.choice([0, 0, 1, 3]))]
        commit(db, table, late + [now, now + 1], i * 10)
        if i % 6 == 5:
            db.snapshot(table)
    # A commit of nothing but expired rows, one far before everything, and a leap.
    commit(db, table, [now - 25 * step, max(now - 40 * step, DAY)], 800)
    db.snapshot(table)
    commit(db, table, [max(START - 1000 * step, DAY)], 810)
    db.snapshot(table)
    commit(db, table, [now + 50 * step], 820)


def changing(db):
    table = "ttl_changing"
    db.sql(f"CREATE TABLE {table} (ts TIMESTAMP, n INT, s SYMBOL) TIMESTAMP(ts) PARTITION BY DAY WAL")
    commit(db, table, [START + i * DAY // 2 for i in range(40)], 0)
    db.sql(f"ALTER TABLE {table} SET TTL 10 DAYS")
    db.snapshot(table)
    commit(db, table, [START + 2 * DAY], 100)
    db.sql(f"ALTER TABLE {table} SET TTL 3D")
    db.snapshot(table)
    db.sql(f"ALTER TABLE {table} SET TTL 0 DAYS")
    commit(db, table, [START + DAY, START + 5 * DAY], 200)
    db.snapshot(table)
    commit(db, table, [START + 30 * DAY], 300)
    db.sql(f"ALTER TABLE {table} SET TTL 1 WEEK")
    db.snapshot(table)
    db.sql(f"ALTER TABLE {table} SET TTL 1 MONTH")
    commit(db, table, [START + 90 * DAY], 400)
    db.snapshot(table)
    db.sql(f"TRUNCATE TABLE {table}")
    commit(db, table, [START + i * DAY for i in (0, 20, 40)], 500)


def future(db):
    """The wall clock holds back expiry by rows of the future."""
    table = "ttl_future"
    db.sql(f"CREATE TABLE {table} (ts TIMESTAMP, n INT, s SYMBOL) TIMESTAMP(ts) PARTITION BY DAY TTL 3 DAYS WAL")
    now = db.sql("SELECT now()::long t")[0]["t"]
    commit(db, table, [now - 10 * DAY, now - 5 * DAY, now - 2 * DAY], 0)
    db.snapshot(table)
    commit(db, table, [now + 400 * DAY], 10)
    db.snapshot(table)
    commit(db, table, [now - 20 * DAY, now - DAY], 20)
    # QuestDB counts months between two moments whichever is earlier: the far future expires too.
    table = "ttl_future_months"
    db.sql(f"CREATE TABLE {table} (ts TIMESTAMP, n INT, s SYMBOL) TIMESTAMP(ts) PARTITION BY YEAR TTL 2 YEARS WAL")
    commit(db, table, [now + 5 * 366 * DAY, now + 8 * 366 * DAY, now + 20 * 366 * DAY], 0)
    db.snapshot(table)
    commit(db, table, [now - 366 * DAY, now + 25 * 366 * DAY, now + 30 * 366 * DAY], 10)
    db.snapshot(table)
    db.sql(f"CREATE TABLE {table}_2 (ts TIMESTAMP, n INT, s SYMBOL) TIMESTAMP(ts) PARTITION BY MONTH TTL 3 MONTHS WAL")
    for i in range(12):
        commit(db, table + "_2", [now + (200 - 17 * i) * DAY, now + (300 + 31 * i) * DAY], 10 * i)
        if i % 4 == 1:
            db.snapshot(table + "_2")
    # What expires is looked for after rows were committed, not after DROP PARTITION.
    commit(db, table, [now + (6 + 2 * i) * 366 * DAY for i in range(5)] + [now - 200 * DAY], 20)
    db.snapshot(table)
    db.sql(f"ALTER TABLE {table} DROP PARTITION WHERE ts < now()")
    db.snapshot(table)
    db.sql(f"UPDATE {table} SET n = 5 WHERE n = -99", f"ALTER TABLE {table} ADD COLUMN late INT")
    db.snapshot(table)
    db.sql(f"UPDATE {table} SET n = 5 WHERE n = 24")
    db.snapshot(table)
