"""Every unit of partitioning."""

DESCRIPTION = "PARTITION BY HOUR, DAY, WEEK, MONTH and YEAR with rows before 1970, at year ends, leap days and ISO week borders"

EDGES = [
    "1969-12-28T23:59:59.999999Z", "1969-12-29T00:00:00.000000Z", "1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00.000000Z", "1970-01-04T23:59:59.999999Z",
    "1970-01-05T00:00:00.000000Z", "2000-02-29T12:00:00.000000Z", "2000-03-01T00:00:00.000000Z", "2019-12-29T23:59:59.999999Z", "2019-12-30T00:00:00.000000Z",
    "2020-02-29T23:59:59.999999Z", "2020-12-31T23:59:59.999999Z", "2021-01-01T00:00:00.000000Z", "2021-01-03T23:59:59.999999Z", "2021-01-04T00:00:00.000000Z",
    "2024-02-29T00:00:00.000000Z", "2024-12-29T23:59:59.999999Z", "2024-12-30T00:00:00.000000Z", "2024-12-31T23:59:59.999999Z", "2025-01-01T00:00:00.000000Z",
    "2025-03-30T01:30:00.000000Z", "2026-12-31T23:59:59.999999Z", "2027-01-03T23:59:59.999999Z", "2027-01-04T00:00:00.000000Z", "2100-02-28T23:59:59.999999Z",
    "2100-03-01T00:00:00.000000Z", "1900-01-01T00:00:00.000000Z", "1600-02-29T00:00:00.000000Z",
]


def run(db):
    r = db.random
    for unit in ("HOUR", "DAY", "WEEK", "MONTH", "YEAR"):
        table = f"by_{unit.lower()}"
        db.sql(f"CREATE TABLE {table} (ts TIMESTAMP, n INT, v VARCHAR) TIMESTAMP(ts) PARTITION BY {unit} WAL")
        edges = [e for e in EDGES if not (e < "1970" and refused(db, table, e))]
        order = list(enumerate(edges)) * 2
        r.shuffle(order)
        for start in range(0, len(order), 9):
            db.insert(table, [f"'{at}', {i}, 'edge {i}'" for i, at in order[start : start + 9]])
        db.snapshot(table)
        db.sql(f"INSERT INTO {table} SELECT timestamp_sequence('2024-12-27', 3600000000L * 5), x::int, 'v' || x FROM long_sequence(60)")


def refused(db, table, moment):
    message = db.attempt(f"INSERT INTO {table} VALUES ('{moment}', -1, null)")
    if message:
        print(f"  refused: {table} {moment}: {message}")
    return message is not None
