"""Indexes and dictionaries as the server writes them: the files of the applied tables are kept."""

DESCRIPTION = "Indexed symbols in order, late and with a column top; dictionaries below and beyond their capacity"

APPLIED = True

START = 1_704_067_200_000_000  # 2024-01-01
SECOND = 1_000_000
NAMES = ["", "a", "b", "é", "日本", "😀", "a longer symbol", "B"]


def run(db):
    r = db.random

    def symbol(names):
        return r.choice([f"'{name}'" for name in names] + ["null"])

    db.sql("CREATE TABLE ix (ts TIMESTAMP, n INT, s SYMBOL CAPACITY 16 INDEX CAPACITY 4, t SYMBOL CAPACITY 128 INDEX CAPACITY 8, "
           "u SYMBOL CAPACITY 128 NOCACHE, g SYMBOL CAPACITY 16) TIMESTAMP(ts) PARTITION BY DAY WAL")
    # In order, several commits to each of two days.
    for i in range(6):
        rows = []
        for k in range(i * 60, i * 60 + 60):
            many = [f"t{r.randrange(100)}"]
            # `u` stays below four fifths of its capacity, `g` goes far beyond its own.
            rows.append(f"{START + k * 400 * SECOND}, {k}, {symbol(NAMES)}, {symbol(many)}, {symbol([f'u{k % 97}'])}, 'g{k}'")
        db.insert("ix", rows)
        db.applied()
    db.sql("CREATE TABLE late (ts TIMESTAMP, s SYMBOL INDEX CAPACITY 4) TIMESTAMP(ts) PARTITION BY DAY WAL")
    db.insert("late", [f"{START + k * 100 * SECOND}, {symbol(NAMES)}" for k in range(200)])
    db.applied()
    db.sql("ALTER TABLE late ADD COLUMN w SYMBOL INDEX CAPACITY 4")
    db.insert("late", [f"{START + (20_000 + k * 90) * SECOND}, {symbol(NAMES)}, {symbol(['x', 'y'])}" for k in range(60)])
    db.applied()
    db.insert("late", [f"{START + k * 170 * SECOND}, {symbol(NAMES)}, {symbol(['x', 'z'])}" for k in range(100)])
    db.applied()
