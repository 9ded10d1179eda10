"""Column files with exactly known bytes, put under a stopped QuestDB.

SQL can't say every value (a NaN's bits, half a surrogate pair, invalid UTF-8), so the probes let the server
create its tables, stop it, overwrite the column files, and start it again.
"""

from __future__ import annotations

import random
import struct
from pathlib import Path

NULL_LONG = -(1 << 63)


def fixed(fmt: str, values: list) -> dict[str, bytes]:
    """A `.d` file of numbers in `struct` format `fmt` (without the byte order)."""
    return {"d": b"".join(struct.pack("<" + fmt, *(v if isinstance(v, tuple) else (v,))) for v in values)}


def string(values: list[list[int] | None]) -> dict[str, bytes]:
    """STRING: lists of UTF-16 units."""
    data, aux = bytearray(), [0]
    for units in values:
        data += struct.pack("<i", -1 if units is None else len(units))
        data += struct.pack(f"<{len(units or [])}H", *(units or []))
        aux.append(len(data))
    return {"d": bytes(data), "i": struct.pack(f"<{len(aux)}q", *aux)}


def binary(values: list[bytes | None]) -> dict[str, bytes]:
    data, aux = bytearray(), [0]
    for value in values:
        data += struct.pack("<q", -1 if value is None else len(value)) + (value or b"")
        aux.append(len(data))
    return {"d": bytes(data), "i": struct.pack(f"<{len(aux)}q", *aux)}


def varchar(values: list[bytes | None]) -> dict[str, bytes]:
    data, aux = bytearray(), bytearray()
    for value in values:
        offset = struct.pack("<Q", len(data))[:6]
        if value is None:
            aux += struct.pack("<I", 4) + bytes(6) + offset
        elif len(value) <= 9:
            aux += bytes([len(value) << 4 | 2 * value.isascii() | 1]) + value.ljust(9, b"\0") + offset
        else:
            aux += struct.pack("<I", len(value) << 4 | 2 * value.isascii()) + value[:6] + offset
            data += value
    return {"d": bytes(data), "i": bytes(aux)}


def array(values: list[tuple[list[int], list[float]] | None]) -> dict[str, bytes]:
    """DOUBLE[]...: (dimension lengths, elements in row-major order)."""
    data, aux = bytearray(), bytearray()
    for value in values:
        start = len(data)
        if value is not None:
            shape, elements = value
            data += struct.pack(f"<{len(shape)}i", *shape)
            data += bytes(-len(data) % 8) + struct.pack(f"<{len(elements)}d", *elements)
            data += bytes(-len(data) % 8)
        aux += struct.pack("<QII", start, len(data) - start, 0)
    return {"d": bytes(data), "i": bytes(aux)}


def words(value: int, n: int) -> tuple[int, ...]:
    """The `n` 64-bit words of a two's complement number, most significant first."""
    value &= (1 << 64 * n) - 1
    return tuple(value >> 64 * i & (1 << 64) - 1 for i in reversed(range(n)))


def decimal(tag: int, values: list[int | None]) -> dict[str, bytes]:
    """DECIMAL8 (28) to DECIMAL256 (33): unscaled numbers."""
    if tag <= 31:
        bits = 8 << tag - 28
        return fixed("bhiq"[tag - 28], [-(1 << bits - 1) if v is None else v for v in values])
    n = 2 if tag == 32 else 4
    return fixed(f"{n}Q", [words(-(1 << 64 * n - 1) if v is None else v, n) for v in values])


def patch(root: Path, table: str, column: str, files: dict[str, bytes]) -> None:
    """Overwrites a column of an unpartitioned table of a server that is stopped."""
    found = [p for p in (root / "db").glob(f"{table}*") if p.name.split("~")[0] == table]
    assert len(found) == 1, found
    for extension, content in files.items():
        path = found[0] / "default" / f"{column}.{extension}"
        assert path.is_file(), path
        path.write_bytes(content)


def create(server, table: str, columns: dict[str, str], rows: int) -> None:
    """An unpartitioned table without WAL whose columns are all null, and `k`, the row number."""
    defined = ", ".join(f"{name} {ty}" for name, ty in columns.items())
    server.query(f"CREATE TABLE {table} (k LONG, {defined})")
    server.query(f"INSERT INTO {table}(k) SELECT x FROM long_sequence({rows})")


def some(values: list, rnd: random.Random, n: int, first: int = 40) -> list:
    """`n` of the values: the first ones, and a sample of the others in their order."""
    if len(values) <= n:
        return values
    return values[:first] + [values[i] for i in sorted(rnd.sample(range(first, len(values)), n - first))]


# -- values ------------------------------------------------------------------------------------------------


def integers(bits: int, rnd: random.Random, n: int) -> list[int]:
    """Signed: edges, small ones, powers of ten and two and their neighbours, random bits of random length."""
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1
    near = [e + d for e in [0] + [10**i for i in range(20)] + [1 << i for i in range(bits)] for d in (-1, 0, 1)]
    edges = {v for e in near for v in (e, -e)} | {low, low + 1, high, high - 1}
    values = sorted(v for v in edges if low <= v <= high)
    while len(values) < n:
        values.append(rnd.getrandbits(rnd.randint(1, bits - 1)) * rnd.choice((-1, 1)))
    return values


