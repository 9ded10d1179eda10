"""Asks a real QuestDB what each column type becomes as each other and stores the answers as a fixture.

    python3 tests/record/probe_convert.py [--version 9.3.4] [--out tests/data/convert/matrix.tar.gz]

The archive holds, for each source, `NAME/type` and its column files as in `probe_text.py`'s fixture, and for each
target `NAME/to/TARGET`, whose first line is the target's type code and the outcome:

    CODE refused MESSAGE     the statement was refused
    CODE fails MESSAGE       it was accepted and failed when it was applied
    CODE ok                  the rest is the body of `/exp` after the change, header line included

`decimals` has one line for each single value that was changed to DECIMAL on its own:
`SOURCE-CODE VALUE TARGET-CODE` and the text of the result, `null`, or `fails`.
"""

from __future__ import annotations

import argparse
import random
import struct
import tempfile
import urllib.parse
from pathlib import Path

import probe_columns as columns
from probe_text import store
from questdb import TOP, QuestDB, ServerError

ROWS = 240

TARGETS = {
    "BOOLEAN": 1, "BYTE": 2, "SHORT": 3, "CHAR": 4, "INT": 5, "LONG": 6, "DATE": 7, "TIMESTAMP": 8,
    "TIMESTAMP_NS": 8 | 1 << 18, "FLOAT": 9, "DOUBLE": 10, "STRING": 11, "SYMBOL": 12, "LONG256": 13,
    "GEOHASH(1c)": 14 | 5 << 8 | 1 << 16, "GEOHASH(8b)": 15 | 8 << 8 | 1 << 16, "GEOHASH(4c)": 16 | 20 << 8 | 1 << 16,
    "GEOHASH(12c)": 17 | 60 << 8 | 1 << 16, "BINARY": 18, "UUID": 19, "LONG128": 24, "IPv4": 25, "VARCHAR": 26,
    "DOUBLE[]": 27 | 10 << 8, "DOUBLE[][]": 27 | 10 << 8 | 1 << 14, "DECIMAL(2,0)": 28 | 2 << 8,
    "DECIMAL(4,1)": 29 | 4 << 8 | 1 << 18, "DECIMAL(9,0)": 30 | 9 << 8, "DECIMAL(18,3)": 31 | 18 << 8 | 3 << 18,
    "DECIMAL(38,10)": 32 | 38 << 8 | 10 << 18, "DECIMAL(76,20)": 33 | 76 << 8 | 20 << 18,
}  # fmt: skip


def sources(rnd: random.Random) -> dict[str, dict[str, bytes]]:
    """Column files by SQL type."""
    n = ROWS
    longs = columns.some(columns.integers(64, rnd, 2 * n), rnd, n)
    wide = [(1 << 63, 1 << 63)] + [(rnd.getrandbits(64), rnd.getrandbits(64)) for _ in range(n - 1)]
    words = texts(rnd)
    made = {
        "BOOLEAN": {"d": bytes(i & 1 for i in range(n))},
        "BYTE": {"d": bytes(range(n - 112, n)) + bytes(range(n - 112))},
        "SHORT": columns.fixed("h", columns.some(columns.integers(16, rnd, 2 * n), rnd, n)),
        "CHAR": columns.fixed("H", [0, 9, 34, 92, 0xD800, 0xDFFF, 0xFFFF] + list(range(48, 200)) + [rnd.getrandbits(16) for _ in range(n - 159)]),
        "INT": columns.fixed("i", columns.some(columns.integers(32, rnd, 2 * n), rnd, n)),
        "LONG": columns.fixed("q", longs),
        "DATE": columns.fixed("q", columns.some(longs[:60] + columns.times(1_000, rnd, n), rnd, n)),
        "TIMESTAMP": columns.fixed("q", columns.some(longs[:60] + columns.times(1_000_000, rnd, n), rnd, n)),
        "TIMESTAMP_NS": columns.fixed("q", columns.some(longs[:60] + columns.times(1_000_000_000, rnd, n), rnd, n)),
        "FLOAT": columns.fixed("I", float_edges(rnd)[:n]),
        "DOUBLE": columns.fixed("Q", double_edges(rnd)[:n]),
        "STRING": columns.string(words),
        "LONG256": columns.fixed("4Q", [(1 << 63,) * 4] + [tuple(rnd.getrandbits(64) for _ in range(4)) for _ in range(n - 1)]),
        "GEOHASH(1c)": columns.fixed("b", [i % 32 for i in range(n)]),
        "GEOHASH(8b)": columns.fixed("h", [i % 256 for i in range(n)]),
        "GEOHASH(4c)": columns.fixed("i", [rnd.getrandbits(20) for _ in range(n)]),
        "GEOHASH(12c)": columns.fixed("q", [rnd.getrandbits(60) for _ in range(n)]),
        "BINARY": columns.binary([None] + [rnd.randbytes(i % 5) for i in range(n - 1)]),
        "UUID": columns.fixed("2Q", wide),
        "LONG128": columns.fixed("2Q", wide),
        "IPv4": columns.fixed("I", [0, 1, (1 << 32) - 1] + [rnd.getrandbits(32) for _ in range(n - 3)]),
        "VARCHAR": columns.varchar(raw_texts(words, rnd)),
        "DOUBLE[]": columns.array([None] + [([2], [1.5, 2.5])] * (n - 1)),
        "DOUBLE[][]": columns.array([None] + [([1, 2], [1.5, 2.5])] * (n - 1)),
    }
    for name, code in TARGETS.items():
        if name.startswith("DECIMAL"):
            precision = code >> 8 & 0xFF
            values = [None, 0] + [rnd.choice((1, -1)) * rnd.randrange(10 ** rnd.randint(1, precision)) for _ in range(n - 2)]
            made[name] = columns.decimal(code & 0xFF, values)
    return made


