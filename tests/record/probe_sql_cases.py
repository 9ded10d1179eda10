"""What probe_sql.py asks: a table of edge values of every type, conditions, settings, partition drops."""

COLUMNS = [
    ("b", "boolean"), ("by", "byte"), ("sh", "short"), ("ch", "char"), ("i", "int"), ("l", "long"),
    ("d", "date"), ("t", "timestamp"), ("tn", "timestamp_ns"), ("f", "float"), ("db", "double"),
    ("st", "string"), ("sy", "symbol"), ("v", "varchar"), ("l256", "long256"), ("g", "geohash(4c)"),
    ("u", "uuid"), ("ip", "ipv4"), ("de", "decimal(10,2)"), ("sx", "symbol index"),
]

DAY = 86_400_000_000  # microseconds


def text(value):
    return ("null", None) if value is None else ("'" + value.replace("'", "''") + "'", value)


def number(value, suffix=""):
    return ("null", None) if value is None else (f"{value}{suffix}", str(value))


def cast(value, kind):
    return (f"cast(null as {kind})", None) if value is None else (f"cast({value}L as {kind})", str(value))


# One list per column, all of one length: (SQL, value as the test reads it).
_MIN64 = -(1 << 63)
VALUES = {
    "b": [("true", "true"), ("false", "false")],
    "by": [(f"cast({n} as byte)", str(n)) for n in (0, 1, -1, 5, 77, 127, -128)],
    "sh": [(f"cast({n} as short)", str(n)) for n in (0, 1, -1, 5, 77, 300, 32767, -32768)],
    "ch": [("null", None), *[(f"'{c}'", c) for c in "a5bAzéB1 "]],
    "i": [number(n) for n in (None, 0, 1, -1, 5, 77, 300, 100000, 2147483647, -2147483647)],
    "l": [number(n, "L") for n in (None, 0, 1, -1, 5, 77, 300, 4294967296, 9007199254740993, 9223372036854775807, -9223372036854775807)],
    "d": [cast(n, "date") for n in (None, 0, 1, 86_400_000, 1704067200000, 1704067200001, -1)],
    "t": [cast(n, "timestamp") for n in (None, 0, 1, DAY, 1704067200000000, 1704067200000001, 1704153599999999, 1704153600000000, -1)],
    "tn": [cast(n, "timestamp_ns") for n in (None, 0, 1, 1704067200000000000, 1704067200000000001, 1704067200000001000, 1704153599999999999, -1)],
    "f": [(f"cast({n} as float)" if n != "null" else "cast(null as float)", None if n == "null" else n)
          for n in ("null", "0.0", "1.0", "-1.0", "0.1", "5.0", "77.5", "16777216.0", "3.0E38", "-0.0", "5.0E-11", "2.0E-10", "1.0000001", "2.5")],
    "db": [(n if n != "null" else "cast(null as double)", None if n == "null" else n)
           for n in ("null", "0.0", "1.0", "-1.0", "0.1", "5.0", "77.5", "1.0E300", "9007199254740992.0", "0.30000000000000004", "0.3", "1.0E-12", "-0.0", "5.0E-11", "2.0E-10", "1.00000000005")],
    "st": [text(s) for s in (None, "", "a", "abc", "5", "ABC", "é", "😀", "null", "2024-01-01", "1.1.1.1", "ｚ")],
    "sy": [text(s) for s in (None, "", "a", "abc", "5", "ABC", "é", "😀", "77", "2024-01-01", "1.1.1.1")],
    "v": [text(s) for s in (None, "", "a", "abc", "5", "ABC", "é", "😀", "ｚ", "2024-01-01", "a longer text than nine bytes")],
    "l256": [("null", None), ("0x01", "0x01"), ("0x00", "0x00"), ("0xabcdef0123456789abcdef0123456789", "0xabcdef0123456789abcdef0123456789"), ("0x05", "0x05")],
    "g": [("null", None), ("#u33d", "u33d"), ("#0000", "0000"), ("#zzzz", "zzzz")],
    "u": [text(s) for s in (None, "00000000-0000-0000-0000-000000000000", "11111111-2222-3333-4444-555555555555", "ffffffff-ffff-ffff-ffff-ffffffffffff")],
    "ip": [text(s) for s in (None, "1.1.1.1", "10.0.0.1", "255.255.255.255", "128.0.0.1")],
    "de": [("null", None)] + [(f"{n}m", n) for n in ("0.00", "1.00", "-1.00", "5.00", "77.50", "99999999.99", "0.10", "1.50")],
}
VALUES["sx"] = VALUES["sy"]
# Enough rows for the server's vectorised filters, whose steps are up to 32 rows.
ROWS = [[VALUES[name][row % len(VALUES[name])] for name, _ in COLUMNS] for row in range(130)]

