"""Materialized views, whose own log replaces ranges."""

DESCRIPTION = "A base table and materialized views over it: manual and immediate refresh, late rows, a full refresh, invalidation by a change of the base table"

MINUTE = 60_000_000
START = 1_741_000_000_000_000


def run(db):
    r = db.random
    db.sql("CREATE TABLE base (ts TIMESTAMP, s SYMBOL, p DOUBLE, q LONG) TIMESTAMP(ts) PARTITION BY DAY WAL",
           "CREATE MATERIALIZED VIEW hourly REFRESH MANUAL AS (SELECT ts, s, first(p) o, max(p) h, min(p) l, last(p) c, sum(q) v FROM base SAMPLE BY 1h) "
           "PARTITION BY MONTH",
           "CREATE MATERIALIZED VIEW by_minute AS (SELECT ts, s, count() n, sum(q) v FROM base SAMPLE BY 5m) PARTITION BY DAY",
           "CREATE MATERIALIZED VIEW daily REFRESH MANUAL AS (SELECT ts, avg(v) v, count() n FROM hourly SAMPLE BY 1d) PARTITION BY YEAR")
    now = START

    def commit(rows, late):
        nonlocal now
        lines = []
        for _ in range(rows):
            now += r.randrange(4 * MINUTE)
            at = now - (r.randrange(900 * MINUTE) if r.random() < late else 0)
            lines.append(f"base,s={r.choice('ABC')} p={100 + r.gauss(0, 3):.2f},q={r.randrange(1, 100)}i {at}")
        db.ilp(lines)

    for i in range(6):
        for _ in range(4):
            commit(r.choice([1, 15, 60]), 0.02 if i % 2 else 0.2)
        db.refresh_view("hourly")
        db.refresh_view("daily")
        db.refreshed("by_minute")
        if i in (1, 3):
            db.snapshot()
    db.refresh_view("hourly", "FULL")
    db.refresh_view("daily", "FULL")
    db.snapshot("hourly", "daily")
    # Adding a column is nothing to a view; dropping a used one makes it invalid.
    db.sql("ALTER TABLE base ADD COLUMN extra INT")
    commit(30, 0.5)
    db.refresh_view("hourly")
    db.refreshed("by_minute")
    db.snapshot()
    db.sql("ALTER TABLE base DROP COLUMN q")
    db.ilp([f"base,s=A p=1.5 {now + i * MINUTE}" for i in range(20)])
    db.applied()
