"""Symbols by the ten thousand."""

DESCRIPTION = "More than 20,000 symbols in one column, null and empty symbols, several WAL writers with different clean prefixes, a symbol column added, renamed and dropped"

START = 1_704_067_200_000_000  # 2024-01-01
SECOND = 1_000_000


def run(db):
    r = db.random
    db.sql("CREATE TABLE sym (ts TIMESTAMP, many SYMBOL CAPACITY 256, few SYMBOL, n INT) "
           "TIMESTAMP(ts) PARTITION BY DAY WAL")
    number = 0

    def lines(count, universe):
        nonlocal number
        out = []
        for _ in range(count):
            number += 1
            name = f"K{r.randrange(universe):05d}"
            tags = r.choice([f",many={name}"] * 8 + [f",many={name}-é☂", ""])
            few = r.choice([",few=a", ",few=b", ""])
            out.append(f"sym{tags}{few} n={number}i {START + number * SECOND * 7}")
        return out

    for i in range(4):
        db.ilp(lines(700, 3000))
    db.sql(f"INSERT INTO sym VALUES ({START}, '', '', -1), ({START + 1}, null, null, -2), ({START + 2}, ' ', 'É', -3)")
    db.snapshot()
    db.restart()
    for i in range(5):
        db.ilp([f"sym,many=K{k:05d} n={k}i {START + k * 13 * SECOND}" for k in range(i, 20_000, 5)])
    # Several writers at once: each has its own clean prefix and its own numbering.
    batches = [[lines(300, 26_000) for _ in range(2)] for _ in range(3)]
    db.parallel([lambda b=b: [db.ilp(x) for x in b] for b in batches])
    db.snapshot()
    db.sql("ALTER TABLE sym RENAME COLUMN few TO fewer", "ALTER TABLE sym ADD COLUMN late SYMBOL")
    db.sql(f"INSERT INTO sym SELECT ({START} + x * 1000000)::timestamp, rnd_symbol(50, 3, 6, 2), "
           "rnd_symbol('a', 'b', 'c', ''), x::int, rnd_symbol('x', 'y', null, '') FROM long_sequence(500, 3, 4)")
    db.restart()
    db.sql("ALTER TABLE sym DROP COLUMN fewer")
    db.sql(f"INSERT INTO sym SELECT ({START} + x * 3000000)::timestamp, 'N' || (x % 900), 9 + x::int, "
           "'L' || (x % 40) FROM long_sequence(1000, 5, 6)")
    db.ilp([f"sym,many=K{i:05d},late=y n={i}i {START + i * 11 * SECOND}" for i in range(0, 30_000, 97)])
