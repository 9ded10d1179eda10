"""What the machine can do at all: copying in memory, writing to the page cache, writing to the disk. Bytes per second."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

BLOCK = 1 << 20
SIZE = 512 << 20

# A foreign function of this kind lets go of the interpreter's lock, so that threads copy at the same time.
_memmove = ctypes.CDLL(None).memmove
_memmove.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
_memmove.restype = ctypes.c_void_p


@dataclass(frozen=True)
class Limits:
    """`copy` counts each byte once, though it is read and written; of all threads together."""

    threads: int
    copy: float
    cache: float
    cached_read: float
    disk: float

    def floor(self, bytes_in: int, bytes_out: int) -> float:
        """Seconds without any thought: each byte of the log read from the page cache, each of the table written to it."""
        return bytes_in / self.cached_read + bytes_out / self.cache


def measured(folder: Path, threads: int) -> Limits:
    """All speeds, with `threads` threads, in `folder`'s file system: the best of three."""
    folder.mkdir(parents=True, exist_ok=True)
    best = lambda speed: max(speed(folder, threads) for _ in range(3))  # noqa: E731
    return Limits(threads, best(_copy), best(_cache), best(_read), best(_disk))


def _together(threads: int, job) -> float:
    """Seconds until `job(i)` is done for each thread."""
    all_threads = [threading.Thread(target=job, args=(i,)) for i in range(threads)]
    start = time.monotonic()
    for t in all_threads:
        t.start()
    for t in all_threads:
        t.join()
    return time.monotonic() - start


def _copy(_: Path, threads: int) -> float:
    size = SIZE // 4
    pairs = [(ctypes.create_string_buffer(size), ctypes.create_string_buffer(size)) for _ in range(threads)]
    for a, b in pairs:
        ctypes.memset(a, 1, size)
        ctypes.memset(b, 2, size)

    def job(i: int) -> None:
        for _ in range(4):
            _memmove(ctypes.addressof(pairs[i][0]), ctypes.addressof(pairs[i][1]), size)

    return 4 * size * threads / _together(threads, job)


def _files(folder: Path, threads: int) -> list[Path]:
    return [folder / f"limits-{os.getpid()}-{i}" for i in range(threads)]


def _write(path: Path, sync: bool) -> None:
    block = b"\x5a" * BLOCK
    out = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        for _ in range(SIZE // BLOCK):
            os.write(out, block)
        if sync:
            os.fsync(out)
    finally:
        os.close(out)


def _writing(folder: Path, threads: int, sync: bool) -> float:
    files = _files(folder, threads)
    try:
        return SIZE * threads / _together(threads, lambda i: _write(files[i], sync))
    finally:
        for f in files:
            f.unlink(missing_ok=True)


def _cache(folder: Path, threads: int) -> float:
    return _writing(folder, threads, sync=False)


def _disk(folder: Path, threads: int) -> float:
    return _writing(folder, threads, sync=True)


def _read(folder: Path, threads: int) -> float:
    files = _files(folder, threads)
    buffers = [bytearray(BLOCK) for _ in files]

    def job(i: int) -> None:
        with open(files[i], "rb", buffering=0) as file:
            while file.readinto(buffers[i]):
                pass

    try:
        for f in files:
            _write(f, sync=False)
        return SIZE * threads / _together(threads, job)
    finally:
        for f in files:
            f.unlink(missing_ok=True)
