"""Random values of every column type, as SQL literals and as ILP fields."""

from __future__ import annotations

from random import Random

WORDS = ["", "a", "b", "alpha", "beta gamma", "ninebytes", "ten bytes!", "naïve", "日本", "😀", "x" * 40, "12", "-7", "1.5", "2024-03-04T05:06:07.890123Z", "true",
         "1.2.3.4", "11111111-2222-3333-4444-555555555555"]

TYPES = ["SYMBOL", "SYMBOL", "SYMBOL", "VARCHAR", "VARCHAR", "STRING", "INT", "INT", "LONG", "LONG", "DOUBLE", "DOUBLE", "FLOAT", "BOOLEAN", "SHORT", "BYTE", "CHAR", "DATE",
         "TIMESTAMP", "TIMESTAMP_NS", "UUID", "IPv4", "LONG256", "GEOHASH(3b)", "GEOHASH(3c)", "GEOHASH(5c)", "GEOHASH(11c)", "DECIMAL(2,0)", "DECIMAL(4,2)", "DECIMAL(9,3)",
         "DECIMAL(18,2)", "DECIMAL(30,8)", "DECIMAL(70,12)", "DOUBLE[]", "DOUBLE[][]"]

# What ILP can write without doubt about the type that the server makes of it.
ILP_TYPES = {"SYMBOL", "VARCHAR", "STRING", "INT", "LONG", "SHORT", "BYTE", "DOUBLE", "FLOAT", "BOOLEAN"}

NUMBERS = {"BYTE": 127, "SHORT": 32767, "INT": 2**31 - 1, "LONG": 2**63 - 1}

TEXTS = ("STRING", "VARCHAR", "SYMBOL")

# Types that the server takes as upsert keys beside the timestamp.
KEY_TYPES = {"SYMBOL", "VARCHAR", "STRING", "INT", "LONG", "SHORT", "BYTE", "BOOLEAN", "CHAR", "UUID", "IPv4", "DATE", "TIMESTAMP", "LONG256", "DOUBLE", "FLOAT"}

# From which types to which the server converts without ever suspending the table.
CONVERSIONS = (
    {source: ["BYTE", "SHORT", "INT", "LONG", "FLOAT", "DOUBLE", "BOOLEAN", "DATE", "TIMESTAMP", "TIMESTAMP_NS", "VARCHAR", "STRING", "SYMBOL"]
     for source in ("BYTE", "SHORT", "INT", "LONG", "FLOAT", "DOUBLE", "BOOLEAN", "DATE", "TIMESTAMP", "TIMESTAMP_NS")}
    | {source: ["BYTE", "SHORT", "INT", "LONG", "FLOAT", "DOUBLE", "BOOLEAN", "CHAR", "DATE", "TIMESTAMP", "TIMESTAMP_NS", "UUID", "IPv4", "VARCHAR", "STRING", "SYMBOL"]
       for source in TEXTS}
    | {source: ["VARCHAR", "STRING", "SYMBOL"] for source in ("CHAR", "UUID", "IPv4")}
    | {"DECIMAL(4,2)": ["DECIMAL(9,2)", "DECIMAL(30,2)"], "DECIMAL(18,2)": ["DECIMAL(70,2)"]}
)


def number(r: Random, kind: str) -> int:
    top = NUMBERS[kind]
    return r.choice([0, 1, -1, 7, r.randrange(-100, 100), r.randrange(-100, 100), r.randrange(-top, top), top, -top])


def real(r: Random) -> str:
    return r.choice(["0.0", "-0.0", "1.5", "0.1", f"{r.uniform(-1000, 1000):.4f}", f"{r.uniform(-1, 1):.9e}", "1e15", "-2.5e-7"])


def moment(r: Random, digits: int) -> str:
    fraction = f"{r.randrange(10**digits):0{digits}d}"
    return f"{r.randrange(1950, 2200)}-{r.randrange(1, 13):02d}-{r.randrange(1, 29):02d}T{r.randrange(24):02d}:{r.randrange(60):02d}:{r.randrange(60):02d}.{fraction}Z"


def text(r: Random) -> str:
    return r.choice(WORDS) if r.random() < 0.6 else f"v{r.randrange(40)}"


def literal(r: Random, kind: str) -> str:
    """A value as it stands in INSERT ... VALUES."""
    if r.random() < 0.15 and kind not in ("BOOLEAN", "BYTE", "SHORT"):
        return "null"
    if kind in NUMBERS:
        return str(number(r, kind))
    if kind in TEXTS:
        return "'" + text(r).replace("'", "''") + "'"
    if kind.startswith("DECIMAL"):
        return decimal(r, kind)
    if kind.startswith("GEOHASH"):
        return geohash(r, kind)
    match kind:
        case "DOUBLE":
            return real(r)
        case "FLOAT":
            return real(r) + "f"
        case "BOOLEAN":
            return r.choice(["true", "false"])
        case "CHAR":
            return r.choice(["'a'", "'Z'", "'5'", "'é'", "'日'"])
        case "DATE":
            return f"'{moment(r, 3)}'"
        case "TIMESTAMP":
            return f"'{moment(r, 6)}'"
        case "TIMESTAMP_NS":
            return f"'{moment(r, 9)}'"
        case "UUID":
            return f"'{r.getrandbits(32):08x}-0000-4000-8000-{r.randrange(5):012x}'"
        case "IPv4":
            return f"'{r.randrange(1, 256)}.0.{r.randrange(3)}.{r.randrange(256)}'"
        case "LONG256":
            return long256(r)
        case "DOUBLE[]":
            return "ARRAY[" + ", ".join(real(r) for _ in range(r.randrange(1, 5))) + "]"
        case "DOUBLE[][]":
            width = r.randrange(1, 4)
            return "ARRAY[" + ", ".join("[" + ", ".join(real(r) for _ in range(width)) + "]" for _ in range(r.randrange(1, 3))) + "]"
    raise ValueError(kind)


def long256(r: Random) -> str:
    digits = f"{r.choice([r.getrandbits(250), r.randrange(1, 9)]):x}"
    return "0x" + "0" * (len(digits) % 2) + digits


def decimal(r: Random, kind: str) -> str:
    precision, scale = map(int, kind[8:-1].split(","))
    digits = r.randrange(1, precision + 1)
    unscaled = r.choice([0, 1, r.randrange(10**digits), 10**precision - 1])
    whole, fraction = divmod(unscaled, 10**scale)
    return r.choice(["", "-"]) + str(whole) + (f".{fraction:0{scale}d}" if scale else "") + "m"


def geohash(r: Random, kind: str) -> str:
    size, unit = int(kind[8:-2]), kind[-2]
    if unit == "b":
        return "##" + "".join(r.choice("01") for _ in range(size))
    return "#" + "".join(r.choice("0123456789bcdefghjkmnpqrstuvwxyz") for _ in range(size))


def ilp_tag(value: str) -> str:
    for c in "\\ ,=":
        value = value.replace(c, "\\" + c)
    return value


def ilp_field(r: Random, kind: str) -> str:
    if kind in NUMBERS:
        return f"{number(r, kind)}i"
    if kind in ("VARCHAR", "STRING"):
        return '"' + text(r).replace("\\", "\\\\").replace('"', '\\"') + '"'
    if kind == "BOOLEAN":
        return r.choice(["t", "f"])
    return real(r)
