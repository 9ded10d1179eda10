"""Tables that the server stops applying."""

DESCRIPTION = (
    "An overflowing change of INT to DECIMAL suspends the table, later commits stay in the log; another table goes on; "
    "an UPDATE that fails when it is applied; what can't be done to Parquet partitions; a table that was suspended by hand and resumed"
)

SETTINGS = {"dev.mode.enabled": "true"}

START = 1_712_000_000_000_000
HOUR = 3_600_000_000


def run(db):
    db.sql("CREATE TABLE stuck (ts TIMESTAMP, i INT, s SYMBOL) TIMESTAMP(ts) PARTITION BY DAY WAL",
           "CREATE TABLE fine (ts TIMESTAMP, i INT, s SYMBOL) TIMESTAMP(ts) PARTITION BY DAY WAL")
    for table in ("stuck", "fine"):
        db.insert(table, [f"{START + i * HOUR}, {i * 1000}, 's{i % 4}'" for i in range(50)])
    db.snapshot()
    db.sql("ALTER TABLE fine ALTER COLUMN i TYPE DECIMAL(10,0)")
    db.sql("ALTER TABLE stuck ALTER COLUMN i TYPE DECIMAL(4,2)")
    db.expect_suspended("stuck", db.seq_txn("stuck"))
    db.applied()
    for table in ("stuck", "fine"):
        db.insert(table, [f"{START + i * HOUR + 1}, 7, 't{i}'" for i in range(10)], "(ts, i, s)")
    db.sql("ALTER TABLE stuck ADD COLUMN later INT")
    db.applied()
    update(db)
    parquet(db)
    resumed(db)


def update(db):
    """UPDATE of a LONG256 is accepted and fails when it is applied."""
    db.sql("CREATE TABLE unwritable (ts TIMESTAMP, n INT, x LONG256) TIMESTAMP(ts) PARTITION BY DAY WAL")
    db.insert("unwritable", [f"{START + i * HOUR}, {i}, 0x{i:02x}" for i in range(30)])
    db.sql("UPDATE unwritable SET n = 100 WHERE n = 7", "UPDATE unwritable SET x = 0x0abc WHERE n > 3")
    db.expect_suspended("unwritable", db.seq_txn("unwritable"))
    db.insert("unwritable", [f"{START}, -1, null"])
    # DECIMAL to an integer type is always accepted, and fails whatever the values are.
    db.sql("CREATE TABLE narrowed (ts TIMESTAMP, d DECIMAL(10,2)) TIMESTAMP(ts) PARTITION BY DAY WAL")
    db.insert("narrowed", [f"{START + i * HOUR}, {i}m" for i in range(30)])
    db.sql("ALTER TABLE narrowed ALTER COLUMN d TYPE LONG")
    db.expect_suspended("narrowed", db.seq_txn("narrowed"))
    db.applied()


def parquet(db):
    """What can't be done to partitions in Parquet form, and to those that don't exist."""
    for table in ("pq_update", "pq_type", "pq_missing", "pq_back"):
        db.sql(f"CREATE TABLE {table} (ts TIMESTAMP, n INT, s SYMBOL) TIMESTAMP(ts) PARTITION BY DAY WAL")
        db.insert(table, [f"{START + i * HOUR}, {i}, 's{i % 3}'" for i in range(60)])
    first, last = "2024-04-01", "2024-04-04"
    db.sql(f"ALTER TABLE pq_update CONVERT PARTITION TO PARQUET WHERE ts < '{last}'",
           f"UPDATE pq_update SET n = -1 WHERE ts > '{last}'", "UPDATE pq_update SET n = -2 WHERE n = 1000")
    db.insert("pq_update", [f"{START + i * HOUR + 1}, {1000 + i}, 'late'" for i in range(5)])
    db.sql("UPDATE pq_update SET s = 'never' WHERE n > 1001")
    db.expect_suspended("pq_update", db.seq_txn("pq_update"))
    db.sql(f"ALTER TABLE pq_type CONVERT PARTITION TO PARQUET LIST '{first}'",
           "ALTER TABLE pq_type RENAME COLUMN s TO t", "ALTER TABLE pq_type ALTER COLUMN n TYPE LONG")
    db.expect_suspended("pq_type", db.seq_txn("pq_type"))
    db.sql("ALTER TABLE pq_missing CONVERT PARTITION TO PARQUET WHERE ts > '2030'",
           f"ALTER TABLE pq_missing CONVERT PARTITION TO PARQUET LIST '{first}', '2030-01-01'")
    db.expect_suspended("pq_missing", db.seq_txn("pq_missing"))
    db.sql("ALTER TABLE pq_back CONVERT PARTITION TO PARQUET WHERE ts > 0",
           f"ALTER TABLE pq_back CONVERT PARTITION TO NATIVE LIST '{first}'", "UPDATE pq_back SET n = -1 WHERE ts < '2024-04-02'",
           f"ALTER TABLE pq_back DROP PARTITION LIST '{last}'")
    db.insert("pq_back", [f"{START + 55 * HOUR + i}, {2000 + i}, 'new'" for i in range(5)])
    db.sql("UPDATE pq_back SET n = 5 WHERE n >= 2000")
    db.applied()


def resumed(db):
    """Suspended by hand, and resumed: nothing of it is in the log."""
    db.sql("CREATE TABLE resumed (ts TIMESTAMP, i INT, n LONG) TIMESTAMP(ts) PARTITION BY DAY WAL")
    db.insert("resumed", [f"{START + i * HOUR}, {i}, {i}" for i in range(30)])
    db.snapshot("resumed")
    db.sql("ALTER TABLE resumed SUSPEND WAL")
    db.insert("resumed", [f"{START + i * HOUR}, {i}, {100 + i}" for i in range(30)])
    db.sql("ALTER TABLE resumed RESUME WAL")
    db.snapshot("resumed")
