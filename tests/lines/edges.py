"""Requests at the edges of the protocol, and random ones."""

from __future__ import annotations

import random
import struct

# A table with a column of each type that lines can be sent to, made by SQL.
TYPED = """CREATE TABLE typed (
  ts TIMESTAMP, bo BOOLEAN, by BYTE, sh SHORT, ch CHAR, i INT, l LONG, da DATE, t TIMESTAMP, tn TIMESTAMP_NS, f FLOAT, d DOUBLE,
  st STRING, sy SYMBOL, l256 LONG256, g1 GEOHASH(7b), g2 GEOHASH(3c), g4 GEOHASH(6c), g8 GEOHASH(12c), u UUID, ip IPv4, v VARCHAR,
  a1 DOUBLE[], a2 DOUBLE[][], d8 DECIMAL(2,1), d16 DECIMAL(4,2), d32 DECIMAL(9,3), d64 DECIMAL(18,0), d128 DECIMAL(38,10),
  d256 DECIMAL(76,20)
) TIMESTAMP(ts) PARTITION BY DAY WAL"""
SCHEMA = [
    TYPED,
    "CREATE TABLE nanos (ts TIMESTAMP_NS, x LONG) TIMESTAMP(ts) PARTITION BY HOUR WAL",
    "CREATE TABLE once (ts TIMESTAMP, k SYMBOL, x LONG) TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, k)",
    "CREATE TABLE plain (ts TIMESTAMP, x LONG) TIMESTAMP(ts) PARTITION BY DAY BYPASS WAL",
    "CREATE TABLE evolved (ts TIMESTAMP, a INT, b SYMBOL, c VARCHAR) TIMESTAMP(ts) PARTITION BY MONTH WAL",
    "CREATE VIEW seen AS (SELECT * FROM typed)",
]
EVOLUTION = [
    "INSERT INTO evolved VALUES ('2024-01-01', 1, 'x', 'one'), ('2024-02-01', 2, 'y', 'two')",
    "ALTER TABLE evolved DROP COLUMN c",
    "ALTER TABLE evolved ALTER COLUMN a TYPE LONG",
    "ALTER TABLE evolved ADD COLUMN c DOUBLE",
    "INSERT INTO evolved VALUES ('2024-03-01', 3, 'z', 3.5)",
]
COLUMNS = "bo by sh ch i l da t tn f d st sy l256 g1 g2 g4 g8 u ip v a1 a2 d8 d16 d32 d64 d128 d256".split()

