"""Deduplication by the designated timestamp and further columns."""

DESCRIPTION = (
    "DEDUP UPSERT KEYS with symbols and with keys of many types, nulls and empty values among them; "
    "switched off and on over duplicates, keys changed, key columns renamed, dropped and converted"
)

MINUTE = 60_000_000
START = 1_738_368_000_000_000  # 2025-02-01


def run(db):
    symbols(db)
    many_types(db)
    changing_keys(db)


def symbols(db):
    r = db.random
    db.sql("CREATE TABLE ks (ts TIMESTAMP, s SYMBOL, venue SYMBOL, n LONG, v VARCHAR) TIMESTAMP(ts) PARTITION BY HOUR WAL "
           "DEDUP UPSERT KEYS(ts, s, venue)")
    db.multiset("ks")
    number = 0

    def commit(rows, spread):
        nonlocal number
        lines = []
        for _ in range(rows):
            number += 1
            tags = r.choice([",s=A", ",s=B", ",s=C", ""]) + r.choice([",venue=x", ",venue=y", ""])
            lines.append(f'ks{tags} n={number}i,v="{number}" {START + r.randrange(spread) * 5 * MINUTE}')
        db.ilp(lines)

    for i in range(10):
        commit(r.choice([1, 10, 80, 150]), 60)
    db.snapshot("ks")
    db.sql(f"INSERT INTO ks VALUES ({START}, '', 'x', -1, 'empty symbol'), ({START}, null, 'x', -2, 'null symbol'), ({START}, '', 'x', -3, 'again')")
    db.snapshot("ks")
    db.sql("ALTER TABLE ks DEDUP DISABLE")
    for i in range(4):
        commit(80, 40)
    db.snapshot("ks")
    db.sql("ALTER TABLE ks DEDUP ENABLE UPSERT KEYS(ts, s)")
    for i in range(5):
        commit(60, 45)
    db.snapshot("ks")
    # Writers at once, on the same keys.
    batches = [[f"ks,s=S{i % 5},venue=w n={1000 * w + i}i {START + (i % 30) * 5 * MINUTE}" for i in range(60)] for w in range(4)]
    db.parallel([lambda b=b: db.ilp(b, 20) for b in batches])


def many_types(db):
    db.sql("CREATE TABLE kt (ts TIMESTAMP, k1 INT, k2 LONG, k3 VARCHAR, k4 STRING, k5 UUID, k6 IPv4, k7 BOOLEAN, k8 SHORT, k9 CHAR, "
           "k10 DATE, k11 TIMESTAMP, k12 LONG256, k13 GEOHASH(6c), k14 BYTE, n LONG) TIMESTAMP(ts) PARTITION BY DAY WAL "
           "DEDUP UPSERT KEYS(ts, k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11, k12, k13, k14)")
    db.multiset("kt")
    select = (f"INSERT INTO kt SELECT ({START} + (x % 20) * 3600000000)::timestamp, rnd_int(0, 1, 2), rnd_long(0, 1, 2), rnd_varchar('a', '', null), "
              "rnd_str('b', '', null), (CASE WHEN rnd_boolean() THEN '11111111-2222-3333-4444-555555555555' END)::uuid, "
              "(CASE WHEN rnd_boolean() THEN '1.2.3.4' END)::ipv4, rnd_boolean(), 1::short, 'c', to_date('2020', 'yyyy'), null, 0x01, #u33d8b, "
              "1::byte, {0} * 1000 + x FROM long_sequence(300, {0}, 7)")
    for i in range(1, 5):
        db.sql(select.format(i))
        db.snapshot("kt")
    # Floating point keys: zero and minus zero are two keys, nulls are one.
    db.sql("CREATE TABLE kf (ts TIMESTAMP, d DOUBLE, f FLOAT, n LONG) TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, d, f)")
    db.multiset("kf")
    values = ["0.0", "-0.0", "null", "1.5", "NaN"]
    for i in range(3):
        db.sql(f"INSERT INTO kf VALUES " + ", ".join(f"({START + k % 2}, {d}, {f}, {100 * i + k})"
               for k, (d, f) in enumerate((d, f) for d in values for f in ("0.0f", "null", "2.0f"))))
    db.snapshot("kf")


def changing_keys(db):
    r = db.random
    db.sql("CREATE TABLE kc (ts TIMESTAMP, a SYMBOL, b INT, c INT, n LONG) TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, a, b, c)")
    db.multiset("kc")
    number = 0

    def commit(columns):
        nonlocal number
        rows = []
        for _ in range(40):
            number += 1
            row = [str(START + r.randrange(8) * MINUTE * 300)]
            row += [r.choice(["null", "1", "2"]) if c not in ("a", "A2") else r.choice(["null", "'x'", "'y'", "''"]) for c in columns]
            rows.append(", ".join(row + [str(number)]))
        db.insert("kc", rows, f"(ts, {', '.join(columns)}, n)")

    commit("abc")
    commit("abc")
    db.sql("ALTER TABLE kc RENAME COLUMN a TO A2")
    commit(["A2", "b", "c"])
    db.snapshot("kc")
    db.sql("ALTER TABLE kc ALTER COLUMN b TYPE LONG")
    commit(["A2", "b", "c"])
    db.snapshot("kc")
    # Rows that collide once a key is gone are kept.
    db.sql("ALTER TABLE kc DROP COLUMN c")
    db.snapshot("kc")
    commit(["A2", "b"])
    db.snapshot("kc")
    db.sql("ALTER TABLE kc DEDUP ENABLE UPSERT KEYS(ts, b)")
    commit(["A2", "b"])
    db.snapshot("kc")
    db.sql("ALTER TABLE kc DEDUP ENABLE UPSERT KEYS(ts)")
    commit(["A2", "b"])
