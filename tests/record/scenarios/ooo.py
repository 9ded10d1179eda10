"""Rows that arrive far out of order."""

DESCRIPTION = "Heavy out-of-order: overlapping commits over several days, equal timestamps, late rows before all others"

DAY = 86_400_000_000
START = 1_722_470_400_000_000  # 2024-08-01


def run(db):
    r = db.random
    db.sql("CREATE TABLE ooo (ts TIMESTAMP, id LONG, s SYMBOL, v DOUBLE, note VARCHAR, str STRING) "
           "TIMESTAMP(ts) PARTITION BY DAY WAL")
    number = 0
    for commit in range(60):
        lines = []
        for _ in range(r.choice([1, 3, 20, 50, 120])):
            kind = r.random()
            if kind < 0.3:
                ts = START + commit * DAY // 12 + r.randrange(DAY // 24)
            elif kind < 0.6:
                ts = START + r.randrange(5 * DAY)
            elif kind < 0.8:
                ts = START + r.randrange(5 * 24) * DAY // 24  # many equal ones
            else:
                ts = START - r.randrange(2 * DAY)
            number += 1
            note = r.choice(["late", "on time", "", "a note that is longer than nine bytes", "naïve ☂"])
            lines.append(f'ooo,s=S{r.randrange(12)} id={number}i,v={r.random():.6f},note="{note}",str="row {number}" {ts}')
        db.ilp(lines)
        if commit in (9, 33):
            db.snapshot("ooo")
    # One commit that is before everything, and one that spans everything.
    db.ilp([f"ooo id={number + i}i {START - 3 * DAY + (50 - i) * 1000}" for i in range(50)])
    db.snapshot("ooo")
    db.ilp([f"ooo,s=last id={number + 100 + i}i,v={i}.5 {START - 3 * DAY + (i * 7919) % 97 * DAY // 11}" for i in range(97)])