# Each is a request; all begin with fresh names of tables where that matters.
EDGES: list[bytes] = [
    b"e1 a= 1\n", b"e1 a=1,b= 1\n", b"e1,x= a=1 1\n", b"e2 a=1d 1\n", b"e3 a=x 1\n", b"e3,b a=1 1\n", b"e3 a=1 1", b"e3",
    b"e3 a=1 x\n", b"e3 a=1 5/6\n", b"e/b x=1\n", b"e4 a?b=1\n", b"e4 a/b=1\n", b"e? a=1\n", b".e a=1\n", b"e. a=1\n", b"e..e a=1 1\n",
    b"e.e a=1 1\n", b"e-e a=1 1\n", b"e4 a-b=1 1\n", b"e4 a.b=1 1\n", b"e4,a:b=1 x=1 1\n", b'e5 x="abc\n', b'e5 x="abc"d\n',
    b'e5 x="abc"d"\n', b"e5 x=1i,x=2i,X=3i 5\n", b"e7 timestamp=5t 7\n", b"e7 timestamp=6t,a=1\n", b"e7 timestamp=7i 7\n",
    b"e8 timestamp=5.5 7\n", b"e7 timestamp=-5t 7\n", b"e7 timestamp=9223372036854775807n 7\n", b"e9 a=1 -5\n",
    b"e9 a=1 9223372036854775807\n", b"e9 a=1 9223372036854775808\n", b"e9 a=1 -9223372036854775808\n" b"e9 a=2 0\n",
    b"e10 a=1 9223372036854775807t\n", b"e10 a=1 9223372036854775807m\n", b"e11 a=1 300000000000000000t\n", b"e12 a=0xzzi 1\n",
    b"e12 a=0x123i 1\n", b"e12 b=1 1\ne12 b=\"x\" 2\n", b"e12 c=1i 1\ne12 c=1i x\n", b"e13 a==",     b"typed a1==\x0e\x29 9\n", b"typed a2==\x0e\x0a\x00 9\n", b"e15 a=1 5\ne15 b= 6\n", b"e15 a=1 5\ne15 b=1d 6\n", b"e16 a=1n 5n\n",
    b"e16 a=1t 7t\n", b"e16 a=1m 8m\n", b"e17 a=\xff\xfe 5\n", b'e18 a="\xff\xfeabc" 5\n', b"e19,a=\xffb b=1 5\n", b"e\xff9,a=b b=1 5\n",
    b"e20,a\xff=b b=1 5\n", b"e21 1\n", b"e22,a=b 1\n", b"e22,a=b  2\n", b"e23,a=b c=1,d 5\n", b"e24 =1 5\n", b"e24,=1 a=5 5\n",
    b"=e25 a=1 5\n", b"e26 a==\x63 5\n", b"e27 a=1 1 1\n", b"e28 a=b=c 1\n", b"\n\n\ne29 a=\n", b"e30 a=-0x1i 5\n", b"e31 a=1e400 5\n",
    b"e32 a=NaN,b=Infinity,c=-Infinity 5\n", b"e33 t=true,f=False,x=TRUE,y=tRue,z=T,w=f 5\n", b'e34 a="" 5\n', b'e35,a="x" b=1 5\n',
    b'e36 a="' + b"x" * 20 + b'\\"\\\\\\n" 5\n', b'e36 a="tab\tand\\\nline" 6\n', b"e37\\ x,a\\,b=c\\=d e\\ f=1 5\n",
    b"e38 a=1\r\ne38 a=2 7\r\n", b"e39 a=1i 5\ne39 a=2.5 6\n", b"e40 a=1 5\n\n\ne40 a=x 6\n", b"e41 a=1_000i 5\n", b"e41 a=1_i 5\n",
    b"e41 a=0x 5\n", b"e41 a=-9223372036854775808i 6\n", b"e41 a=9223372036854775808i 6\n", b"e42 a==\x10\0\0\0\0\0\0\xf8\x3f 5\n",
    b"e42 a==\x10\0\0\0\0\0\0\xf8\x3fx 5\n", b"e42 a==\x10\0\0\0", b"e43 a==\x0e\x0a\x01\x02\0\0\0" + struct.pack("<2d", 1, 2) + b" 5\n",
    b"e43 a==\x0e\x0a\x02\x01\0\0\0\x01\0\0\0" + struct.pack("<d", 1) + b" 5\n", b"e43 a==\x0e\x05\x01\x02\0\0\0 5\n",
    b"e43 a==\x0e\x0a\x21 5\n", b"e43 a==\x0e\x0a\x02\xff\xff\xff\x7f\xff\xff\xff\x7f 5\n", b"e43 a==\x0e\x0a\x01\0\0\0\0 6\n",
    b"typed d32==\x17\x02\x02\x00\x7d 5\n", b"typed d32==\x17\x4d\x01\x01 5\n", b"typed d256==\x17\x00\x21" + b"\x01" * 33 + b" 5\n",
    b"typed d8==\x17\x00\x00 5\n", b"typed d64==\x17\x01\x01\x14 5\n", b"typed d64==\x17\x01\x01\x15 5\n", b"typed bo==\x06\x01,i==\x03\x01\0\0\0 5\n",
    b"typed l==\x0f" + struct.pack("<q", -7) + b",f==\x02" + struct.pack("<f", 2.5) + b" 5\n",
    b"typed t==\x0d\x03" + struct.pack("<q", 17) + b" 6\n", b"typed t==\x0d\x09" + struct.pack("<q", 17) + b" 6\n",
    b"typed sy==\x0d\x03" + struct.pack("<q", 17) + b" 7\n", b"typed sy==\x10" + struct.pack("<d", 1e300) + b" 7\n",
    b"typed sy==\x06\x01 8\n", b"typed sy==\x0f" + struct.pack("<q", -(1 << 63)) + b" 8\n", b"TYPED L=5i 9\n", b"plain x=1i 5\n", b"seen x=1i 5\n",
    b"nanos x=1i 5\nnanos x=2i 6t\nnanos x=3i 7m\n", b"nanos x=1i 9223372036854775807m\n", b"nanos x=1i 9214646400000t\n",
    b"once,k=a x=1i 1000000\nonce,k=a x=2i 1000000\nonce,k=b x=3i 1000000\n", b"evolved a=5i,b=\"w\",c=1.5 1709251200000000000\n",
    b"evolved c=7 1\nevolved,b=q a=8i 2\nevolved d=t 3\n", b"", b"\n", b" \n", b"#comment\n", b"e50 a=1 5\ne51 a=2 5\ne50 a=3 6\n",
    b"e52 a=1 5\ne53 a=x 5\n", "e54 ä=1,ö=\"ü\u20ac\U0001f600\" 5\n".encode(), "täble,sym=ü x=1 5\n".encode(),
    b"e55 " + b"n" * 127 + b"=1 5\n", b"e55 " + b"n" * 128 + b"=1 5\n", b"m" * 127 + b" a=1 5\n", b"m" * 128 + b" a=1 5\n",
    b"e56 a=0 5\ne56 a=-0.0 6\ne56 a=1e-320 7\ne56 a=.5 8\ne56 a=5. 9\ne56 a=1e5 10\n", b"e57 a=+1 5\n", b"e57 a=+1i 5\n", b"e57 a=1f 5\n",
    b"e57 a=0x1p3 5\n", b"e57 a=1D 5\n", b"e58 a=\"a\",b=\"b\"\n", b'e59 a="x"b="y" 5\n', b"e60,a=b,c=d\n", b"e61 a=1 5 \n", b"e61  a=1 5\n",
    b"e61 a=1  5\n", b"e62,a=1 b=2,c\n", b"e63 a\\\\b=1 5\n", b'e64 a="\\x" 5\n', b"e65 a=\"x\\\\\" 5\n", b"e66 a=nan 5\n", b"e67 a=tru 5\n",
]