def double_bits(rnd: random.Random, n: int) -> list[int]:
    """Edges, integers, decimals, powers of ten and two, neighbours, random bits."""
    values = [0.0, -0.0, 1.0, 0.1, 1 / 3, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308]
    values += [float("nan"), float("inf"), float("-inf"), 9007199254740993.0, 2147483647.0, 4294967295.0]
    values += [10.0**i for i in range(-323, 309)] + [float(1 << i) for i in range(0, 1023, 7)]
    values += [round(rnd.uniform(-1e6, 1e6), rnd.randint(0, 6)) for _ in range(300)]
    values += [float(rnd.getrandbits(rnd.randint(1, 63))) for _ in range(200)]
    bits = [struct.unpack("<Q", struct.pack("<d", v))[0] for v in values]
    bits += [b + d for b in bits[14:700:5] for d in (-1, 1)]
    bits += [0x7FF8000000000001, 0xFFF8000000000000, 0x7FF0000000000001]
    while len(bits) < n:
        bits.append(rnd.getrandbits(64))
    return [b & (1 << 64) - 1 for b in bits]


def float_bits(rnd: random.Random, n: int) -> list[int]:
    values = [0.0, -0.0, 1.0, 0.1, 1 / 3, 1e-45, 1.1754944e-38, 3.4028235e38, float("nan"), float("inf")]
    values += [float("-inf"), 2147483647.0, 16777216.0, 33554432.0, 99999999999.0, 2.0e-3]
    values += [10.0**i for i in range(-45, 39)] + [2.0**i for i in range(-149, 128)]
    values += [round(rnd.uniform(-1e6, 1e6), rnd.randint(0, 4)) for _ in range(300)]
    values += [float(rnd.getrandbits(rnd.randint(1, 63))) for _ in range(200)]
    bits = [struct.unpack("<I", struct.pack("<f", v))[0] for v in values]
    bits += [b + d for b in bits[11:300:2] for d in (-1, 1)]
    while len(bits) < n:
        bits.append(rnd.getrandbits(32))
    return [b & (1 << 32) - 1 for b in bits]


def times(per_second: int, rnd: random.Random, n: int) -> list[int]:
    """Both ends of the range, ends of years, leap days, instants around the epoch, random ones."""
    day, top = 86400 * per_second, (1 << 63) - 1
    values = [NULL_LONG, NULL_LONG + 1, -top, top, top - 1, 0, 1, -1, day, -day, day - 1, 1 - day]
    for year in list(range(1890, 2110)) + [-290000, -9999, -999, -99, -9, -4, -1, 0, 1, 4, 100, 1000, 9999, 10000, 290000]:
        y = year - 1
        days = y * 365 + y // 4 - y // 100 + y // 400 - 719162
        for d in (-36, -3, -2, -1, 0, 58, 59, 60, 61):
            values.append(days * day + d * day + rnd.randrange(day))
        values += [days * day - 1, days * day]
    values = [v for v in values if -top - 1 <= v <= top]
    while len(values) < n:
        span = rnd.choice((100 * 365 * day, 10**4 * 365 * day, top))
        values.append(rnd.randint(-min(span, top), min(span, top)))
    return values


def texts(rnd: random.Random, n: int) -> list[list[int] | None]:
    """UTF-16 units: quotes, backslashes, controls, all planes, halves of pairs."""
    values: list[list[int] | None] = [None, [], *([c] for c in range(0x120)), [0xD800], [0xDC00], [0xFFFF], [0xFEFF]]
    values += [[ord(c) for c in t] for t in ('"', '""', '\\"', "a,b", "a\r\nb", "null", "NaN", " x ", "'", "a\tb")]
    pools = [range(0x20, 0x7F), range(0, 0x20), range(0x80, 0x800), range(0x800, 0xD800), range(0xD800, 0xE000), (34, 92, 44)]
    while len(values) < n:
        units: list[int] = []
        for _ in range(rnd.randint(0, 24)):
            pool = rnd.choice(pools)
            units.append(rnd.choice(pool))
            if rnd.random() < 0.1:
                units += [rnd.randrange(0xD800, 0xDC00), rnd.randrange(0xDC00, 0xE000)]
        values.append(units)
    return values


def octets(rnd: random.Random, n: int) -> list[bytes | None]:
    """VARCHARs: the above in UTF-8, and bytes that are none."""
    values: list[bytes | None] = [None, b"", *(bytes([c]) for c in range(256))]
    for units in texts(rnd, n - 400):
        if units is not None:
            raw = struct.pack(f"<{len(units)}H", *units)
            values.append(raw.decode("utf-16-le", "surrogatepass").encode("utf-8", "surrogatepass"))
    while len(values) < n:
        values.append(bytes(rnd.getrandbits(8) for _ in range(rnd.randint(0, 20))))
    return values[:n]
