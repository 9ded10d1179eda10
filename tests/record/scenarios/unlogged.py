"""A change that leaves no record in the log."""

DESCRIPTION = "FORCE DROP PARTITION takes a partition away without a record in the log: the applied table beside the log differs from its replay"

START = 1_712_000_000_000_000  # 2024-04-01T19:33:20
HOUR = 3_600_000_000


def run(db):
    db.sql("CREATE TABLE forced (ts TIMESTAMP, n INT, s SYMBOL) TIMESTAMP(ts) PARTITION BY DAY WAL",
           "CREATE TABLE untouched (ts TIMESTAMP, n INT, s SYMBOL) TIMESTAMP(ts) PARTITION BY DAY WAL")
    for table in ("forced", "untouched"):
        db.insert(table, [f"{START + i * HOUR}, {i}, 's{i % 4}'" for i in range(80)])
    db.snapshot()
    db.sql("ALTER TABLE forced FORCE DROP PARTITION LIST '2024-04-02'")
    db.applied()
    db.expect_differs("forced", ["2024-04-02"])
    db.insert("forced", [f"{START + 79 * HOUR}, 100, 'new'"])
