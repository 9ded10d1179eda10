"""Every type that a column can have, with nulls and edge values."""

DESCRIPTION = (
    "Every storable column type with nulls, extremes, empty and long values, ASCII and not; "
    "arrays of 1 to 3 dimensions, decimals of 8 to 256 bits, geohashes of every storage size"
)

START = 1_700_000_000_000_000
LONG_TEXT = "The quick brown fox. " * 250
TEXTS = ["", "a", "ninebytes", "tenletters", "naïve", "日本語のテキスト", "😀", "a😀b", "\u00e9\u00e9\u00e9\u00e9",
         "quote \"x\" inside", "comma, inside", "line\nbreak", "tab\there", " leading", "trailing ", LONG_TEXT, "ÿ" * 40]

# name, type, literal values (None = NULL)
COLUMNS = [
    ("bo", "BOOLEAN", ["true", "false", None]),
    ("by", "BYTE", ["0", "1", "-1", "127", "-128", None]),
    ("sh", "SHORT", ["0", "1", "-1", "32767", "-32768", None]),
    ("ch", "CHAR", ["'a'", "'Z'", "'0'", "' '", "'é'", "'日'", None]),
    ("i", "INT", ["0", "1", "-1", "2147483647", "-2147483647", None]),
    ("l", "LONG", ["0", "1", "-1", "9223372036854775807", "-9223372036854775807", None]),
    ("d", "DATE", ["'1970-01-01T00:00:00.000Z'", "'2024-02-29T23:59:59.999Z'", "'1969-12-31T23:59:59.999Z'",
                   "'0001-01-01T00:00:00.000Z'", "'9999-12-31T23:59:59.999Z'", None]),
    ("t", "TIMESTAMP", ["'1970-01-01T00:00:00.000000Z'", "'2024-02-29T23:59:59.999999Z'", "'1969-12-31T23:59:59.999999Z'",
                        "'2262-04-11T23:47:16.854775Z'", "'9999-12-31T23:59:59.999999Z'", None]),
    ("tn", "TIMESTAMP_NS", ["'1970-01-01T00:00:00.000000001Z'", "'2024-02-29T23:59:59.999999999Z'",
                            "'1969-12-31T23:59:59.999999999Z'", "'2262-04-11T23:47:16.854775807Z'", None]),
    ("f", "FLOAT", ["0.0f", "-0.0f", "1.5f", "-2.75f", "3.4028235e38f", "1.17549435e-38f", "1.0e-45f", "0.1f", "16777217f",
                    "1234567.8f", "0.001f", "0.00099f", "9999999f", "10000000f", None]),
    ("db", "DOUBLE", ["0.0", "-0.0", "1.5", "-2.75", "1.7976931348623157e308", "4.9e-324", "0.1", "123456789.123456789",
                      "1e16", "1e-5", "0.001", "9007199254740993.0", "1e21", "-1e-300", None]),
    ("st", "STRING", TEXTS),
    ("sy", "SYMBOL", [t for t in TEXTS if len(t) < 1000]),
    ("l2", "LONG256", ["0x00", "0x01", "0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
                       "0x9f9b2131d49fcd1d6b8139815c50d3410010cde812ce60ee0010a928bb8b9650", "0x0100000000000000000000", None]),
    ("g1", "GEOHASH(1b)", ["##0", "##1", None]),
    ("g7", "GEOHASH(7b)", ["##0000000", "##1010101", "##1111111", None]),
    ("g2", "GEOHASH(2c)", ["#u3", "#00", "#zz", None]),
    ("g15", "GEOHASH(15b)", ["##000000000000001", "##111111111111111", None]),
    ("g6", "GEOHASH(6c)", ["#u33d8b", "#000000", "#zzzzzz", None]),
    ("g12", "GEOHASH(12c)", ["#u33d8b121234", "#000000000000", "#zzzzzzzzzzzz", None]),
    ("g60", "GEOHASH(59b)", ["##" + "10" * 29 + "1", "##" + "0" * 59, None]),
    ("u", "UUID", ["'11111111-2222-3333-4444-555555555555'", "'00000000-0000-0000-0000-000000000000'",
                   "'ffffffff-ffff-ffff-ffff-ffffffffffff'", "'80000000-0000-0000-0000-000000000001'", None]),
    ("ip", "IPv4", ["'1.2.3.4'", "'255.255.255.255'", "'128.0.0.1'", "'0.0.0.1'", "'10.0.0.0'", None]),
    ("vc", "VARCHAR", TEXTS),
    ("a1", "DOUBLE[]", ["ARRAY[1.0, 2.5, -3.0]", "ARRAY[0.0]", "ARRAY[1.0, null, 3.0]", None]),
    ("a2", "DOUBLE[][]", ["ARRAY[[1.0, 2.0], [3.0, 4.0]]", "ARRAY[[1.0], [2.0], [3.0]]", None]),
    ("a3", "DOUBLE[][][]", ["ARRAY[[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]", "ARRAY[[[1.5]]]", None]),
    ("d8", "DECIMAL(2,1)", ["0.0m", "1.5m", "-9.9m", "9.9m", None]),
    ("d16", "DECIMAL(4,2)", ["0.01m", "99.99m", "-99.99m", None]),
    ("d32", "DECIMAL(9,0)", ["999999999m", "-999999999m", "0m", None]),
    ("d64", "DECIMAL(18,6)", ["123456789012.123456m", "-0.000001m", "0m", None]),
    ("d128", "DECIMAL(38,10)", ["1234567890123456789012345678.0123456789m", "-0.0000000001m", "18446744073709551616m", "-1m", None]),
    ("d256", "DECIMAL(76,20)", ["12345678901234567890123456789012345678901234567890123456.01234567890123456789m",
                                "-0.00000000000000000001m", "-1m", "340282366920938463463374607431768211456m", None]),
]


