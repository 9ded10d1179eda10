"""Eight writers at once, while the schema changes under them."""

import random
import socket
import time

DESCRIPTION = "Eight concurrent ILP writers (six over HTTP, two over TCP) with columns created on the fly, racing with ALTER TABLE from a ninth connection"

START = 1_730_000_000_000_000
SECOND = 1_000_000


def run(db):
    db.sql("CREATE TABLE wr (ts TIMESTAMP, s SYMBOL, w LONG, n LONG, d DOUBLE) TIMESTAMP(ts) PARTITION BY HOUR WAL")
    jobs = [lambda w=w: over_http(db, w) for w in range(6)] + [lambda w=w: over_tcp(db, w) for w in (6, 7)]
    db.parallel(jobs + [lambda: alters(db)])
    settled(db)
    db.snapshot()
    db.sql("ALTER TABLE wr DEDUP ENABLE UPSERT KEYS(ts)")
    db.parallel([lambda w=w: over_http(db, w) for w in range(3)])
    settled(db)


def lines(r, writer, i):
    out = []
    for k in range(r.choice([1, 1, 3, 12, 30])):
        extra = r.choice(["", "", f",x{r.randrange(4)}={r.randrange(100)}i", f',note="writer {writer}"'])
        tag = r.choice([f",s=s{r.randrange(30)}", "", f",s=w{writer}"])
        at = START + (i * 40 + r.randrange(120)) * SECOND + writer * 1000 + k
        out.append(f"wr{tag} w={writer}i,n={i * 100 + k}i,d={r.random():.3f}{extra} {at}")
    return out


def over_http(db, writer):
    r = random.Random(f"{db.seed}:{writer}")
    for i in range(30):
        # A commit that an ALTER got ahead of may be refused: then it isn't in the log either.
        try:
            db.ilp(lines(r, writer, i))
        except Exception as e:  # noqa: BLE001
            print(f"  writer {writer}: {str(e)[:120]}")


def over_tcp(db, writer):
    r = random.Random(f"{db.seed}:{writer}")
    with socket.create_connection(("127.0.0.1", db.server.ilp_port)) as s:
        for i in range(30):
            text = "\n".join(f"{head} {at}000" for head, at in (l.rsplit(" ", 1) for l in lines(r, writer, i)))
            s.sendall(text.encode() + b"\n")
            time.sleep(0.02)


def alters(db):
    for i, statement in enumerate([
        "ADD COLUMN c1 INT", "ADD COLUMN c2 SYMBOL", "RENAME COLUMN c1 TO c3", "DROP COLUMN c2", "ADD COLUMN c2 VARCHAR", "ALTER COLUMN c3 TYPE LONG",
        "RENAME COLUMN d TO dd", "ALTER COLUMN s SYMBOL CAPACITY 512", "DROP COLUMN c3", "ALTER COLUMN c2 TYPE SYMBOL", "ADD COLUMN c4 DOUBLE[]", "DROP COLUMN dd",
    ]):
        time.sleep(0.06)
        message = db.attempt(f"ALTER TABLE wr {statement}")
        if message:
            print(f"  refused: {statement}: {message}")


def settled(db):
    """ILP over TCP commits when it likes: waits until the log has stopped growing."""
    last, since = -1, time.monotonic()
    while time.monotonic() - since < 3:
        now = db.seq_txn("wr")
        if now != last:
            last, since = now, time.monotonic()
        time.sleep(0.1)
