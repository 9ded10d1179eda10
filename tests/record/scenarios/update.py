"""UPDATE statements, with literals and with bind variables."""

DESCRIPTION = (
    "UPDATE SET column = literal or bind variable WHERE comparisons, AND, OR, NOT, nulls, symbols that only an UPDATE brings; "
    "in a second table one with an expression, which a replica can't execute exactly"
)

START = 1_710_000_000_000_000
HOUR = 3_600_000_000

# Against `up`; each is followed by a snapshot now and then, all run in order.
STATEMENTS = [
    "UPDATE up SET i = 5 WHERE i = 3",
    "UPDATE up SET i = null WHERE i > 40",
    "UPDATE up SET v = 'set' WHERE i = null",
    "UPDATE up SET v = 'not null' WHERE i != null AND i <= 6",
    "UPDATE up SET d = 1.5, f = 2.5f, l = 7 WHERE d > 0.5 AND d < 0.6",
    "UPDATE up SET d = null WHERE NOT (d > 0.1)",
    "UPDATE up SET s = 'fresh' WHERE s = 'a'",
    "UPDATE up SET s = null WHERE s = 'b' OR s = 'zzz'",
    "UPDATE up SET s = 'was null' WHERE s IS NULL",
    "UPDATE up SET s = '' WHERE s != 'fresh' AND s IS NOT NULL",
    "UPDATE up SET b = true WHERE b = false AND sh >= 10",
    "UPDATE up SET b = false WHERE b",
    "UPDATE up SET v = '', st = 'ünï☂' WHERE v = 'v7' OR st = 't9'",
    "UPDATE up SET v = null WHERE st IN ('t1', 't2', 't3')",
    "UPDATE up SET st = 'quote '' inside' WHERE v IS NULL",
    "UPDATE up SET u = '11111111-2222-3333-4444-555555555555' WHERE l < 20",
    "UPDATE up SET ip = '1.2.3.4' WHERE u = '11111111-2222-3333-4444-555555555555'",
    "UPDATE up SET t = '2024-05-05T05:05:05.123456Z' WHERE ts >= '2024-03-10'",
    "UPDATE up SET dt = '2024-05-05T05:05:05.123Z' WHERE ts BETWEEN '2024-03-09T20' AND '2024-03-10T04'",
    "UPDATE up SET c = 'x' WHERE ts < '2024-03-09T20:00:00.000000Z'",
    "UPDATE up SET i = -1 WHERE ts IN '2024-03-11'",
    "UPDATE up SET l = 9223372036854775807 WHERE i < 0",
    "UPDATE up SET i = 0",
    "UPDATE up SET i = 1 WHERE l > 100 AND (s = 'fresh' OR NOT b = true)",
    "UPDATE up SET i = 2 WHERE l = 12345678",
    "UPDATE up SET f = -0.0f WHERE f != 2.5",
    "UPDATE up SET v = 'last' WHERE 50 < l",
    "UPDATE up SET g = #u33 WHERE l = 3 OR l = 4",
    "UPDATE up SET dc = 12.345m WHERE l >= 30",
    "UPDATE up SET i = 77 WHERE c = 'x'",
    "UPDATE up SET i = 78 WHERE dc = 12.345m",
    "UPDATE up SET i = 79 WHERE dt > '2024-01-01'",
    "UPDATE up SET i = 80 WHERE ip = '1.2.3.4' AND v = 'last'",
]


def run(db):
    db.sql("CREATE TABLE up (ts TIMESTAMP, i INT, l LONG, sh SHORT, by BYTE, d DOUBLE, f FLOAT, s SYMBOL, v VARCHAR, st STRING, b BOOLEAN, c CHAR, "
           "u UUID, ip IPv4, t TIMESTAMP, dt DATE, l2 LONG256, g GEOHASH(3c), dc DECIMAL(10,3)) TIMESTAMP(ts) PARTITION BY DAY WAL")
    db.sql(f"INSERT INTO up SELECT ({START} + x * {HOUR})::timestamp, CASE WHEN x % 7 = 0 THEN null ELSE (x % 50)::int END, x, (x % 30)::short, (x % 20)::byte, "
           "rnd_double(2), rnd_float(2), rnd_symbol('a', 'b', 'c', null), 'v' || (x % 10), 't' || (x % 11), x % 3 = 0, 'q', rnd_uuid4(), rnd_ipv4(), "
           "null, null, null, null, null FROM long_sequence(90, 4, 5)")
    for i, statement in enumerate(STATEMENTS):
        message = db.attempt(statement)
        if message:
            print(f"  refused: {statement}: {message}")
        if i % 4 == 3:
            db.snapshot("up")
        if i == 15:
            # New rows that use a symbol which only an UPDATE has brought.
            db.ilp([f"up,s=fresh i=3i,l={200 + k}i {START + k * HOUR + 5}" for k in range(20)])
    binds(db)
    # Another writer: the dictionary that it knows has the symbols of the updates.
    db.restart()
    db.ilp([f"up,s={s} i=3i,l={300 + k}i {START + k * HOUR + 6}" for k, s in enumerate(["fresh", "bound", "was\\ null", "new"] * 5)])
    db.snapshot("up")
    expression(db)


def binds(db):
    db.bound("UPDATE up SET i = $1, s = $2 WHERE d > $3 AND v != $4", 77, "bound", 0.5, "v9")
    db.bound("UPDATE up SET u = $1, dt = $2, l = $3 WHERE ts = $4", "22222222-2222-3333-4444-555555555555", "2024-01-01", 5, "2024-03-10T01:00:00.000000Z")
    db.bound("UPDATE up SET b = $1, f = $2, v = $3 WHERE sh < $4", "true", "1.5", None, "3", types=(16, 700, 25, 21))
    db.bound("UPDATE up SET i = $1 WHERE l = $2", 42, 33, types=(23, 20))
    db.bound("UPDATE up SET v = $1 WHERE s = $2", "by symbol", "bound")
    db.snapshot("up")


def expression(db):
    db.sql("CREATE TABLE up_expr (ts TIMESTAMP, n LONG, s SYMBOL) TIMESTAMP(ts) PARTITION BY DAY WAL",
           f"INSERT INTO up_expr SELECT ({START} + x * {HOUR})::timestamp, x, rnd_symbol('a', 'b') FROM long_sequence(40, 1, 2)",
           "UPDATE up_expr SET n = 5 WHERE n = 4")
    db.snapshot("up_expr")
    db.sql("UPDATE up_expr SET n = n * 2 + length(s) WHERE n % 3 = 1")
    db.expect_diverged("up_expr", db.seq_txn("up_expr"))
    db.ilp([f"up_expr,s=c n={i}i {START + i * HOUR + 1}" for i in range(10)])