def double_edges(rnd: random.Random) -> list[int]:
    values = [0.0, -0.0, 0.5, -0.5, 0.99, -0.99, 1.5, -2.7, float("nan"), float("inf"), float("-inf"), 1e300, -1e300, 5e-324]
    for bits in (7, 8, 15, 16, 31, 32, 63, 64):
        for delta in (-1.0, -0.5, 0.0, 0.5, 1.0):
            values += [2.0**bits + delta, -(2.0**bits) - delta]
    values += [rnd.uniform(-1, 1) * 10.0 ** rnd.randint(-3, 22) for _ in range(ROWS)]
    return [struct.unpack("<Q", struct.pack("<d", v))[0] for v in values]


def float_edges(rnd: random.Random) -> list[int]:
    bits = []
    for b in double_edges(rnd):
        value = struct.unpack("<d", struct.pack("<Q", b))[0]
        value = value if abs(value) < 3e38 or value != value or abs(value) == float("inf") else 3e38
        bits.append(struct.unpack("<I", struct.pack("<f", value))[0])
    return bits


LITERALS = """
|0|1|-1|+1|12|007|-0|127|128|-128|-129|32767|32768|2147483647|2147483648|-2147483648|9223372036854775807
9223372036854775808|-9223372036854775808|1_000|_1|1_|1__0|-_1|1L|1l|L|-L|1LL| 7|7 |1.5|.5|5.|.|1e3|1E+3|1e|1e400|1e-400|0e-400
-1.5d|1.5f|1D|1F|0x1.8p1|0x1|NaN|Infinity|-Infinity|infinity|nan|null|NULL|true|TRUE|tRuE|false|t|1.17549435e-38|3.5e38|1e-46
123456789012345678901234567890|0.1234567890123456789012345678901234567890|2.2250738585072011e-308|1\t|\t1|--1|+-1|+|-|abc
1.2.3.4|0.0.0.0|255.255.255.255|256.1.1.1|1.2.3|1.2.3.4.|...1.2.3.4...|1..2.3|1.2.3.4.5|1.2.3.4x|x1.2.3.4|+1.2.3.4|1.-2.3.4|1.2.3.-4|1_0.2.3.4
11111111-2222-3333-4444-555555555555|ABCDEFab-cdef-ABCD-abcd-ABCDEFabcdef|80000000-0000-0000-8000-000000000000|11111111222233334444555555555555
11111111-2222-3333-4444-55555555555g|1111111-12222-3333-4444-555555555555|00000000-0000-0000-0000-000000000000|0-0-0-0-0
2024|2024-|2024-0|2024-01|2024-1|2024-13|2024-00|2024-01-|2024-01-2|2024-01-02|2024-02-30|2023-02-29|2024-02-29|2024-01-02T|2024-01-02T0|2024-01-02T03
2024-01-02 03|2024-01-02t03|2024-01-02T24|2024-01-02T03:|2024-01-02T03:04|2024-01-02T03:04Z|2024-01-02T03:60|2024-01-02T03:04:05|2024-01-02T03:04:05Z
2024-01-02T03:04:05z|2024-01-02T03:04:60|2024-01-02T03:04:05.|2024-01-02T03:04:05.Z|2024-01-02T03:04:05.6|2024-01-02T03:04:05.67Z|2024-01-02T03:04:05.678
2024-01-02T03:04:05.678901|2024-01-02T03:04:05.678901234|2024-01-02T03:04:05.6789012345|2024-01-02T03:04:05.678901Z|2024-01-02T03:04:05.678901234Z
2024-01-02T03:04:05.678901234567Z|2024-01-02T03:04:05+01|2024-01-02T03:04:05+0130|2024-01-02T03:04:05+01:30|2024-01-02T03:04:05-23:59|2024-01-02T03:04:05+24
2024-01-02T03:04:05.5+01:3|2024-01-02T03:04:05 +01|2024-01-02T03:04:05UTC|2024-01-02T03:04:05.123-0130|-001|-001-01|+999-12-31|0000|0001-01-01|9999-12-31T23:59:59.999999Z
1677-09-21T00:12:43.145224193Z|2262-04-11T23:47:16.854775807Z|2262-04-11T23:47:16.854775808Z|2300|1600|2_24|20240102|2024-W01|2024-W53|2024-W01-1|2024-W01-7T05|2024-W01-8
2024-W01x|2020-W53-5 06:07:08.9|2021-W53|2024-W1|1704164645678901|1704164645678| 2024|2024 |Mon|01/02/2024|02-01-2024|12:34:56
"""


