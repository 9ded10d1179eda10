"""Schema changes of every kind, with rows before, between and after."""

DESCRIPTION = "ALTER TABLE: add, drop, rename and re-add columns, change of types, deduplication keys, index, cache, capacity, parameters, TTL"

DAY = 86_400_000_000
START = 1_709_251_200_000_000  # 2024-03-01


def run(db):
    r = db.random
    db.sql("CREATE TABLE evo (ts TIMESTAMP, a INT, b VARCHAR, s SYMBOL, d DOUBLE) TIMESTAMP(ts) PARTITION BY DAY WAL")

    def rows(n, **columns):
        """n rows at random times of five days; `columns` maps a name to a maker of literals."""
        out = []
        for _ in range(n):
            out.append(", ".join([str(START + r.randrange(5 * DAY))] + [make() for make in columns.values()]))
        db.insert("evo", out, "(ts, " + ", ".join(columns) + ")" if columns else "(ts)")

    integer = lambda: r.choice(["null", str(r.randrange(-10**6, 10**6))])
    text = lambda: r.choice(["null", "''", f"'{r.randrange(1000)}'", "'some longer words'", "'ü'"])
    symbol = lambda: r.choice(["null", "''", f"'s{r.randrange(9)}'"])
    real = lambda: r.choice(["null", f"{r.uniform(-1000, 1000):.4f}"])

    rows(40, a=integer, b=text, s=symbol, d=real)
    for kind, name in [("LONG", "n1"), ("BOOLEAN", "n2"), ("BYTE", "n3"), ("SHORT", "n4"), ("CHAR", "n5"), ("STRING", "n6"),
                       ("SYMBOL", "n7"), ("VARCHAR", "n8"), ("DOUBLE[]", "n9"), ("DECIMAL(20,4)", "n10"), ("UUID", "n11"),
                       ("IPv4", "n12"), ("GEOHASH(5c)", "n13"), ("LONG256", "n14"), ("BINARY", "n15"), ("TIMESTAMP_NS", "n16")]:
        db.sql(f"ALTER TABLE evo ADD COLUMN {name} {kind}")
    rows(20, a=integer, n1=integer, n2=lambda: "true", n3=lambda: "7", n4=lambda: "700", n5=lambda: "'x'", n6=text, n7=symbol, n8=text,
         n9=lambda: "ARRAY[1.0, 2.0]", n10=lambda: "12.5m", n11=lambda: "rnd_uuid4()", n12=lambda: "'9.8.7.6'", n13=lambda: "#u33d8",
         n14=lambda: "0x0abc", n16=lambda: "'2024-01-01T00:00:00.123456789Z'")
    db.snapshot()
    # Drop, and bring the same name back as another type: a new slot.
    db.sql("ALTER TABLE evo DROP COLUMN b")
    rows(15, a=integer, d=real)
    db.sql("ALTER TABLE evo ADD COLUMN b LONG")
    rows(15, a=integer, b=integer)
    db.sql("ALTER TABLE evo DROP COLUMN b", "ALTER TABLE evo ADD COLUMN b SYMBOL")
    rows(15, a=integer, b=symbol)
    db.snapshot()
    # Rename, also onto a name that was in use before, and a symbol while its clean keys are in use.
    db.sql("ALTER TABLE evo RENAME COLUMN a TO a_old", "ALTER TABLE evo RENAME COLUMN d TO a", "ALTER TABLE evo RENAME COLUMN s TO sym")
    rows(25, a=real, a_old=integer, sym=symbol)
    db.sql("ALTER TABLE evo RENAME COLUMN sym TO S")
    rows(25, s=symbol, a=real)
    db.sql("ALTER TABLE evo ADD COLUMN ünïcode VARCHAR")
    rows(5, ünïcode=text)
    db.snapshot()
    db.sql("ALTER TABLE evo ALTER COLUMN n1 TYPE VARCHAR", "ALTER TABLE evo ALTER COLUMN n8 TYPE SYMBOL",
           "ALTER TABLE evo ALTER COLUMN n7 TYPE STRING", "ALTER TABLE evo ALTER COLUMN a_old TYPE DOUBLE",
           "ALTER TABLE evo ALTER COLUMN n3 TYPE INT")
    rows(25, n1=text, n8=symbol, n7=text, a_old=real, n3=integer)
    db.snapshot()
    db.sql("ALTER TABLE evo ALTER COLUMN s ADD INDEX", "ALTER TABLE evo ALTER COLUMN s NOCACHE", "ALTER TABLE evo ALTER COLUMN s CACHE",
           "ALTER TABLE evo ALTER COLUMN s DROP INDEX", "ALTER TABLE evo ALTER COLUMN s SYMBOL CAPACITY 1024",
           "ALTER TABLE evo SET PARAM maxUncommittedRows = 1000", "ALTER TABLE evo SET PARAM o3MaxLag = 20s",
           "ALTER TABLE evo SET TTL 52 WEEKS")
    rows(25, s=symbol, n8=symbol)
    db.sql("ALTER TABLE evo SET TTL 0 HOURS")
    db.snapshot()
    db.sql("ALTER TABLE evo DEDUP ENABLE UPSERT KEYS(ts)")
    rows(30, s=symbol, a=real)
    db.sql("ALTER TABLE evo DEDUP DISABLE")
    rows(10, s=symbol, a=real)
    db.sql("ALTER TABLE evo DROP COLUMN n15", "ALTER TABLE evo DROP COLUMN n9")
    rows(10, s=symbol, n8=symbol)
