"""DROP PARTITION by list and by condition."""

DESCRIPTION = "ALTER TABLE DROP PARTITION LIST and WHERE in the many forms of literals and conditions that QuestDB reads, for every partition unit"

DAY = 86_400_000_000
START = 1_704_067_200_000_000  # 2024-01-01

# Each runs against twelve days from 2024-01-01 on with two rows each, which are put back before the next.
FORMS = [
    "LIST '2024-01-03'", "LIST '2024-01-04', '2024-01-06','2024-01-12'", "LIST '2023-12-31', '2024-01-05'", "LIST '2019-01-01'",
    "WHERE ts < '2024-01-04'", "WHERE ts <= '2024-01-04'", "WHERE ts > '2024-01-09'", "WHERE ts >= '2024-01-09'",
    "WHERE ts = '2024-01-04'", "WHERE ts != '2024-01-04'", "WHERE ts <> '2024-01-05'", "WHERE ts = '2024-01-04T12:00:00.000000Z'",
    "WHERE '2024-01-05' > ts", "WHERE ts < '2024-01-04T00:00:00.000000Z'", "WHERE ts < '2024-01-04T00:00:00.000001Z'",
    "WHERE ts < '2024-01-04 00:00:00'", "WHERE ts < '2024-01-04T06'", "WHERE ts < '2024-01-04T06:30'", "WHERE ts < '2024-01-04T06:30:15Z'",
    "WHERE ts < '2024-01-04T06:30:15.123Z'", "WHERE ts < '2024-01-04T01:00:00+02:00'", "WHERE ts < '2024-01'", "WHERE ts < '2025'",
    "WHERE ts < 1704412800000000", "WHERE ts < 1704412800000000L", "WHERE ts < 1704412800001000::timestamp", "WHERE ts < '2024-01-05'::timestamp",
    "WHERE ts < cast('2024-01-05' as timestamp)", "WHERE ts < timestamp '2024-01-05'",
    "WHERE ts BETWEEN '2024-01-03' AND '2024-01-05'", "WHERE ts BETWEEN '2024-01-05' AND '2024-01-03'", "WHERE ts NOT BETWEEN '2024-01-03' AND '2024-01-10'",
    "WHERE ts BETWEEN '2024-01-03T12' AND '2024-01-05T12'", "WHERE ts BETWEEN 1704240000000000 AND 1704412800000000",
    "WHERE ts IN '2024-01-06'", "WHERE ts IN '2024-01'", "WHERE ts IN '2024-01-02;2d'", "WHERE ts IN '2024-01-02T00:00;1h;2d;3'",
    "WHERE ts IN ('2024-01-06')", "WHERE ts IN ('2024-01-06', '2024-01-08T00:00:00.000000Z')", "WHERE ts NOT IN ('2024-01-06', '2024-01-08')", "WHERE ts NOT IN '2024-01-06'",
    "WHERE ts < now()", "WHERE ts > now()", "WHERE ts < dateadd('d', -3, '2024-01-08')", "WHERE ts < dateadd('d', -3, now())",
    "WHERE ts < dateadd('h', 36, '2024-01-03'::timestamp)",
    "WHERE ts < dateadd('y', -1, '2025-01-04')", "WHERE ts < dateadd('w', 1, '2024-01-02T00:00:00.000000Z')", "WHERE ts < dateadd('m', 90, '2024-01-03')",
    "WHERE ts < dateadd('s', -1, '2024-01-03')", "WHERE ts < now() - 3600000000",
    "WHERE ts < '2024-01-03' OR ts > '2024-01-10'", "WHERE ts > '2024-01-03' AND ts < '2024-01-10'", "WHERE NOT ts < '2024-01-08'", "WHERE NOT (ts > '2024-01-03' AND ts < '2024-01-10')",
    "WHERE (ts = '2024-01-02' OR ts = '2024-01-04') OR (ts >= '2024-01-06' AND NOT (ts = '2024-01-07' OR ts > '2024-01-09'))",
    "WHERE ts < '2024-01-05' AND ts IN ('2024-01-02', '2024-01-09')", "WHERE ts = null", "WHERE ts != null", "WHERE 1 = 1", "WHERE true", "WHERE false", "WHERE ts > '1970'",
    "WHERE TS < '2024-01-03'", "where \"ts\" < '2024-01-03'", "WHERE dp.ts < '2024-01-03'",
    "WHERE n > 3", "WHERE ts < '2024-W02'", "WHERE ts < '2024-01-04T00:00:00.000000001Z'", "WHERE ts < 'abc'",
]