# What is meant to differ: the request, and the status and code of our answer. `docs/ilp.md` has each.
DIFFER: list[tuple[bytes, int]] = [
    (b"f1 Timestamp=5t,b=1 7\n", 400),
    (b"f3 a==\x0e\x0a\x00 5\n", 500),
    (b"e12 n==\x0e\x29 5\n", 500),
    (b"typed l=0d 5\n", 400),
    (b"f2 a\x11b=1 5\n", 400),
]


def text(rng: random.Random) -> str:
    return rng.choice(["", "a", "x y", "ü€", "1", "-1", "3.5", "u33d8", "10.0.0.1", "null", "0x1f", "longer than nine bytes", "\U0001f600",
                       "11111111-2222-3333-4444-555555555555", "1.25", "NaN", "z" * rng.randrange(60)])


def escaped(word: str, special: str) -> str:
    return "".join("\\" + c if c in special else c for c in word)


def value(rng: random.Random) -> bytes:
    """A field's value of a random kind, mostly a good one."""
    kind = rng.randrange(16)
    number = rng.choice([0, 1, -1, 42, 127, 128, -32769, 1 << 31, -(1 << 63) + 1, rng.randrange(-(1 << 40), 1 << 40)])
    real = rng.choice([0.0, -1.5, 1e10, 3.25, 1e-7, 123456.789, rng.uniform(-1e6, 1e6)])
    if kind <= 2:
        return f"{number}i".encode()
    if kind <= 4:
        return repr(real).encode()
    if kind <= 6:
        return f'"{escaped(text(rng), chr(34) + chr(92))}"'.encode()
    if kind == 7:
        return rng.choice([b"t", b"F", b"true", b"FALSE"])
    if kind == 8:
        return rng.choice([b"0x1fi", b"0xffffffffffffffffffi", b"0x0i"])
    if kind == 9:
        return f"{abs(number)}{rng.choice('tnm')}".encode()
    if kind == 10:
        return b"=\x10" + struct.pack("<d", real)
    if kind == 11:
        n = rng.randrange(4)
        return b"=\x0e\x0a\x01" + struct.pack("<I", n) + struct.pack(f"<{n}d", *[real] * n)
    if kind == 12:
        return b"=\x0e\x0a\x02" + struct.pack("<II", 2, 1) + struct.pack("<2d", real, 1)
    if kind == 13:
        scale = rng.randrange(4)
        return b"=\x17" + bytes([scale, 4]) + struct.pack(">i", rng.randrange(-100000, 100000))
    if kind == 14:
        return f"{rng.choice(['0', '1.5', '-2.25', '99', '12345.678', '1e3', 'NaN'])}d".encode()
    return b""


