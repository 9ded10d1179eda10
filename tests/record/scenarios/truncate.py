"""TRUNCATE between commits."""

DESCRIPTION = "TRUNCATE TABLE: dictionaries and schema stay; commits before it may be skipped; symbols known only from skipped rows; twice in a row; of an empty table"

DAY = 86_400_000_000
START = 1_717_200_000_000_000


def run(db):
    r = db.random
    db.sql("CREATE TABLE tr (ts TIMESTAMP, s SYMBOL, n INT) TIMESTAMP(ts) PARTITION BY DAY WAL", "TRUNCATE TABLE tr")
    number = 0

    def commits(count):
        nonlocal number
        for _ in range(count):
            lines = []
            for _ in range(r.choice([1, 4, 30])):
                number += 1
                lines.append(f"tr,s=s{number % 97 + number // 50} n={number}i {START + r.randrange(4 * DAY)}")
            db.ilp(lines)

    commits(5)
    db.snapshot()
    # Faster than they are applied: the server may skip what a later truncate erases.
    commits(25)
    db.sql("TRUNCATE TABLE tr")
    commits(10)
    db.sql("TRUNCATE TABLE tr", "TRUNCATE TABLE tr")
    db.snapshot()
    commits(10)
    db.snapshot()
    db.sql("ALTER TABLE tr ADD COLUMN s2 SYMBOL", "TRUNCATE TABLE tr", "ALTER TABLE tr DROP COLUMN n")
    db.restart()
    db.ilp([f"tr,s=s{i},s2=t{i % 5} {START + i * 7_000_000_000}" for i in range(80)])
    db.snapshot()
    db.sql("TRUNCATE TABLE tr KEEP SYMBOL MAPS")
    db.ilp([f"tr,s=s{i + 40},s2=u{i % 5} {START + i * 7_000_000_000}" for i in range(40)])