# Functions that a replica has no reason to know: the first of them is where it may give up.
FUNCTIONS = [
    "WHERE year(ts) = 2024 AND month(ts) = 1 AND day(ts) = 3", "WHERE ts < to_timestamp('2024-01-05', 'yyyy-MM-dd')", "WHERE ts < to_timestamp('2024-01-05:06:00:00', 'yyyy-MM-dd:HH:mm:ss')",
    "WHERE ts < dateadd('M', 2, to_timestamp('2023-11-05', 'yyyy-MM-dd'))",
    "WHERE ts < timestamp_floor('d', '2024-01-04T10:00:00.000000Z')",
    "WHERE ts < date_trunc('day', '2024-01-04T10:00:00.000000Z'::timestamp)", "WHERE ts < '2024-01-02T00:00:00.000000Z'::timestamp + 86400000000L",
    "WHERE ts < systimestamp() AND ts < '2024-01-06'", "WHERE ts < sysdate() AND ts > '2024-01-06'",
]


def run(db):
    days(db, "dp", FORMS)
    days(db, "dp_functions", FUNCTIONS)
    # Table and rows come first, then the first of the statements.
    db.expect_diverged("dp_functions", 2)
    for unit, step, lists in [
        ("HOUR", 30 * 60, ["'2024-01-01T03'", "'2024-01-01T05', '2024-01-01T07'"]),
        ("WEEK", 3 * 86400, ["'2024-W02'", "'2024-W04', '2024-W05'", "'2024-01-01'"]),
        ("MONTH", 11 * 86400, ["'2024-02'", "'2024-04', '2024-06'"]),
        ("YEAR", 120 * 86400, ["'2025'", "'2024', '2026'"]),
    ]:
        by_unit(db, unit, step, lists)


def days(db, table, forms):
    db.sql(f"CREATE TABLE {table} (ts TIMESTAMP, n LONG) TIMESTAMP(ts) PARTITION BY DAY WAL")
    for i, form in enumerate(forms):
        fill(db, table, 12, 86_400, i * 100)
        db.applied(table)
        message = db.attempt(f"ALTER TABLE {table} DROP PARTITION {form}")
        if message:
            print(f"  refused: {form}: {message}")
        else:
            db.snapshot(table)
        db.sql(f"TRUNCATE TABLE {table}")
    fill(db, table, 12, 86_400, 0)


def by_unit(db, unit, step, lists):
    table = f"dp_{unit.lower()}"
    db.sql(f"CREATE TABLE {table} (ts TIMESTAMP, n LONG) TIMESTAMP(ts) PARTITION BY {unit} WAL")
    for i, names in enumerate(lists):
        fill(db, table, 20, step, i * 100)
        message = db.attempt(f"ALTER TABLE {table} DROP PARTITION LIST {names}")
        if message:
            print(f"  refused: {unit} {names}: {message}")
        db.snapshot(table)
    middle = START + 8 * step * 1_000_000
    db.sql(f"ALTER TABLE {table} DROP PARTITION WHERE ts < {middle}")
    db.snapshot(table)
    db.sql(f"ALTER TABLE {table} DROP PARTITION WHERE ts > {middle + 3 * step * 1_000_000}")
    db.snapshot(table)
    # All of it, and rows again.
    db.sql(f"ALTER TABLE {table} DROP PARTITION WHERE ts > 0")
    db.snapshot(table)
    fill(db, table, 6, step, 900)


def fill(db, table, count, step, base):
    rows = []
    for i in range(count):
        at = START + i * step * 1_000_000
        rows += [f"{at}, {base + 2 * i}", f"{at + step * 500_000}, {base + 2 * i + 1}"]
    db.insert(table, rows)
