"""Several lives of a server; the last recording is taken while it runs."""

DESCRIPTION = (
    "A server that is restarted between commits: several WAL writers whose clean prefixes of symbols differ; "
    "taken while the server runs, so the last segments are open and pre-extended"
)

START = 1_720_000_000_000_000
MINUTE = 60_000_000


def run(db):
    r = db.random
    db.sql("CREATE TABLE li (ts TIMESTAMP, s SYMBOL, t SYMBOL, n LONG, v VARCHAR, st STRING, a DOUBLE[], b BINARY) TIMESTAMP(ts) PARTITION BY HOUR WAL",
           "CREATE TABLE untouched (ts TIMESTAMP, n INT) TIMESTAMP(ts) PARTITION BY DAY WAL")
    for life in range(4):
        for i in range(8):
            lines = []
            for k in range(r.choice([1, 5, 25])):
                tags = r.choice([f",s=s{r.randrange(15 * (life + 1))}", ""]) + r.choice([f",t=t{life}-{i}", ",t=common", ""])
                lines.append(f'li{tags} n={life * 1000 + i * 50 + k}i,v="{"long " * (k % 4)}value",st="{k}" {START + r.randrange(400) * MINUTE}')
            db.ilp(lines)
        db.sql(f"INSERT INTO li (ts, s, t, n, v, st, a, b) SELECT ({START} + x * 1000000)::timestamp, 's' || x, null, x, rnd_varchar(1, 20, 1), rnd_str(1, 9, 1), "
               f"rnd_double_array(1, 1), rnd_bin(1, 30, 1) FROM long_sequence(10, {life + 1}, 2)")
        if life == 1:
            db.sql("ALTER TABLE li RENAME COLUMN t TO tt", "ALTER TABLE li ADD COLUMN u SYMBOL")
            db.sql("ALTER TABLE li RENAME COLUMN tt TO t")
        db.snapshot("li")
        if life < 3:
            db.restart()
    db.copy_live()