COMPARISONS = ["=", "!=", "<>", "<", "<=", ">", ">="]

LITERALS = {
    "b": ["true", "false", "null", "'true'", "'t'", "1"],
    "ch": ["'a'", "'B'", "'5'", "''", "'abc'", "null", "5", "97", "'é'", "' '"],
    "d": ["'1970-01-01'", "'2024-01-01'", "'2024-01-01T00:00:00.001Z'", "'1970-01-01T00:00:00.000001Z'", "0", "86400000", "1704067200000", "null", "'2024'", "'2024-01'",
          "cast(86400000 as date)", "'2024-01-01'::timestamp", "1704067200000000", "'x'"],
    "st": ["'a'", "'abc'", "''", "null", "5", "'5'", "'é'", "'😀'", "'ｚ'", "'null'", "77", "1.5", "'it''s'"],
    "l256": ["0x01", "'0x01'", "null", "1", "0x05", "0xabcdef0123456789abcdef0123456789"],
    "g": ["#u33d", "'u33d'", "null", "#u33", "#0000", "##01", "#u33d7"],
    "u": ["'11111111-2222-3333-4444-555555555555'", "null", "'x'", "''", "'11111111-2222-3333-4444-55555555555'", "'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF'"],
    "ip": ["'1.1.1.1'", "null", "'x'", "''", "'10.0.0.1'", "'0.0.0.0'", "'128.0.0.1'", "16843009", "'1.1.1'"],
    "de": ["1", "1.0m", "1.5", "5", "null", "'1'", "77.5m", "0", "0.1m", "1.50", "99999999.99m", "1.005m", "5L", "1e0", "100000000000000", "'5.00'"],
}
NUMBERS = ["0", "1", "-1", "5", "77", "300", "127", "128", "-128", "32768", "2147483647", "2147483648", "-2147483648", "4294967296", "9007199254740993", "9223372036854775807", "5L",
           "1_000", "0.1", "1.0", "77.5", "5.0", "1e300", "1e-12", "5e-11", "2.5", "-1.0", "0.5", "0.3", "0.30000000000000004", "16777217", "9007199254740992.0", "1.5f", "null", "NaN", "'5'", "'77'", "'abc'", "'1.0'", "true", "-0.0", "0x05", "1.0m", "cast(5 as short)", "5::byte", "5::double"]
TIMES = ["'2024-01-01'", "'2024'", "'2024-01'", "'2024-01-01T00:00:00.000001Z'", "'2024-01-01T00:00:00.000000001Z'", "'2024-01-01T00'", "'2024-01-01T12:30'", "'2024-01-01T00:00:00Z'", "'2024-01-01 00:00:00'", "'2024-01-01T00:00:00+01:00'",
         "'2024-01-01T00:00:00.000001'", "'1704067200000000'", "0", "1", "1704067200000000", "1704067200000000000", "null", "''", "'x'", "86400000000L", "0.0",
         "'2024-01-01'::timestamp", "'2024-01-01'::timestamp_ns", "cast('2024-01-01' as date)", "timestamp '2024-01-01'", "to_timestamp('2024', 'yyyy')", "now()", "dateadd('d', -3, now())", "cast(0 as timestamp)", "0::timestamp_ns"]
for _name in ("by", "sh", "i", "l", "f", "db"):
    LITERALS[_name] = NUMBERS
for _name in ("t", "tn"):
    LITERALS[_name] = TIMES
for _name in ("sy", "sx", "v"):
    LITERALS[_name] = LITERALS["st"]