def literal(value, kind):
    if value is None:
        return "null"
    if kind in ("STRING", "SYMBOL", "VARCHAR"):
        return "'" + value.replace("'", "''") + "'"
    return value


def run(db):
    r = db.random
    columns = ", ".join(f"{name} {kind}" for name, kind, _ in COLUMNS)
    db.sql(f"CREATE TABLE alltypes (ts TIMESTAMP, {columns}, bin BINARY) TIMESTAMP(ts) PARTITION BY DAY WAL")
    names = "(ts, " + ", ".join(name for name, _, _ in COLUMNS) + ")"

    def value(values, kind, i):
        choice = values[i % len(values)] if i < 20 else r.choice(values)
        if i >= 20 and choice is LONG_TEXT:
            choice = None
        return literal(choice, kind)

    rows = []
    for i in range(260):
        at = START + i * 1_111_000_000 - (r.randrange(10**10) if i % 5 == 0 else 0)
        rows.append(f"{at}, " + ", ".join(value(v, k, i) for _, k, v in COLUMNS))
    db.insert("alltypes", rows[:20], names)
    db.snapshot()
    for i in range(20, 260, 40):
        db.insert("alltypes", rows[i : i + 40], names)
    # Only the timestamp, and a row of nothing but nulls between full ones.
    db.sql(f"INSERT INTO alltypes (ts) VALUES ({START + 5}), ({START + 10**10})")
    db.snapshot()
    db.sql(f"""INSERT INTO alltypes SELECT ({START} + x * 700000000)::timestamp, rnd_boolean(), rnd_byte(), rnd_short(), rnd_char(),
        rnd_int(-1000000, 1000000, 3), rnd_long(-10000000000, 10000000000, 3),
        rnd_date(to_date('2001', 'yyyy'), to_date('2030', 'yyyy'), 3), rnd_timestamp(to_timestamp('1960', 'yyyy'), to_timestamp('2030', 'yyyy'), 3),
        rnd_timestamp(to_timestamp('1960', 'yyyy'), to_timestamp('2030', 'yyyy'), 3)::timestamp_ns,
        rnd_float(3), rnd_double(3) * 1e9, rnd_str(20, 1, 30, 3), rnd_symbol(30, 1, 12, 3), rnd_long256(),
        rnd_geohash(1), rnd_geohash(7), rnd_geohash(10), rnd_geohash(15), rnd_geohash(30), rnd_geohash(60), rnd_geohash(59),
        rnd_uuid4(), rnd_ipv4(), rnd_varchar(1, 40, 3), rnd_double_array(1, 3), rnd_double_array(2, 3, 0, 3, 2),
        rnd_double_array(3, 3, 0, 2, 2, 3), rnd_decimal(2, 1, 3), rnd_decimal(4, 2, 3), rnd_decimal(9, 0, 3), rnd_decimal(18, 6, 3),
        rnd_decimal(38, 10, 3), rnd_decimal(76, 20, 3), rnd_bin(1, 40, 3) FROM long_sequence(200, 11, 22)""")

    db.sql("CREATE TABLE arrays (ts TIMESTAMP, id INT, a DOUBLE[], m DOUBLE[][]) TIMESTAMP(ts) PARTITION BY HOUR WAL")
    db.sql(f"INSERT INTO arrays VALUES ({START}, -1, ARRAY[], null), ({START + 1}, -2, null, ARRAY[[],[]])")
    db.sql(f"INSERT INTO arrays SELECT ({START} + x * 99000000)::timestamp, x::int, rnd_double_array(1, 2, 4, 0), "
           "rnd_double_array(2, 2, 4, 4, 7) FROM long_sequence(60, 8, 9)")
    db.snapshot("arrays")

    # LONG128 can be written but not read back over HTTP: it is gone again before anybody asks.
    db.sql("CREATE TABLE opaque (ts TIMESTAMP, id INT, x LONG128, y LONG) TIMESTAMP(ts) PARTITION BY DAY WAL")
    db.sql(f"INSERT INTO opaque SELECT ({START} + x * 1000000)::timestamp, x::int, to_long128(x, -x), x FROM long_sequence(20)",
           f"INSERT INTO opaque VALUES ({START}, 1, null, 1)", "ALTER TABLE opaque DROP COLUMN x")
    db.snapshot("opaque")
    db.sql(f"INSERT INTO opaque VALUES ({START + 3}, 2, 2)")
