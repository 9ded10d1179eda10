"""What this test reads and patches in the files of an applied table. Offsets are QuestDB 9.3.4's."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from pathlib import Path

NULL_TIME = -(2**63)


@dataclass
class Partition:
    """An entry of `_txn`: `at` is the partition's floor, or the first timestamp of a part that was split off."""

    at: int
    rows: int
    name_txn: int
    parquet: bool


@dataclass
class Txn:
    """The current record of `_txn`."""

    txn: int
    seq_txn: int
    rows: int
    min_ts: int
    max_ts: int
    structure_version: int
    column_version: int
    symbol_counts: list[int]
    partitions: list[Partition]


def read_txn(table: Path) -> Txn:
    data = (table / "_txn").read_bytes()
    version = struct.unpack_from("<q", data)[0]
    area = 8 if version % 2 == 0 else 32
    base, symbols, parts = struct.unpack_from("<iii", data, area)
    txn, transient, fixed, low, high, structure, _, _, columns, _, seq_txn = struct.unpack_from("<11q", data, base)
    if txn != version:
        raise ValueError(f"{table}/_txn: version {version} selects a record of txn {txn}")
    counts = [struct.unpack_from("<i", data, base + 132 + 8 * i)[0] for i in range(symbols // 8)]
    partitions = []
    for i in range(parts // 32):
        at, masked, name_txn, _ = struct.unpack_from("<4q", data, base + 132 + symbols + 4 + 32 * i)
        last = i == parts // 32 - 1
        partitions.append(Partition(at, transient if last else masked & (2**44 - 1), name_txn, bool(masked >> 61 & 1)))
    return Txn(txn, seq_txn, transient + fixed, low, high, structure, columns, counts, partitions)


@dataclass
class Column:
    """A live column, by its index in `_meta`."""

    index: int
    name: str
    type: int
    indexed: bool

    @property
    def tag(self) -> int:
        return self.type & 0xFF


@dataclass
class Meta:
    partition_by: int
    timestamp: int
    table_id: int
    columns: list[Column]
    nanos: bool = field(default=False)


def read_meta(table: Path) -> Meta:
    data = (table / "_meta").read_bytes()
    count, unit, timestamp, _, table_id = struct.unpack_from("<5i", data)
    at, columns = 128 + 32 * count, []
    nanos = False
    for i in range(count):
        kind, flags = struct.unpack_from("<iq", data, 128 + 32 * i)
        length = struct.unpack_from("<i", data, at)[0]
        name = data[at + 4 : at + 4 + 2 * length].decode("utf-16-le")
        at += 4 + 2 * length
        if i == timestamp:
            nanos = kind >> 18 & 1 == 1
        if kind > 0:
            columns.append(Column(i, name, kind, bool(flags & 1)))
    return Meta(unit, timestamp, table_id, columns, nanos)


class ColumnVersions:
    """`_cv`: which suffix a column's files have in a partition, and how many rows it has no data of."""

    def __init__(self, table: Path):
        data = (table / "_cv").read_bytes()
        version, a, a_size, b, b_size = struct.unpack_from("<5q", data)
        offset, size = (a, a_size) if version % 2 == 0 else (b, b_size)
        self.version = version
        self.entries = {}
        for i in range(size // 32):
            key, column, name_txn, value = struct.unpack_from("<4q", data, offset + 32 * i)
            self.entries[key, column] = (name_txn, value)

    def suffix_and_top(self, partition: Partition, column: int) -> tuple[str, int]:
        """The suffix of the files, and the column's top: all rows where the partition doesn't have it."""
        known = self.entries.get((partition.at, column))
        default = self.entries.get((NULL_TIME, column))
        if known:
            name_txn, top = known
        elif default:
            name_txn, top = default[0], 0 if partition.at >= default[1] else partition.rows
        else:
            name_txn, top = -1, 0
        return ("" if name_txn < 0 else f".{name_txn}"), min(top, partition.rows)


def partition_folder(table: Path, partition: Partition, meta: Meta) -> Path | None:
    """The partition's folder. Several parts of a day may have one name-txn: the name's time tells them apart."""
    suffix = "" if partition.name_txn < 0 else f".{partition.name_txn}"
    path = table / (partition_name(partition.at, meta) + suffix)
    return path if path.is_dir() else None


def partition_name(at: int, meta: Meta) -> str:
    import datetime

    if meta.partition_by == 3:
        return "default"
    micros, fraction = divmod(at, 1000) if meta.nanos else (at, 0)
    when = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=micros)
    if meta.partition_by == 5:
        year, week, weekday = when.isocalendar()
        if weekday == 1 and when.time() == datetime.time() and not fraction:
            return f"{year}-W{week:02d}"
    name = {1: "%Y-%m", 2: "%Y", 4: "%Y-%m-%dT%H"}.get(meta.partition_by, "%Y-%m-%d")
    floor = {1: when.replace(day=1, hour=0, minute=0, second=0, microsecond=0), 2: when.replace(month=1, day=1, hour=0, minute=0, second=0, microsecond=0),
             4: when.replace(minute=0, second=0, microsecond=0)}.get(meta.partition_by, when.replace(hour=0, minute=0, second=0, microsecond=0))
    if when == floor and not fraction and meta.partition_by != 5:
        return when.strftime(name)
    text = when.strftime("%Y-%m-%d")
    if when.time() != datetime.time() or fraction:
        text += when.strftime("T%H")
    if when.minute or when.second or when.microsecond or fraction:
        text += when.strftime("%M%S")
    if when.microsecond or fraction:
        text += f"-{when.microsecond:06d}" + (f"{fraction:03d}" if meta.nanos else "")
    return text


def max_txn(table: Path) -> int:
    """The last transaction of the table's sequencer log."""
    return struct.unpack_from("<q", (table / "txn_seq/_txnlog").read_bytes(), 4)[0]


# -- the registry ------------------------------------------------------------------------------------

WAL_TABLE = 1


def text(value: str) -> bytes:
    units = value.encode("utf-16-le")
    return struct.pack("<i", len(units) // 2) + units


def write_registry(db: Path, tables: list[tuple[str, str, int, int]]) -> None:
    """Writes `tables.d.0`, `_tab_index.d` and `_upgrade.d` for (name, directory, id, type)."""
    entries = b"".join(struct.pack("<i", 0) + text(name) + text(folder) + struct.pack("<ii", number, kind) + bytes(64) for name, folder, number, kind in tables)
    (db / "tables.d.0").write_bytes(struct.pack("<q", 8 + len(entries)) + entries)
    highest = max((number for _, _, number, _ in tables), default=0)
    (db / "_tab_index.d").write_bytes(struct.pack("<q", highest).ljust(4096, b"\0"))
    (db / "_upgrade.d").write_bytes(struct.pack("<ii", 426, 426))


def read_registry(db: Path) -> list[tuple[str, str, int, int]]:
    """What the newest `tables.d.N` holds: (name, directory, id, type)."""
    newest = max(db.glob("tables.d.[0-9]*"), key=lambda p: int(p.name.rsplit(".", 1)[1]))
    data = newest.read_bytes()
    end, at, tables = struct.unpack_from("<q", data)[0], 8, {}

    def string() -> str:
        nonlocal at
        length = struct.unpack_from("<i", data, at)[0]
        at += 4 + 2 * length
        return data[at - 2 * length : at].decode("utf-16-le")

    while at < end:
        op = struct.unpack_from("<i", data, at)[0]
        at += 4
        name, folder = string(), string()
        number, kind = struct.unpack_from("<ii", data, at)
        at += 8
        if op == 0:
            at += 64
            tables[folder] = (name, folder, number, kind)
        else:
            tables.pop(folder, None)
    return list(tables.values())


def give_identity(table: Path, name: str, number: int) -> None:
    """Makes a copied table's directory that of another table: its name, and its id wherever that is stored."""
    (table / "_name").write_bytes(text(name) + b"\0")
    patch(table / "_meta", 16, number)
    # What the server puts back where it finds `_meta` ahead.
    if (table / "_meta.prev").exists():
        patch(table / "_meta.prev", 16, number)
    # i32 size · i32 format · i64 structure version · i32 columns · i32 timestamp · i32 table id
    for meta in [table / "txn_seq/_meta", *table.glob("wal[0-9]*/[0-9]*/_meta")]:
        if meta.exists():
            patch(meta, 24, number)


def patch(path: Path, offset: int, value: int) -> None:
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(struct.pack("<i", value))


def wal_folders(table: Path) -> list[Path]:
    return sorted(p for p in table.iterdir() if re.fullmatch(r"wal\d+", p.name))
