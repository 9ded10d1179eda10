"""ALTER COLUMN TYPE from every type to every type."""

import re
from decimal import Decimal, localcontext

DESCRIPTION = "Every change of a column's type that the server accepts, one column for each pair of types, with nulls and edge values; rows before and after"

START = 1_700_000_000_000_000
HOUR = 3_600_000_000

TEXTS = ["", "0", "12", "-5", "+5", "007", "abc", "a", "1.5", "-2.75", "1e3", "1E-3", "Infinity", "-Infinity", "NaN", "null", "true", "TRUE", "True", "false", "t", "1",
         " 7", "7 ", "99999999999", "128", "-129", "32768", "65536", "2147483647", "2147483648", "-2147483648", "9223372036854775807", "9223372036854775808",
         "-9223372036854775808", "1_000", "1,000", "0x1f", "12L", "12f", "12d", "3.4028236e38", "1e309", "4.9e-324", "123456789.123456789", ".5", "5.", "1.2.3.4", "255.255.255.255", "256.1.1.1",
         "0.0.0.0", "1.2.3", "11111111-2222-3333-4444-555555555555", "11111111-2222-3333-4444-55555555555A", "11111111222233334444555555555555", "2024", "2024-01", "2024-01-02",
         "2024-01-02T03", "2024-01-02T03:04", "2024-01-02T03:04:05", "2024-01-02T03:04:05Z", "2024-01-02T03:04:05.6Z", "2024-01-02T03:04:05.678Z", "2024-01-02T03:04:05.678901Z",
         "2024-01-02T03:04:05.678901234Z", "2024-01-02 03:04:05", "2024-01-02 03:04:05.678901", "2024-01-02T03:04:05+02:00", "2024-13-01", "2024-02-30", "1969-12-31T23:59:59.999Z",
         "0001-01-01", "9999-12-31T23:59:59.999999Z", "1700000000000", "é", "日本", "😀", "😀x", "x'y", "a longer text with blanks", "u33d8b", "0x0123456789abcdef"]

SOURCES = {
    "BOOLEAN": ["true", "false"],
    "BYTE": ["0", "1", "-1", "127", "-128"],
    "SHORT": ["0", "1", "-1", "200", "32767", "-32768"],
    "CHAR": ["'a'", "'5'", "' '", "'é'", "'日'", "null"],
    "INT": ["0", "1", "-1", "300", "70000", "2147483647", "-2147483647", "null"],
    "LONG": ["0", "1", "-1", "300", "70000", "3000000000", "9223372036854775807", "-9223372036854775807", "253402300800000000", "null"],
    "DATE": ["'2024-01-02T03:04:05.678Z'", "'1969-12-31T23:59:59.999Z'", "'9999-12-31T23:59:59.999Z'", "'1600-01-01T00:00:00.000Z'", "null"],
    "TIMESTAMP": ["'2024-01-02T03:04:05.678901Z'", "'1969-12-31T23:59:59.999999Z'", "'2262-04-11T23:47:16.854775Z'", "'9999-12-31T23:59:59.999999Z'", "null"],
    "TIMESTAMP_NS": ["'2024-01-02T03:04:05.678901234Z'", "'1969-12-31T23:59:59.999999999Z'", "'2262-04-11T23:47:16.854775807Z'", "'1970-01-01T00:00:00.000000001Z'", "null"],
    "FLOAT": ["0.0f", "-0.0f", "1.5f", "-2.7f", "3e20f", "1e-10f", "127.9f", "128.0f", "16777217f", "3.4028235e38f", "0.1f", "null"],
    "DOUBLE": ["0.0", "-0.0", "1.5", "-2.7", "1e300", "123456.789", "1e-10", "127.9", "-128.9", "32768.5", "2147483648.0", "9.3e18", "0.1", "4.9e-324", "1e7", "1e16", "12345678.9", "null"],
    "STRING": TEXTS, "VARCHAR": TEXTS, "SYMBOL": TEXTS,
    "UUID": ["'11111111-2222-3333-4444-555555555555'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'", "null"],
    "IPv4": ["'1.2.3.4'", "'255.255.255.255'", "'0.0.0.1'", "null"],
    "LONG256": ["0x01", "0x9f9b2131d49fcd1d6b8139815c50d3410010cde812ce60ee0010a928bb8b9650", "null"],
    "GEOHASH(4c)": ["#u33d", "#0000", "null"],
    "DECIMAL(2,1)": ["1.5m", "-9.9m", "0m", "null"],
    "DECIMAL(10,2)": ["12345678.25m", "-0.01m", "0m", "null"],
    "DECIMAL(30,5)": ["1234567890123456789.12345m", "-0.00001m", "127m", "null"],
    "DECIMAL(60,10)": ["12345678901234567890123456789.5m", "-1.5m", "7m", "null"],
    "DOUBLE[]": ["ARRAY[1.0, 2.5]", "null"],
    "BINARY": ["null"],
}

