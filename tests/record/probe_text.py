"""Asks a real QuestDB for the text of values of every type and stores both as a fixture.

    python3 tests/record/probe_text.py [--version 9.3.4] [--out tests/data/text/values.tar.gz]

The archive holds, for each probed column, `NAME/type` (its type code in decimal), its column files `NAME/d`
and where there is one `NAME/i` as QuestDB lays them out (of a SYMBOL: `NAME/d`, and `NAME/symbols`, the
dictionary as length-prefixed UTF-16 strings), `NAME/csv`, the body of `/exp`, and `NAME/json`, that of
`/exec` for the first rows.
LONG128 is refused by both, so `NAME/error` holds what the server says instead.
"""

from __future__ import annotations

import argparse
import io
import gzip
import random
import struct
import tarfile
import tempfile
import urllib.parse
from pathlib import Path

import probe_columns as columns
from questdb import TOP, QuestDB

ROWS = 1100
JSON_ROWS = 330


def probed(rnd: random.Random) -> dict[str, tuple[str, int, dict[str, bytes]]]:
    """Per column: its SQL type, its type code, its files."""
    n = ROWS
    geo = {5: ("b", 14), 7: ("b", 14), 8: ("h", 15), 15: ("h", 15), 31: ("i", 16), 32: ("q", 17), 60: ("q", 17)}
    made = {
        "boolean": ("BOOLEAN", 1, {"d": bytes(i & 1 for i in range(n))}),
        "byte": ("BYTE", 2, {"d": bytes(i & 255 for i in range(n))}),
        "short": ("SHORT", 3, columns.fixed("h", columns.some(columns.integers(16, rnd, 2 * n), rnd, n))),
        "char": ("CHAR", 4, columns.fixed("H", list(range(300)) + [rnd.choice((0xD800, 0xDFFF, 0xFFFF, 0x7FF, 0x800)) for _ in range(20)] + [rnd.getrandbits(16) for _ in range(n - 320)])),
        "int": ("INT", 5, columns.fixed("i", columns.some(columns.integers(32, rnd, 2 * n), rnd, n))),
        "long": ("LONG", 6, columns.fixed("q", columns.some(columns.integers(64, rnd, 2 * n), rnd, n))),
        "date": ("DATE", 7, columns.fixed("q", columns.some(columns.times(1_000, rnd, 2 * n), rnd, n))),
        "timestamp": ("TIMESTAMP", 8, columns.fixed("q", columns.some(columns.times(1_000_000, rnd, 2 * n), rnd, n))),
        "timestamp_ns": ("TIMESTAMP_NS", 8 | 1 << 18, columns.fixed("q", columns.some(columns.times(1_000_000_000, rnd, 2 * n), rnd, n))),
        "float": ("FLOAT", 9, columns.fixed("I", columns.some(columns.float_bits(rnd, 2 * n), rnd, n))),
        "double": ("DOUBLE", 10, columns.fixed("Q", columns.some(columns.double_bits(rnd, 2 * n), rnd, n))),
        "string": ("STRING", 11, columns.string(columns.texts(rnd, n)[:n])),
        "long256": ("LONG256", 13, columns.fixed("4Q", long256(rnd, n))),
        "binary": ("BINARY", 18, columns.binary([None] + [rnd.randbytes(i % 9) for i in range(n - 1)])),
        "uuid": ("UUID", 19, columns.fixed("2Q", [(1 << 63, 1 << 63), (1 << 63, 0), (0, 1 << 63), (0, 0)] + [(rnd.getrandbits(64), rnd.getrandbits(rnd.randint(1, 64))) for _ in range(n - 4)])),
        "long128": ("LONG128", 24, columns.fixed("2Q", [(i, 0) for i in range(n)])),
        "ipv4": ("IPv4", 25, columns.fixed("I", [0, 1, 255, 256, (1 << 32) - 1, 1 << 31] + [rnd.getrandbits(rnd.randint(1, 32)) for _ in range(n - 6)])),
        "varchar": ("VARCHAR", 26, columns.varchar(columns.octets(rnd, n))),
        "array1": ("DOUBLE[]", 27 | 10 << 8, columns.array(arrays(rnd, n, 1))),
        "array2": ("DOUBLE[][]", 27 | 10 << 8 | 1 << 14, columns.array(arrays(rnd, n, 2))),
        "array3": ("DOUBLE[][][]", 27 | 10 << 8 | 2 << 14, columns.array(arrays(rnd, n, 3))),
    }
    for bits, (fmt, tag) in geo.items():
        name = f"GEOHASH({bits // 5}c)" if bits % 5 == 0 else f"GEOHASH({bits}b)"
        values = [-1, 0, (1 << bits) - 1] + [rnd.getrandbits(bits) for _ in range(n - 3)]
        made[f"geohash{bits}"] = (name, tag | bits << 8 | 1 << 16, columns.fixed(fmt, values))
    for precision, scale in [(2, 2), (4, 0), (9, 3), (18, 18), (38, 7), (76, 0), (76, 76)]:
        tag = next(t for t, most in zip(range(28, 34), (2, 4, 9, 18, 38, 76)) if precision <= most)
        top = 10**precision - 1
        values = [None, 0, 1, -1, top, -top, top // 2] + [rnd.choice((1, -1)) * rnd.randrange(10 ** rnd.randint(1, precision)) for _ in range(n - 7)]
        made[f"decimal{precision}_{scale}"] = (f"DECIMAL({precision},{scale})", tag | precision << 8 | scale << 18, columns.decimal(tag, values))
    return made


def long256(rnd: random.Random, n: int) -> list[tuple[int, ...]]:
    null = 1 << 63
    values = [(null,) * 4, (null, null, null, 0), (0, null, null, null), (null, 0, 0, 0), (0,) * 4]
    values += [tuple(1 << i - 64 * w if 0 <= i - 64 * w < 64 else 0 for w in range(4)) for i in range(256)]
    while len(values) < n:
        value = rnd.getrandbits(rnd.randint(1, 256))
        values.append(tuple(reversed(columns.words(value, 4))))
    return values


def arrays(rnd: random.Random, n: int, dims: int) -> list[tuple[list[int], list[float]] | None]:
    values: list = [None, ([0] * dims, []), ([3] * (dims - 1) + [0], []), ([0] + [2] * (dims - 1), [])]
    bits = columns.double_bits(rnd, 2000)
    while len(values) < n:
        shape = [rnd.randint(1, 3) for _ in range(dims)]
        count = 1
        for d in shape:
            count *= d
        values.append((shape, [struct.unpack("<d", struct.pack("<Q", rnd.choice(bits)))[0] for _ in range(count)]))
    return values


def symbols(rnd: random.Random) -> list[str]:
    """Distinct texts that SQL can say."""
    found: dict[str, None] = {"": None}
    for units in columns.texts(rnd, 6 * ROWS)[1:]:
        try:
            found[struct.pack(f"<{len(units)}H", *units).decode("utf-16-le")] = None
        except UnicodeDecodeError:
            pass
    return list(found)[: ROWS + 100]


def fill_symbols(server: QuestDB, texts: list[str]) -> dict[str, bytes]:
    server.query("CREATE TABLE symbols (k LONG, symbol SYMBOL)")
    for at in range(0, len(texts), 100):
        rows = ",".join("({}, '{}')".format(at + i, t.replace("'", "''")) for i, t in enumerate(texts[at : at + 100]))
        server.query(f"INSERT INTO symbols VALUES {rows}")
    server.query("INSERT INTO symbols VALUES (-1, null)")
    keys = list(range(len(texts))) + [-(1 << 31)]
    dictionary = b"".join(struct.pack("<i", len(t.encode("utf-16-le")) // 2) + t.encode("utf-16-le") for t in texts)
    return {"d": struct.pack(f"<{len(keys)}i", *keys), "symbols": dictionary}


def answers(server: QuestDB, table: str, column: str) -> dict[str, bytes]:
    query = urllib.parse.urlencode({"query": f"SELECT {column} FROM {table}"})
    found = {}
    try:
        found["csv"] = server.request("GET", f"/exp?{query}")[1]
    except Exception as error:  # what it does to LONG128 is to hang up
        found["error"] = repr(error).encode()
    status, body = server.request("GET", f"/exec?{query}&limit={JSON_ROWS}")
    found["json" if status == 200 else "error"] = body
    return found


def store(path: Path, files: dict[str, bytes]) -> None:
    """A tar.gz without times and owners."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in sorted(files):
            info = tarfile.TarInfo(name)
            info.size = len(files[name])
            tar.addfile(info, io.BytesIO(files[name]))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(packed.getvalue(), 9, mtime=0))
    print(f"{path}: {path.stat().st_size} bytes, {len(files)} files")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", default="9.3.4")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=TOP / "tests" / "data" / "text" / "values.tar.gz")
    options = parser.parse_args()
    rnd = random.Random(options.seed)
    probes = probed(rnd)
    files: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as directory:
        server = QuestDB(options.version, Path(directory))
        with server:
            columns.create(server, "probe", {name: ty for name, (ty, _, _) in probes.items()}, ROWS)
            symbol = fill_symbols(server, symbols(rnd))
        for name, (_, _, content) in probes.items():
            columns.patch(server.root, "probe", name, content)
        with server:
            for name, (_, code, content) in probes.items():
                for part, content in (content | answers(server, "probe", name)).items():
                    files[f"{name}/{part}"] = content
                files[f"{name}/type"] = str(code).encode()
            for part, content in (symbol | answers(server, "symbols", "symbol")).items():
                files[f"symbol/{part}"] = content
            files["symbol/type"] = b"12"
    store(options.out, files)


if __name__ == "__main__":
    main()
