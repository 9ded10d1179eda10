"""Tables that change their names, or go."""

DESCRIPTION = "RENAME TABLE (twice, names swapped, a name taken over by a new table) and DROP TABLE (also of a name that is created again)"

START = 1_700_000_000_000_000


def run(db):
    def create(name):
        db.sql(f"CREATE TABLE '{name}' (ts TIMESTAMP, n LONG, s SYMBOL) TIMESTAMP(ts) PARTITION BY DAY WAL")

    def fill(name, base):
        db.insert(name, [f"{START + (i * 7919 % 31) * 3_600_000_000}, {base + i}, 's{i % 5}'" for i in range(25)])

    for name in ("one", "two", "three", "four", "gone", "with space", "naïve ☂"):
        create(name)
        fill(name, 100)
    db.sql("RENAME TABLE one TO uno")
    fill("uno", 200)
    db.snapshot("uno")
    db.sql("RENAME TABLE uno TO eins")
    fill("eins", 300)
    # Names swapped.
    db.sql("RENAME TABLE two TO tmp", "RENAME TABLE three TO two", "RENAME TABLE tmp TO three")
    fill("two", 400)
    fill("three", 500)
    db.snapshot("two", "three")
    db.applied()
    db.sql("DROP TABLE gone")
    create("gone")
    fill("gone", 600)
    db.sql("ALTER TABLE gone ADD COLUMN again INT")
    db.applied()
    # Dropped with transactions that nobody has applied yet.
    fill("four", 700)
    fill("four", 800)
    db.sql("DROP TABLE four")
    db.sql("RENAME TABLE 'with space' TO 'four'")
    fill("four", 900)
    db.restart()
    fill("four", 1000)
    fill("eins", 1100)
    create("one")
    fill("one", 1200)