TARGETS = ["BOOLEAN", "BYTE", "SHORT", "CHAR", "INT", "LONG", "DATE", "TIMESTAMP", "TIMESTAMP_NS", "FLOAT", "DOUBLE", "STRING", "VARCHAR", "SYMBOL", "UUID", "IPv4",
           "LONG256", "GEOHASH(4c)", "GEOHASH(2c)", "DECIMAL(3,1)", "DECIMAL(10,2)", "DECIMAL(12,4)", "DECIMAL(30,5)", "DECIMAL(38,0)", "DECIMAL(76,10)", "DOUBLE[]", "DOUBLE[][]", "BINARY"]

def run(db):
    for source, values in SOURCES.items():
        table = "from_" + word(source)
        accepted = probe(db, source, [t for t in TARGETS if t != source and not suspends(source, t)])
        columns = ", ".join(f"to_{word(t)} {source}" for t in accepted)
        if not columns:
            continue
        db.sql(f"CREATE TABLE {table} (ts TIMESTAMP, id INT, {columns}) TIMESTAMP(ts) PARTITION BY DAY WAL")
        rows(db, table, source, values, accepted)
        for i, target in enumerate(accepted):
            db.sql(f"ALTER TABLE {table} ALTER COLUMN to_{word(target)} TYPE {target}")
            state = db.server.wait_applied([table])[table]
            if state["suspended"]:
                raise AssertionError(f"{source} -> {target} suspends: {state}")
        # Rows whose columns are all null, below and beside the converted ones.
        db.insert(table, [f"{START + 5}, -1", f"{START + 400 * HOUR}, -2"], "(ts, id)")
        db.snapshot(table)
    chains(db)


def suspends(source, target):
    """DECIMAL to an integer type is accepted by the sequencer and always fails when it is applied."""
    return source.startswith("DECIMAL") and target in ("BYTE", "SHORT", "INT", "LONG")


def word(kind):
    return kind.lower().replace("[", "a").translate(str.maketrans("(,", "__", ")]"))


def rows(db, table, source, values, targets):
    text = source in ("STRING", "VARCHAR", "SYMBOL")
    literals = ["null"] + ["'" + v.replace("'", "''") + "'" for v in values] if text else values
    lines = []
    for i, value in enumerate(literals):
        cells = [value if fits(value, t) else zero(source) for t in targets]
        lines.append(f"{START + i * HOUR}, {i}, " + ", ".join(cells))
    db.insert(table, lines)


def zero(source):
    return "0m" if source.startswith("DECIMAL") else "0"


def fits(value, target):
    """Whether a number fits a decimal: one that doesn't suspends the table (see the scenario `suspended`)."""
    number = re.fullmatch(r"(-?[0-9.]+)m?", value)
    decimal = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", target)
    if not number or not decimal:
        return True
    precision, scale = map(int, decimal.groups())
    with localcontext() as context:
        context.prec = 200
        scaled = abs(Decimal(number[1])).scaleb(scale)
        return scaled < 10**precision and scaled == scaled.to_integral_value()


def probe(db, source, targets):
    """The targets that the server accepts for the source."""
    table = "probe_" + word(source)
    db.sql(f"CREATE TABLE {table} (ts TIMESTAMP, " + ", ".join(f"c{i} {source}" for i in range(len(targets))) + ") TIMESTAMP(ts) PARTITION BY DAY WAL")
    accepted = [t for i, t in enumerate(targets) if db.attempt(f"ALTER TABLE {table} ALTER COLUMN c{i} TYPE {t}") is None]
    db.applied(table)
    db.sql(f"DROP TABLE {table}")
    return accepted


def chains(db):
    """One column through many types, with rows in between and out of order."""
    r = db.random
    db.sql("CREATE TABLE chain (ts TIMESTAMP, id INT, x INT, y DOUBLE, z VARCHAR) TIMESTAMP(ts) PARTITION BY DAY WAL")
    number = 0

    def fill(x, y, z):
        nonlocal number
        lines = []
        for _ in range(15):
            number += 1
            lines.append(f"{START + r.randrange(100) * HOUR}, {number}, {x(number)}, {y(number)}, {z(number)}")
        db.insert("chain", lines, "(ts, id, x, y, z)")

    quoted = lambda n: r.choice(["null", f"'{n}'", "'text'", "''"])
    plain = lambda n: r.choice(["null", str(n * 37 % 1000)])
    fill(plain, plain, quoted)
    for x, y, z, xs, ys, zs in [
        ("LONG", "FLOAT", "SYMBOL", plain, plain, quoted), ("VARCHAR", "STRING", "STRING", quoted, quoted, quoted), ("SYMBOL", "SYMBOL", "VARCHAR", quoted, quoted, quoted),
        ("INT", "DOUBLE", "LONG", plain, plain, plain), ("TIMESTAMP", "LONG", "DATE", plain, plain, lambda n: "null"), ("STRING", "VARCHAR", "VARCHAR", quoted, quoted, quoted),
    ]:
        for column, kind in (("x", x), ("y", y), ("z", z)):
            db.sql(f"ALTER TABLE chain ALTER COLUMN {column} TYPE {kind}")
        fill(xs, ys, zs)
        db.snapshot("chain")
        # The same type again, and a symbol that is read with old keys: a restart brings new writers.
        if x == "SYMBOL":
            db.restart()
            fill(xs, ys, zs)
