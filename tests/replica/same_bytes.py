"""Compares the files of two applied tables: byte for byte, and where the bytes differ, by what they mean."""

from __future__ import annotations

import struct
from collections import Counter
from pathlib import Path

from tablefiles import Column, ColumnVersions, Meta, Partition, partition_folder, partition_name, read_meta, read_txn

I32, I64 = struct.pack("<i", -(2**31)), struct.pack("<q", -(2**63))
# Null of each fixed-size type by tag; the length is the element's.
NULLS = {1: b"\0", 2: b"\0", 3: b"\0\0", 4: b"\0\0", 5: I32, 6: I64, 7: I64, 8: I64, 9: bytes.fromhex("0000c07f"), 10: bytes.fromhex("000000000000f87f"), 12: I32, 13: I64 * 4,
         14: b"\xff", 15: b"\xff" * 2, 16: b"\xff" * 4, 17: b"\xff" * 8, 19: I64 * 2, 24: I64 * 2, 25: b"\0" * 4, 28: b"\x80", 29: b"\0\x80", 30: I32, 31: I64,
         32: I64 + bytes(8), 33: I64 + bytes(24)}
STRING, SYMBOL, BINARY, VARCHAR, ARRAY = 11, 12, 18, 26, 27


class Differences:
    """What was found in a table: `files` counts all that were looked at by outcome, `wrong` names those whose content differs."""

    def __init__(self) -> None:
        self.files: Counter[str] = Counter()
        self.layout: list[str] = []
        self.wrong: list[str] = []

    def note(self, outcome: str, where: str, why: str) -> None:
        self.files[outcome] += 1
        if outcome == "layout":
            self.layout.append(f"{where}: {why}")
        elif outcome == "wrong":
            self.wrong.append(f"{where}: {why}")


def compare_tables(a: Path, b: Path) -> Differences:
    """Compares what `_txn` has published of both."""
    found = Differences()
    name = a.name
    txns, metas, versions = (read_txn(a), read_txn(b)), (read_meta(a), read_meta(b)), (ColumnVersions(a), ColumnVersions(b))
    shape = [[(c.index, c.name, c.type, c.indexed) for c in m.columns] for m in metas]
    if shape[0] != shape[1]:
        found.note("wrong", f"{name}/_meta", f"{shape[0]} and {shape[1]}")
        return found
    parts = [[(p.at, p.rows) for p in t.partitions] for t in txns]
    if parts[0] != parts[1]:
        total = [sum(rows for _, rows in p) for p in parts]
        outcome = "layout" if total[0] == total[1] else "wrong"
        found.note(outcome, f"{name}/_txn", f"partitions {parts[0][:4]}... and {parts[1][:4]}..., {total[0]} and {total[1]} rows")
        return found
    for symbols, count_a, count_b in zip([c for c in metas[0].columns if c.tag == SYMBOL], txns[0].symbol_counts, txns[1].symbol_counts):
        dictionaries(found, a, b, versions, symbols, count_a, count_b)
    for one, other in zip(txns[0].partitions, txns[1].partitions):
        if one.parquet or other.parquet:
            found.note("parquet", "", "")
            continue
        for column in metas[0].columns:
            column_files(found, (a, b), (one, other), metas, versions, column)
    return found


# -- dictionaries and indexes ------------------------------------------------------------------------


def dictionaries(found: Differences, a: Path, b: Path, versions, column: Column, count_a: int, count_b: int) -> None:
    sides = []
    for table, version, count in ((a, versions[0], count_a), (b, versions[1], count_b)):
        # Key MIN+1: files that were made anew with another capacity.
        name_txn = version.entries.get((-(2**63) + 1, column.index), version.entries.get((-(2**63), column.index), (-1, 0)))[0]
        suffix = "" if name_txn < 0 else f".{name_txn}"
        offsets = (table / f"{column.name}.o{suffix}").read_bytes()
        end = struct.unpack_from("<q", offsets, 64 + 8 * count)[0] if count else 0
        content = (table / f"{column.name}.c{suffix}").read_bytes()[:end]
        sides.append((count, offsets[64 : 72 + 8 * count] if count else b"", content, bitmap(table, f"{column.name}", suffix, 64 + 8 * count)))
    where = f"{a.name}/{column.name}"
    for what, one, other in zip(("count", ".o", ".c", ".k"), *sides):
        found.note("equal" if one == other else "wrong", f"{where} {what}", f"{short(one)} and {short(other)}")