LITERALS["ts"] = [
    "'1970-01-01'", "'1970'", "'1970-01'", "'1970-01-01T05'", "'1970-01-01T05:00'", "'1970-01-01T05:00:00.000001Z'", "0", "18000000000", "18000000000000", "null", "''", "'x'",
    "'1970-01-01T05:00:00.000000001Z'", "'1970-01-01T05:00:00'::timestamp", "cast(18000000 as date)", "now()", "dateadd('y', -60, now())", "'1970-01-01T05:00:00.000000001Z'::timestamp_ns", "18000000000L", "'18000000000'",
]


def conditions():
    """Conditions over the table of probe_sql.py."""
    out = []
    for name in LITERALS:
        for literal in LITERALS[name]:
            for op in COMPARISONS:
                # An ordering of UUIDs aborts the whole server while it compiles the filter (9.3.4).
                if name == "u" and op not in ("=", "!=", "<>"):
                    continue
                if op == "<>" and literal != LITERALS[name][0]:
                    continue
                out.append(f"{name} {op} {literal}")
            for op in ("=", "<", ">=") if name != "u" else ("=",):
                out.append(f"{literal} {op} {name}")
        for word in ("null", "not null", "true", "not false"):
            out.append(f"{name} is {word}")
        out.append(f"not {name} = {LITERALS[name][0]}")
        if name != "u":
            out.append(f"not ({name} < {LITERALS[name][0]})")
        out += _sets(name, LITERALS[name])
    out += LOGIC + INTERVALS
    return list(dict.fromkeys(out))


def _sets(name, literals):
    out = []
    for a, b in zip(literals, literals[1:] + literals[:1]):
        out += [f"{name} in ({a}, {b})", f"{name} in ({a})", f"{name} not in ({a}, {b})",
                f"{name} between {a} and {b}", f"{name} between {b} and {a}", f"{name} not between {a} and {b}"]
    return out