def texts(rnd: random.Random) -> list[list[int] | None]:
    """Everything that some parser may like, in UTF-16 units."""
    words = [w for line in LITERALS.strip("\n").split("\n") for w in line.split("|")]
    values: list[list[int] | None] = [None] + [[ord(c) for c in w] for w in words]
    values += [[0x663], [0xFF11], [0x31, 0x100], [0x100, 0x31], [0xD800, 0x31], [0x1F600 & 0xFFFF], [0], [0x31, 0], [0x174]]
    while len(values) < ROWS:
        values.append([ord(c) for c in repr(rnd.uniform(-1, 1) * 10.0 ** rnd.randint(-320, 307))])
    assert len(values) == ROWS, len(values)
    return values


def raw_texts(words: list[list[int] | None], rnd: random.Random) -> list[bytes | None]:
    encode = lambda units: struct.pack(f"<{len(units)}H", *units).decode("utf-16-le", "surrogatepass").encode("utf-8", "surrogatepass")
    values = [None if w is None else encode(w) for w in words]
    for at, raw in enumerate((b"\xff", b"a\xffb", b"ab\xc3", b"\xe2\x82", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\xc0\x80", b"\xf5\x80\x80\x80", b"ok \xc3\xa9\x80 end")):
        values[-1 - at] = raw
    return values


def column_name(target: str) -> str:
    return "c" + str(list(TARGETS).index(target))


def symbols(server: QuestDB, words: list[list[int] | None]) -> tuple[list[str], dict[str, bytes]]:
    """The texts as a SYMBOL table: its distinct values, and the column files."""
    found: dict[str | None, int] = {}
    keys = []
    for units in words:
        if units is None or any(0xD800 <= u < 0xE000 for u in units):
            keys.append(-(1 << 31))
            continue
        keys.append(found.setdefault("".join(map(chr, units)), len(found)))
    dictionary = b"".join(struct.pack("<i", len(t.encode("utf-16-le")) // 2) + t.encode("utf-16-le") for t in found)
    return list(found), {"d": struct.pack(f"<{len(keys)}i", *keys), "symbols": dictionary}


def table_of(source: str) -> str:
    return "s_" + "".join(c if c.isalnum() else "_" for c in source)


def fill_symbols(server: QuestDB, names: list[str], content: dict[str, bytes], texts: list[str]) -> None:
    server.query("CREATE TABLE s_SYMBOL (k LONG, " + ", ".join(f"{c} SYMBOL" for c in names) + ")")
    keys = struct.unpack(f"<{len(content['d']) // 4}i", content["d"])
    for at in range(0, len(keys), 40):
        rows = []
        for i, key in enumerate(keys[at : at + 40]):
            text = "null" if key < 0 else "'" + texts[key].replace("'", "''") + "'"
            rows.append(f"({at + i}, " + ", ".join([text] * len(names)) + ")")
        server.query("INSERT INTO s_SYMBOL VALUES " + ",".join(rows))


def change(server: QuestDB, table: str, column: str, target: str) -> tuple[str, bytes]:
    try:
        server.query(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE {target}")
    except ServerError as error:
        refused = any(t in error.message for t in ("incompatible", "already", "non-persisted", "not supported"))
        return ("refused " if refused else "fails ") + error.message.split("\n")[0], b""
    query = urllib.parse.urlencode({"query": f"SELECT {column} FROM {table}"})
    status, body = server.request("GET", f"/exp?{query}")
    assert status == 200, (table, column, target, body)
    return "ok", body


def decimal_lines(server: QuestDB, rnd: random.Random) -> list[str]:
    """One value in a table of its own: does it become this DECIMAL?"""
    lines = []
    sources_of = {"BYTE": 8, "SHORT": 16, "INT": 32, "LONG": 64}
    decimals = {name: code for name, code in TARGETS.items() if name.startswith("DECIMAL")}
    extra = {"DECIMAL(1,1)": 28 | 1 << 8 | 1 << 18, "DECIMAL(38,0)": 32 | 38 << 8, "DECIMAL(76,0)": 33 | 76 << 8, "DECIMAL(76,70)": 33 | 76 << 8 | 70 << 18, "DECIMAL(10,2)": 31 | 10 << 8 | 2 << 18, "DECIMAL(18,0)": 31 | 18 << 8}
    targets = decimals | extra
    number = 0
    for source in [*sources_of, *decimals, *extra]:
        code = TARGETS.get(source) or extra[source]
        for target, target_code in targets.items():
            if source == target:
                continue
            number += 1
            table = f"d{number}"
            values = decimal_values(source, code, target_code, rnd)
            names = [f"v{i}" for i in range(len(values))]
            server.query(f"CREATE TABLE {table} (k LONG, " + ", ".join(f"{n} {source}" for n in names) + ")")
            literals = ["null" if v is None else v for v in values]
            server.query(f"INSERT INTO {table} VALUES (0, " + ", ".join(literals) + ")")
            for name, value in zip(names, values):
                outcome, _ = change(server, table, name, target)
                if outcome == "ok":
                    text = server.query(f"SELECT {name} FROM {table}")[0][name]
                    lines.append(f"{code} {value} {target_code} {'null' if text is None else text}")
                else:
                    lines.append(f"{code} {value} {target_code} fails")
                    assert outcome.startswith("fails"), outcome
                    # What failed may leave the table unusable: go on with a fresh one.
                    rest = values[values.index(value) + 1 :]
                    number += 1
                    table = f"d{number}"
                    server.query(f"CREATE TABLE {table} (k LONG, " + ", ".join(f"{n} {source}" for n in names) + ")")
                    server.query(f"INSERT INTO {table} VALUES (0, " + ", ".join(literals) + ")")
            server.query(f"DROP TABLE {table}")
    return lines


def decimal_values(source: str, code: int, target: int, rnd: random.Random) -> list[str | None]:
    """Around the limits of what fits."""
    bits = {"BYTE": 8, "SHORT": 16, "INT": 32, "LONG": 64}.get(source)
    precision, scale = target >> 8 & 0xFF, target >> 18 & 0xFF
    limit = 10 ** max(precision - scale, 0)
    if bits:
        values = [v for v in (0, limit - 1, limit, -limit, rnd.getrandbits(bits - 1)) if -(1 << bits - 1) < v < 1 << bits - 1]
        return ([None] if bits > 16 else []) + [f"{v}" if bits > 16 else f"cast({v} as {source.lower()})" for v in values]
    own_precision, own_scale = code >> 8 & 0xFF, code >> 18 & 0xFF
    top = 10**own_precision - 1
    wanted = {0, 1, -1, top, -top, 10**own_scale, rnd.randrange(top + 1)}
    if own_scale > scale:
        wanted.add(10 ** (own_scale - scale))
    edge = limit * 10**own_scale
    wanted |= {edge, edge - 1, -edge}
    values = sorted(v for v in wanted if abs(v) <= top)
    return [None] + [decimal_text(v, own_scale) for v in values]


def decimal_text(value: int, scale: int) -> str:
    digits = str(abs(value)).rjust(scale + 1, "0")
    text = digits[: len(digits) - scale] + ("." + digits[len(digits) - scale :] if scale else "")
    return ("-" if value < 0 else "") + text + "m"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", default="9.3.4")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=TOP / "tests" / "data" / "convert" / "matrix.tar.gz")
    options = parser.parse_args()
    rnd = random.Random(options.seed)
    made = sources(rnd)
    names = [column_name(t) for t in TARGETS]
    files: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as directory:
        server = QuestDB(options.version, Path(directory))
        distinct, symbol = symbols(server, texts(random.Random(options.seed)))
        with server:
            for source in made:
                columns.create(server, table_of(source), {n: source for n in names}, ROWS)
            fill_symbols(server, names, symbol, distinct)
        for source, content in made.items():
            for name in names:
                columns.patch(server.root, table_of(source), name, content)
        with server:
            for source, content in (made | {"SYMBOL": symbol}).items():
                for target, code in TARGETS.items():
                    outcome, body = change(server, table_of(source), column_name(target), target)
                    files[f"{source}/to/{target}"] = f"{code} {outcome}\n".encode() + body
                files[f"{source}/type"] = str(TARGETS[source]).encode()
                files |= {f"{source}/{part}": part_content for part, part_content in content.items()}
            store(options.out, files)
            files["decimals"] = "\n".join(decimal_lines(server, rnd)).encode() + b"\n"
    store(options.out, files)


if __name__ == "__main__":
    main()
