"""Tables that the server stops applying."""

DESCRIPTION = (
    "An overflowing change of INT to DECIMAL suspends the table, later commits stay in the log; another table goes on; "
    "one that was suspended by the loss of its last extra key column and resumed"
)

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
    resumed(db)


def resumed(db):
    db.sql("CREATE TABLE resumed (ts TIMESTAMP, k INT, n LONG) TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, k)")
    db.multiset("resumed")
    db.insert("resumed", [f"{START + i % 5}, {i % 3}, {i}" for i in range(30)])
    db.sql("ALTER TABLE resumed DROP COLUMN k")
    db.snapshot("resumed")
    db.insert("resumed", [f"{START + i % 7}, {100 + i}" for i in range(10)])
    state = db.server.wait_applied(["resumed"])["resumed"]
    if state["suspended"]:
        db.server.stop()
        db.server.start()
        db.sql("ALTER TABLE resumed RESUME WAL")
        db.applied("resumed")
    else:
        print("  the table was not suspended")