LOGIC = [
    "sx = 'a' and i = 5", "sx = 'a' or i = 5", "sx in ('a', 'abc') and i != 5", "sx != 'a' and sx != 'abc'", "sx = 'a' and sx = 'abc'", "sx = 'a' and sx != 'a'", "sx in ('a', 'abc', null) and ts > '1970-01-02'", "sx not in ('a', null) and ts in '1970-01-02'", "sx = null and sy = null", "not (sx = 'a' or sx = 'abc')", "sx = 'nobody'", "sx != 'nobody'", "sx in ('nobody', 'a')",
    "b", "not b", "b and i > 0", "b or i > 0", "not b or not (i > 0)", "i > 0 and l > 0 or f > 0", "i > 0 and (l > 0 or f > 0)",
    "not i > 0 and l > 0", "true", "false", "not true", "i = 1 or i = 5 or i = 77", "sy = 'a' or sy = 'abc'", "sy = 'a' and i = 5", "sy != 'a' and sy != 'abc'",
    "sy in ('a', 'abc', null)", "sy not in ('a', null)", "st in ('a', null, '')", "v in ('a', null, '')", "i in (1, null)", "l in (1, 5, null)", "db in (0.3, null)", "i in (1, 5, 77) and db > 0.0",
    "i in (1L, 4294967296)", "i between 1 and null", "null = null", "i = null or l = null", "not (i = null)", "b = true and ch = 'a'", "i != 5 and l != 5 and sh != 5 and by != 5",
    "i + 1 = 2", "abs(i) = 1", "sy like 'a%'", "i = l", "st = sy", "st = v", "i < l", "i < db", "f < db", "t = tn", "d = t", "sh = by", "sqlprobe.i = 5", "\"i\" = 5", "I = 5", "sy = 'a' or i = 300", "sy = null and i > 0", "sy = null or sy = ''",
    "b = not false", "1 = 1", "1 = 2", "i > 0 and 1 = 1", "ts > 0 and i = 5", "ts < '1970-01-01T05' or i = 300", "ts < '1970-01-01T05' and i != 5",
    "ts > '1970-01-01T02' and ts <= '1970-01-01T07'", "not ts > '1970-01-01T02'", "not (ts > '1970-01-01T02' and ts <= '1970-01-01T07')", "ts = '1970-01-01T05' or ts = '1970-01-01T06'",
    "ts != '1970-01-01T05' and ts != '1970-01-01T06'", "ts between '1970-01-01T02' and '1970-01-01T04'", "ts between '1970-01-01T04' and '1970-01-01T02'", "ts not between '1970-01-01T02' and '1970-01-01T04'",
    "ts in ('1970-01-01T05', '1970-01-01T06')", "ts not in ('1970-01-01T05', '1970-01-01T06')", "ts in '1970-01-01T05' or ts in '1970-01-01T06'", "ts in '1970-01-01T05' and i = 300", "ts >= '1970-01-01T05:00:00.000000Z' and ts < dateadd('h', 3, '1970-01-01T05')",
    "ts in '1970-01-02' or i = 5", "not ts in '1970-01-02'", "not (ts in '1970-01-02' or i = 5)", "ts != '1970-01-02' or i = 5", "ts != '1970-01-02' and i = 5", "not ts = '1970-01-02'", "ts in '1970-01-02' and ts in '1970-01'", "ts = '1970-01-02' or i = 5",
    "ts not in '1970-01-02' and i != 5", "ts >= '1970-01-02' and (ts < '1970-01-03' or i = 5)", "(ts in '1970-01-02') and i != 5", "ts in ('1970-01-02', '1970-01-03') or i = 5", "ts in ('1970-01-02') or i = 5", "ts between '1970-01-02' and '1970-01-03' or i = 5", "u = '11111111-2222-3333-4444-555555555555' or ip = '1.1.1.1'",
    "ip = '1.1.1.1' and sy = null", "f != 2.5 and db != 0.3", "de = 5 or de = 77.50m", "not (de > 1.0m)", "not (u = '11111111-2222-3333-4444-555555555555')", "not (g = #u33d)", "i between 1 and 77 and l > 0", "not (i between 1 and 77)", "i between 1 and 77 or b",
    "ts > now()", "ts < now()", "ts > dateadd('d', -3, now())", "ts < dateadd('d', -3, now())", "ts < dateadd('M', -3, now())", "ts < systimestamp()", "ts < sysdate()", "ts = dateadd('h', 5, '1970-01-01')", "ts between 0 and 7200000000", "ts between null and '1970-01-01T02'",
]
INTERVALS = [f"{name} in {literal}" for name in ("ts", "t", "tn", "d") for literal in (
    "'1970'", "'1970-01'", "'1970-01-01'", "'1970-01-01T05'", "'1970-01-01T05:00'", "'1970-01-01T05:00:00'", "'1970-01-01T05:00:00.000'", "'1970-01-01T05;2h'", "'1970-01-01T05;30m'", "'1970-01-01T05;-2h'", "'1970-01-01T02;1h;3h;3'",
    "'1970-01-01;1d'", "'2024-01'", "'2024-01-01'", "'2024'", "'2024-01-01;1s'", "'2024-01-01T00:00:00.000001Z'", "'[1970-01-01,1970-01-02]'", "'1970-01-[01..02]T03'", "'1970-01-01T0[3,5]'", "null", "''", "'x'", "0", "('1970-01-01T05')", "('1970', null)", "'1970-W01'", "'1970-01-01T05:00:00.000000001Z'", "interval('1970-01-01T02', '1970-01-01T04')", "today()", "'$today'", "'2024-01-01T00:00;1d;1y;2'",
)] + [f"{name} not in {literal}" for name in ("ts", "t", "tn") for literal in ("'1970'", "'1970-01-01T05'", "'2024-01-01'", "'1970-01-01T05;2h'", "null")] + [f"{name} = '1970-01-01T05;2h'" for name in ("ts", "t")]


def settings():
    """(column, value) of `SET column = value`."""
    numbers = ["0", "1", "-1", "5", "77", "127", "128", "-128", "-129", "300", "32768", "2147483647", "2147483648", "-2147483648", "4294967296", "9223372036854775807", "5L", "1.0", "0.1", "77.5", "1e300", "16777217", "null", "NaN", "true", "'5'", "'abc'", "'a'", "''",
               "'1.5'", "0x05", "1.5m", "'2024-01-01'", "'1.1.1.1'", "cast(5 as short)", "5::byte", "5::double", "'5'::int", "now()", "1.5f", "3.9999", "-3.9999", "1_000", "'2024-01-01'::timestamp", "'11111111-2222-3333-4444-555555555555'", "#u33d", "'u33d'", "'u33d7'", "99999999.99", "123456789012", "1.005", "'1.005'", "1.005m", "'x y'", "'it''s'", "'😀'", "cast('abc' as symbol)", "'abc'::varchar", "'2024-01-01T00:00:00.000000001Z'", "0::timestamp_ns", "'2024-01-01'::date", "1e10", "'true'", "'t'", "3.4e39", "1e-50", "'null'", "'NaN'", "-0.0", "'-1'", "' 5'", "'5 '", "cast(null as int)", "cast(1.7 as int)", "cast('12' as long)", "cast(300 as byte)"]
    return [(name, value) for name, _ in COLUMNS for value in numbers]


