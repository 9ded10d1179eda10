"""Types without a null, changed above and below a column's top, in partitions with and without late rows."""

DESCRIPTION = (
    "BYTE, SHORT and BOOLEAN columns added to a partition that has rows, then changed to types with nulls: "
    "what a merge has rewritten reads as zero, what it has left reads as null"
)

# Where the rows after the new columns go; one commit per inner list.
LATE = {
    "appended": [["2024-01-01T05", "2024-01-01T06"]],
    "next_day": [["2024-01-02T05"]],
    "before_all": [["2024-01-01T00:30", "2024-01-01T06"]],
    "among_old": [["2024-01-01T01:30"]],
    "among_old_and_next_day": [["2024-01-01T01:30", "2024-01-02T05"]],
    "appended_then_among_old": [["2024-01-01T05"], ["2024-01-01T02:30"]],
    "appended_then_among_new": [["2024-01-01T05", "2024-01-01T07"], ["2024-01-01T06"]],
    "appended_then_between": [["2024-01-01T05", "2024-01-01T07"], ["2024-01-01T04"]],
    "between_old": [["2024-01-01T02:30", "2024-01-01T07"]],
    "same_time_as_last": [["2024-01-01T03"]],
}

# Types with a null, changed to one without and on to one with: whether a null was written shows then.
NULLABLE = (("d", "DOUBLE"), ("v", "VARCHAR"), ("y", "SYMBOL"))

OLD = "SELECT dateadd('h', x::int, '2024-01-01T00'::timestamp), x::int FROM long_sequence(3)"
LARGE = "SELECT dateadd('s', x::int, '2024-01-01T00'::timestamp), 1 FROM long_sequence(17000)"


def run(db):
    for table, commits in LATE.items():
        change(db, table, OLD, commits)
    change(db, "large", LARGE, [["2024-01-01T04:40:00.5"]])
    change(db, "upserted_last", OLD, [["2024-01-01T03"]], "DEDUP UPSERT KEYS(ts)")
    change(db, "upserted_behind", OLD, [["2024-01-01T05"], ["2024-01-01T05"]], "DEDUP UPSERT KEYS(ts)")
    change(db, "upserted_second", OLD, [["2024-01-01T05", "2024-01-01T07"], ["2024-01-01T07"]], "DEDUP UPSERT KEYS(ts)")
    change(db, "upserted_and_behind", OLD, [["2024-01-01T05"], ["2024-01-01T05", "2024-01-01T07"]], "DEDUP UPSERT KEYS(ts)")
    change(db, "upserted_among", OLD, [["2024-01-01T05"], ["2024-01-01T02"]], "DEDUP UPSERT KEYS(ts)")


def change(db, table, old, commits, dedup=""):
    db.sql(f"CREATE TABLE {table} (ts TIMESTAMP, k INT) TIMESTAMP(ts) PARTITION BY DAY WAL {dedup}")
    db.sql(f"INSERT INTO {table} {old}")
    for column, kind in (("b", "BYTE"), ("f", "BOOLEAN"), ("s", "SHORT"), ("i", "INT"), *NULLABLE):
        db.sql(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
    for number, commit in enumerate(commits):
        db.insert(table, [f"'{ts}', {number}, 7, true, 8, 5, 9.5, '11', '12'" for ts in commit])
        db.applied(table)
    for column, kind in (("b", "INT"), ("f", "VARCHAR"), ("s", "DOUBLE"), ("i", "BYTE")):
        db.sql(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE {kind}")
    for column, _ in NULLABLE:
        db.sql(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE SHORT")
        db.sql(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE LONG")
    db.sql(f"ALTER TABLE {table} ALTER COLUMN i TYPE INT")
    db.applied(table)
