"""What of a `db` directory a replay needs, and how much of each file is in use.

Offsets are those of QuestDB 9.3.4's files; every length here is a lower bound that is only used to cut
zero tails which the server leaves behind its memory maps.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path

# Tables of the server itself: not part of anybody's data.
SYSTEM_TABLE = re.compile(r"^(sys\.|telemetry|_query_trace)")

ROOT_FILES = {"_name", "_meta", "_txn", "_cv", "_mv", "_mv.s", "_view"}

# Bytes kept behind the last byte that isn't zero, so that a value which ends in zeros stays whole.
SLACK = 64


def replay_files(db: Path) -> list[Path]:
    """Files under `db` that a replay may read, sorted, as paths relative to `db`."""
    found = [p.relative_to(db) for p in db.glob("tables.d.[0-9]*")]
    for table in sorted(p for p in db.iterdir() if p.is_dir() and not SYSTEM_TABLE.match(p.name)):
        if not (table / "txn_seq").is_dir():
            continue
        found += [Path(table.name, name) for name in ROOT_FILES if (table / name).is_file()]
        found += [p.relative_to(db) for p in (table / "txn_seq").rglob("*") if p.is_file()]
        for wal in table.glob("wal[0-9]*"):
            # .k and .v are the hash index of the dictionary in .o and .c: derived, and large.
            found += [
                p.relative_to(db)
                for p in wal.rglob("*")
                if p.is_file() and not (p.parent == wal and re.search(r"\.[kv](\.\d+)?$", p.name))
            ]
    return sorted(found, key=lambda p: p.parts)


def table_files(db: Path) -> list[Path]:
    """All files of the users' tables under `db`, sorted, as paths relative to `db`."""
    found = [p.relative_to(db) for p in db.glob("tables.d.[0-9]*")]
    for table in db.iterdir():
        if table.is_dir() and not SYSTEM_TABLE.match(table.name):
            found += [p.relative_to(db) for p in table.rglob("*") if p.is_file()]
    return sorted(found, key=lambda p: p.parts)


def transactions_without_segment(table: Path) -> list[int]:
    """The seqTxns of a table (log of format 1) whose segment isn't there."""
    log = (table / "txn_seq/_txnlog").read_bytes()
    version, count = struct.unpack_from("<iq", log)
    if version != 0:
        raise ValueError(f"{table}: log of format {version + 1}")
    gone = []
    for i in range(count):
        wal, segment = struct.unpack_from("<ii", log, 76 + 28 * i + 8)
        if wal > 0 and not (table / f"wal{wal}/{segment}/_event").is_file():
            gone.append(i + 1)
    return gone


def read_trimmed(db: Path, path: Path) -> bytes:
    """The bytes of `db/path` without the zero tail that is no part of its content."""
    data = (db / path).read_bytes()
    return data[: used_length(path, data)]


def used_length(path: Path, data: bytes) -> int:
    inside_segment = len(path.parts) == 4 and path.parts[1].startswith("wal")
    if inside_segment or not data:
        # Closed segments are exact; open ones stay pre-extended on purpose.
        return len(data)
    return min(len(data), max(minimum_length(path, data), length_without_zeros(data) + SLACK))


def length_without_zeros(data: bytes) -> int:
    return (len(data.rstrip(b"\0")) + 7) // 8 * 8


def minimum_length(path: Path, data: bytes) -> int:
    """Bytes that the file's own counters say are in use; 0 where it has no counter."""
    name = path.name
    if name.startswith("tables.d."):
        return struct.unpack_from("<q", data)[0]
    if name == "_txnlog":
        version, transactions = struct.unpack_from("<iq", data)
        return 76 + 28 * transactions if version == 0 else len(data)
    if "_txn_parts" in path.parts:
        return (length_without_zeros(data) + 59) // 60 * 60
    if name == "_txn":
        return max(_txn_area(data, 8), _txn_area(data, 32))
    return 0


def _txn_area(data: bytes, descriptor: int) -> int:
    base, symbols, partitions = struct.unpack_from("<iii", data, descriptor)
    return base + 132 + symbols + 4 + partitions