def bitmap(folder: Path, column: str, suffix: str, end: int) -> dict[int, list[int]]:
    """The values of each key that are below `end`."""
    keys, values = (folder / f"{column}.k{suffix}").read_bytes(), (folder / f"{column}.v{suffix}").read_bytes()
    capacity, count = struct.unpack_from("<ii", keys, 17)
    found = {}
    for key in range(count):
        if 96 + 32 * key > len(keys):
            break
        held, block, _, check = struct.unpack_from("<4q", keys, 64 + 32 * key)
        if held != check:
            raise ValueError(f"{folder}/{column}.k: key {key} has counts {held} and {check}")
        entries: list[int] = []
        while len(entries) < held:
            take = min(capacity, held - len(entries))
            entries += struct.unpack_from(f"<{take}q", values, block)
            if len(entries) < held:
                block = struct.unpack_from("<q", values, block + 8 * capacity + 8)[0]
        entries = [e for e in entries if e < end]
        if entries:
            found[key] = entries
    return found


# -- columns -----------------------------------------------------------------------------------------


def column_files(found: Differences, tables, parts: tuple[Partition, Partition], metas: tuple[Meta, Meta], versions, column: Column) -> None:
    where = f"{tables[0].name}/{partition_name(parts[0].at, metas[0])}/{column.name}"
    sides = []
    for table, part, meta, version in zip(tables, parts, metas, versions):
        folder = partition_folder(table, part, meta)
        if folder is None:
            found.note("wrong", where, f"{table}: no folder {partition_name(part.at, meta)} of name-txn {part.name_txn}")
            return
        suffix, top = version.suffix_and_top(part, column.index)
        sides.append(read_column(folder, column, suffix, top, part.rows))
    (top_a, raw_a, values_a, index_a), (top_b, raw_b, values_b, index_b) = sides
    if top_a == top_b and raw_a == raw_b:
        for _ in raw_a:
            found.note("equal", "", "")
    elif values_a == values_b:
        why = f"tops {top_a} and {top_b}" if top_a != top_b else f"the same values in {[len(r) for r in raw_a]} and {[len(r) for r in raw_b]} bytes"
        found.note("layout", where, why)
    else:
        at = next((i for i, (x, y) in enumerate(zip(values_a, values_b)) if x != y), "the end")
        found.note("wrong", where, f"type {column.type}, tops {top_a} and {top_b}, first at row {at} of {parts[0].rows}")
    if column.indexed:
        # Rows above a top have no entries.
        lowest = max(top_a, top_b)
        cut = [{k: [v for v in vs if v >= lowest] for k, vs in index.items() if k or top_a == top_b} for index in (index_a, index_b)]
        found.note("equal" if cut[0] == cut[1] else "wrong", f"{where} index", f"{short(cut[0])} and {short(cut[1])}")


def read_column(folder: Path, column: Column, suffix: str, top: int, rows: int):
    """(top, used bytes of each file, values with the top's nulls, index)."""
    n = rows - top
    path = lambda kind: folder / f"{column.name}.{kind}{suffix}"  # noqa: E731
    if n == 0:
        return top, [], [None] * rows if column.tag not in NULLS else [NULLS[column.tag]] * rows, {}
    index = bitmap(folder, column.name, suffix, rows) if column.indexed else {}
    if column.tag in NULLS:
        null = NULLS[column.tag]
        data = path("d").read_bytes()[: n * len(null)]
        cells = [data[i : i + len(null)] for i in range(0, len(data), len(null))]
        return top, [data], [null] * top + cells, index
    aux, data = path("i").read_bytes(), path("d").read_bytes()
    cells: list[bytes | None]
    if column.tag in (STRING, BINARY):
        starts = struct.unpack_from(f"<{n + 1}q", aux)
        cells, aux_used, data_used = [data[s:e] for s, e in zip(starts, starts[1:])], aux[: 8 * (n + 1)], data[: starts[-1]]
        cells = [None if c[:4] == b"\xff\xff\xff\xff" and (column.tag == STRING or c[:8] == b"\xff" * 8) else c for c in cells]
    elif column.tag == VARCHAR:
        cells, end = zip(*(varchar(aux[16 * i : 16 * i + 16], data) for i in range(n)))
        aux_used, data_used = aux[: 16 * n], data[: end[-1]]
    else:
        cells, end = zip(*(array(aux[16 * i : 16 * i + 16], data) for i in range(n)))
        aux_used, data_used = aux[: 16 * n], data[: end[-1]]
    return top, [aux_used, data_used], [None] * top + list(cells), index


def varchar(entry: bytes, data: bytes) -> tuple[bytes | None, int]:
    """The value, and where the values end in `.d` behind it."""
    head, at = struct.unpack_from("<I", entry)[0], int.from_bytes(entry[10:16], "little")
    if head & 4:
        return None, at
    if head & 1:
        return entry[1 : 1 + (head >> 4 & 15)], at
    length = head >> 4
    return data[at : at + length], at + length


def array(entry: bytes, data: bytes) -> tuple[bytes | None, int]:
    at, size = struct.unpack_from("<qi", entry)
    at &= 2**48 - 1
    return (data[at : at + size] if size else None), at + size


def short(value) -> str:
    text = value.hex(" ") if isinstance(value, bytes) else str(value)
    return text if len(text) < 120 else text[:120] + "..."