def good(rng: random.Random) -> bytes:
    """A request that is taken: rows of a random table of its own columns."""
    table = f"r{rng.randrange(12)}"
    lines = []
    for _ in range(rng.randrange(1, 20)):
        tags = "".join(f",s{n}={escaped(text(rng) or 'e', ', =' + chr(92))}" for n in range(rng.randrange(3)))
        fields = []
        for n in rng.sample(range(12), rng.randrange(1, 6)):
            fields.append([
                lambda: b"i%d=%di" % (n, rng.randrange(-(1 << 60), 1 << 60)),
                lambda: b"f%d=%s" % (n, repr(rng.uniform(-1e9, 1e9)).encode()),
                lambda: b"v%d=" % n + f'"{escaped(text(rng), chr(34) + chr(92))}"'.encode(),
                lambda: b"b%d=%s" % (n, rng.choice([b"t", b"f"])),
                lambda: b"t%d=%dt" % (n, rng.randrange(1 << 50)),
                lambda: b"a%d==\x0e\x0a\x01" % n + struct.pack("<I2d", 2, 1.5, rng.random()),
                lambda: b"l%d=0x%xi" % (n, rng.randrange(1 << 200)),
            ][n % 7]())
        at = 1_600_000_000_000_000_000 + rng.randrange(40 * 86400) * 1_000_000_000
        lines.append(f"{table}{tags} ".encode() + b",".join(fields) + f" {at}\n".encode())
    return b"".join(lines)


def typed_value(rng: random.Random, column: str) -> bytes:
    """A value for a column, but for decimals where the server would write the bytes of one into another type's column."""
    found = value(rng)
    if not column[1:].isdigit() or column[0] != "d":
        while found.startswith(b"=\x17") and column[0] in "ga" or found in (b"0d", b"NaNd") or found.endswith(b"d") and column[0] in "ga":
            found = value(rng)
    return found


def typed(rng: random.Random) -> bytes:
    """A line for the table with all types: often refused."""
    fields = b",".join(c.encode() + b"=" + typed_value(rng, c) for c in rng.sample(COLUMNS, rng.randrange(1, 4)))
    at = 1_700_000_000_000_000_000 + rng.randrange(10 * 86400) * 1_000_000_000
    tag = f",{rng.choice(COLUMNS)}={escaped(text(rng) or 'e', ', =' + chr(92))}" if rng.random() < 0.2 else ""
    return f"typed{tag} ".encode() + fields + f" {at}\n".encode()


def broken(rng: random.Random) -> bytes:
    """A good request with a byte changed, taken out or doubled."""
    body = bytearray(good(rng)[:300])
    for _ in range(rng.randrange(1, 3)):
        at = rng.randrange(len(body))
        match rng.randrange(3):
            case 0:
                body[at] = rng.choice(b'=, \n\\"1itd/\x00')
            case 1:
                del body[at]
            case _:
                body.insert(at, rng.choice(b'=, \n\\"1i'))
    # Lines get no time of their own, which would differ.
    return bytes(body).replace(b"\n\n", b"\n")
