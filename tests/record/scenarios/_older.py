"""What is recorded from older releases: types and statements that they know already."""

START = 1_700_000_000_000_000
HOUR = 3_600_000_000


def run(db):
    r = db.random
    db.sql("CREATE TABLE old (ts TIMESTAMP, bo BOOLEAN, by BYTE, sh SHORT, ch CHAR, i INT, l LONG, d DATE, t TIMESTAMP, f FLOAT, db DOUBLE, st STRING, sy SYMBOL, "
           "l2 LONG256, g GEOHASH(5c), u UUID, ip IPv4, vc VARCHAR, bi BINARY) TIMESTAMP(ts) PARTITION BY DAY WAL")
    insert = (f"INSERT INTO old SELECT ({START} + (x * 7919 % 97) * {HOUR})::timestamp, rnd_boolean(), rnd_byte(), rnd_short(), rnd_char(), rnd_int(-1000000, 1000000, 3), "
              "rnd_long(-10000000000, 10000000000, 3), rnd_date(to_date('2001', 'yyyy'), to_date('2030', 'yyyy'), 3), "
              "rnd_timestamp(to_timestamp('1960', 'yyyy'), to_timestamp('2030', 'yyyy'), 3), rnd_float(3), rnd_double(3) * 1e9, rnd_str(20, 1, 30, 3), "
              "rnd_symbol(30, 1, 12, 3), rnd_long256(), rnd_geohash(25), rnd_uuid4(), rnd_ipv4(), rnd_varchar(1, 30, 3), rnd_bin(1, 40, 3) FROM long_sequence({n}, {seed}, 2)")
    db.sql(insert.format(n=120, seed=1), f"INSERT INTO old (ts) VALUES ({START + 5})")
    db.snapshot("old")
    db.sql("ALTER TABLE old ADD COLUMN s2 SYMBOL", "ALTER TABLE old RENAME COLUMN vc TO text", "ALTER TABLE old DROP COLUMN bi")
    db.ilp([f'old,s2=s{i % 7} i={i}i,text="late {i}" {START + r.randrange(97) * HOUR}' for i in range(60)])
    db.sql("ALTER TABLE old ALTER COLUMN i TYPE LONG", "ALTER TABLE old ALTER COLUMN text TYPE SYMBOL")
    db.ilp([f'old,s2=s{i % 9},text=t{i % 4} l={i}i {START + r.randrange(97) * HOUR}' for i in range(40)])
    db.snapshot("old")
    db.sql("ALTER TABLE old DROP PARTITION LIST '2023-11-15'", "UPDATE old SET l = 5 WHERE sh > 100")
    db.restart()
    db.ilp([f"old,s2=s{i % 11} l={i}i {START + (100 + i) * HOUR}" for i in range(20)])
    deduplicated(db)


def deduplicated(db):
    r = db.random
    db.sql("CREATE TABLE old_dd (ts TIMESTAMP, s SYMBOL, n LONG) TIMESTAMP(ts) PARTITION BY HOUR WAL DEDUP UPSERT KEYS(ts)")
    for i in range(10):
        db.ilp([f"old_dd,s=s{r.randrange(9)} n={i * 100 + k}i {START + r.randrange(60) * HOUR // 4}" for k in range(r.choice([1, 20, 40]))])
        if i == 5:
            db.snapshot("old_dd")
            db.sql("TRUNCATE TABLE old_dd")