_HOURS = ["2024-01-01T00:00:00.000000Z", "2024-01-01T05:30:00.000000Z", "2024-01-02T00:00:00.000000Z", "2024-01-31T23:59:59.999999Z", "2024-02-01T00:00:00.000000Z", "2025-03-03T03:03:03.000000Z"]
_CHOICES = [
    "list '2024-01-01'", "list '2024-01-01','2024-01-31'", "list '2024-01-03','2024-01-01'", "list '2024-01-01','2024-01-03','2024-01-31'", "list '2024-01-01','2024-01-01','2024-01-31'", "list '2024-01-01T05'", "list '2024-01-01T05:30'", "list '2024-01-01T053000-000001'", "list '2024-01'", "list '2024'", "list 2024",
    "list '2024-W01'", "list '2024-W05'", "list '2025-03-03'", "list '2025-03'", "list '2025'", "list '2025-W10'", "list '2024-01-31'", "list 'x'", "list ''", "list '2024-13'", "list '2024-1-1'", "list '2024-01-01T24'", "list '2024-01-0'", "list '2024-00-01'", "list '2024-02-30'", "list '0000-01-01'",
    "list '2024-W53'", "list '2024-W00'", "list '2024-01-01.5'", "list \"2024-01-01\"", "list '2024-01-01T05','2025-03-03T03'",
    "where ts < '2024-01-02'", "where ts <= '2024-01-02'", "where ts = '2024-01-01'", "where ts != '2024-01-01'", "where ts > '2024-01-01'", "where ts >= '2024-01-31'", "where ts > 0", "where ts < 0", "where ts = '2025'", "where ts in '2024'", "where ts in '2024-01'", "where ts in '2024-01-01'", "where ts in '2024-01-01T05'",
    "where ts in ('2024-01-01', '2024-02-01')", "where ts not in '2024-01'", "where ts not in ('2024-01-01', '2024-02-01')", "where ts between '2024-01-01' and '2024-01-31'", "where ts between '2024-01-31' and '2024-01-01'", "where ts not between '2024-01-02' and '2024-02-01'", "where ts < now()", "where ts < dateadd('d', -3, now())", "where ts > dateadd('y', -50, now())",
    "where ts < dateadd('d', 30, '2024-01-01')", "where ts < dateadd('w', 2, '2024-01-01')", "where ts < dateadd('M', 1, '2024-01-01')", "where ts < dateadd('h', 6, '2024-01-01T00')", "where ts < dateadd('y', 1, '2024-01-01')", "where ts < dateadd('s', 1, '2024-01-01')", "where ts < dateadd('m', 1, '2024-01-01')", "where ts < dateadd('u', 1, '2024-01-01')", "where ts < dateadd('T', 1, '2024-01-01')", "where ts < dateadd('n', 1, '2024-01-01')",
    "where ts = '2024-01-01' or ts = '2024-02-01'", "where ts > '2024-01-01' and ts < '2024-02-01'", "where not (ts > '2024-01-01')", "where not ts = '2024-01-01'", "where ts < '2024-01-02'::timestamp", "where ts < 1704153600000000", "where ts < 1704153600000000000", "where '2024-01-02' > ts", "where true", "where false", "where ts is null", "where ts is not null", "where ts = null", "where ts != null", "where ts < null",
    "where ts < now() - 3600000000", "where ts > now() - 3600000000", "where ts < now() + 3600000000L", "where 1 = 1", "where 1 = 2 or ts < '2024-02'", "where ts < dateadd('d', -1, now()) + 5", "where ts < to_timestamp('2024-02', 'yyyy-MM')", "where ts < to_timestamp('2024-02-01T00:00:00', 'yyyy-MM-ddTHH:mm:ss')", "where ts < to_timestamp('01/02/2024', 'dd/MM/yyyy')",
    "where ts < '2024-01-02T00:00:00.000000001Z'", "where ts <= '2024-01-01T23:59:59.999999999Z'", "where ts < to_timestamp('2024-01-02', 'yyyy-MM-dd')", "where ts = '2024-01-01T05'", "where ts in '2024-01-01T05;1h'", "where ts in '2024-01-01;1d'", "where ts < '2024'", "where ts < '2024-02'", "where ts < ''", "where ts < 'x'", "where \"ts\" < '2024-02'", "where TS < '2024-02'", "where x = 1", "where sqldrop.ts < '2024-02'", "where ts < cast('2024-01-02' as date)", "where ts < systimestamp()", "where ts in ('2024-01-01T05', '2024-W01')", "where date_trunc('month', ts) = '2024-01-01'", "where ts < timestamp '2024-01-02'",
]


