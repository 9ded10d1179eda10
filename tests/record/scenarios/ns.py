"""Timestamps in nanoseconds."""

DESCRIPTION = "TIMESTAMP_NS as the designated timestamp, with and without deduplication, out of order, partitions of several units, and as an ordinary column"

START = 1_735_689_600_000_000_000  # 2025-01-01, ns
HOUR = 3_600_000_000_000


def run(db):
    r = db.random
    for name, unit, more in [("ns_day", "DAY", ""), ("ns_hour", "HOUR", " DEDUP UPSERT KEYS(ts)"), ("ns_month", "MONTH", "")]:
        db.sql(f"CREATE TABLE {name} (ts TIMESTAMP_NS, s SYMBOL, n LONG, other TIMESTAMP_NS, us TIMESTAMP) TIMESTAMP(ts) PARTITION BY {unit} WAL{more}")
        number = 0
        for i in range(12):
            lines = []
            for _ in range(r.choice([1, 20, 60])):
                number += 1
                if more:
                    at = START + r.randrange(60) * HOUR // 7 + r.randrange(2)
                else:
                    at = START + r.randrange(900 * HOUR if "month" in name else 50 * HOUR)
                lines.append(f"{name},s=s{number % 4} n={number}i {at}")
            db.server.write(lines, "n")
            if i in (3, 7):
                db.snapshot(name)
        db.sql(f"INSERT INTO {name} VALUES ('2025-01-01T00:00:00.000000001Z', null, -1, '2024-02-29T12:34:56.123456789Z', '2024-02-29T12:34:56.123456Z'), "
               f"('1970-01-01T00:00:00.000000001Z', '', -2, '1969-12-31T23:59:59.999999999Z', null)")
    db.sql("ALTER TABLE ns_day DROP PARTITION LIST '2025-01-01'", "ALTER TABLE ns_day DROP PARTITION WHERE ts < '2024-12-31T00:00:00.000000001Z'")
    db.sql("CREATE TABLE ns_ttl (ts TIMESTAMP_NS, n LONG) TIMESTAMP(ts) PARTITION BY DAY TTL 2 DAYS WAL")
    for i in range(10):
        db.sql(f"INSERT INTO ns_ttl VALUES ({START + i * 17 * HOUR + i}, {i}), ({START + i * 9 * HOUR}, {100 + i})")
        db.applied()
        if i % 3 == 0:
            db.snapshot("ns_ttl")