def drops():
    """DROP PARTITION in every unit, on a table whose rows are at `rows`."""
    out = []
    for unit in ("hour", "day", "week", "month", "year"):
        for kind in ("timestamp", "timestamp_ns"):
            for choice in _CHOICES:
                if kind == "timestamp_ns" and unit not in ("day", "week") and choice.startswith("where"):
                    continue
                out.append({"unit": unit, "type": kind, "rows": _HOURS, "choice": choice})
    return out


# PostgreSQL's numbers of types, and how the log names what arrives as them.
OIDS = {"bool": 16, "int8": 20, "int2": 21, "int4": 23, "text": 25, "float4": 700, "float8": 701, "varchar": 1043, "timestamp": 1114, "uuid": 2950}


def bound_conditions():
    """(column, operator, type of $1, value); a value of None is null."""
    values = {
        "int2": ["0", "5", "77", None], "int4": ["0", "5", "-1", "300", None], "int8": ["0", "5", "77", "300", "4294967296", None],
        "float8": ["0.0", "5.0", "0.3", "77.5", "1e-11", None], "float4": ["5.0", "2.5", None], "bool": ["true", "false"],
        "text": ["a", "abc", "", "5", "é", "2024-01-01", "11111111-2222-3333-4444-555555555555", "1.1.1.1", None], "varchar": ["a", "abc", "", None],
        "timestamp": ["2024-01-01 00:00:00.000001", "1970-01-01 05:00:00", "2024-01-01 00:00:00", None], "uuid": ["11111111-2222-3333-4444-555555555555", None],
    }
    beside = {
        "int2": ["by", "sh", "i", "l", "f", "db", "de"], "int4": ["by", "sh", "i", "l", "f", "db", "de"], "int8": ["sh", "i", "l", "f", "db", "ts", "de"], "float8": ["i", "f", "db"], "float4": ["f", "db"], "bool": ["b"],
        "text": ["st", "sy", "sx", "v", "ch", "u", "ip", "ts", "t", "tn", "d", "i", "l", "db"], "varchar": ["st", "sy", "sx", "v", "ch", "ts"], "timestamp": ["ts", "t", "tn", "d"], "uuid": ["u", "st"],
    }
    out = []
    for kind, columns in beside.items():
        for column in columns:
            for value in values[kind]:
                for op in ("=", "!=", "<", ">="):
                    # An ordering of UUIDs aborts the server.
                    if column == "u" and op not in ("=", "!="):
                        continue
                    out.append((column, op, kind, value))
    return out


def bound_settings():
    """(column, type of $1, value)."""
    values = [("int2", "77"), ("int4", "77"), ("int4", "-5"), ("int8", "77"), ("int8", "300"), ("float8", "1.5"), ("float8", "77.0"), ("float4", "1.5"), ("bool", "true"), ("text", "abc"), ("text", "5"), ("text", ""), ("text", "2024-01-01"), ("text", "2024-01-01T00:00:00.123456Z"),
              ("text", "1.1.1.1"), ("text", "11111111-2222-3333-4444-555555555555"), ("text", None), ("varchar", "abc"), ("varchar", "x"), ("timestamp", "2024-01-01 00:00:00.123456"), ("uuid", "11111111-2222-3333-4444-555555555555"), ("int4", None), ("int8", None), ("float8", None), ("timestamp", None), ("uuid", None), ("text", "u33d"), ("text", "1.5")]
    return [(column, kind, value) for column, _ in COLUMNS for kind, value in values]
