"""What a program cost: CPU seconds, peak memory, and bytes that reached the block device."""

from __future__ import annotations

import mmap
import os
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
SECTOR = 512


def cpu_seconds(pid: int) -> float:
    """User and system time of all of a process's threads, those that have ended too."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def machine_seconds() -> float:
    """CPU time that anything on this machine has used since boot."""
    user, nice, system, _, _, irq, softirq, *_ = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:])
    return (user + nice + system + irq + softirq) / TICK


def status_bytes(pid: int, field: str) -> int:
    """A line of /proc/PID/status, such as `VmHWM` or `RssAnon`; 0 once the process is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    except (OSError, ProcessLookupError):
        pass
    return 0


def reset_peak(pid: int) -> None:
    """Lets VmHWM start again from what is resident now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


class MemoryWatch:
    """Peak of a process's memory while in the `with` block.

    `resident` is the kernel's own peak and counts mapped files that happen to be in memory; `anonymous` is polled and
    counts what only this process could give back.
    """

    def __init__(self, pid: int, interval: float = 0.02):
        self.pid, self.interval = pid, interval
        self.resident = self.anonymous = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while True:
            self.resident = max(self.resident, status_bytes(self.pid, "VmHWM"))
            self.anonymous = max(self.anonymous, status_bytes(self.pid, "RssAnon"))
            if self._end.wait(self.interval):
                return

    def __enter__(self) -> "MemoryWatch":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.resident = max(self.resident, status_bytes(self.pid, "VmHWM"))
        self._end.set()
        self._thread.join()


def take_memory(size: int) -> None:
    """Has a process write to so many bytes and end.

    A virtual machine gives free memory back to its host after a moment, and taking it again costs ten times as much as
    writing to it: whichever program needed memory first after a pause would pay for that. What was just in use is there.
    In large pages, since those are what is given back.
    """
    child = os.fork()
    if child == 0:
        memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        memory.madvise(mmap.MADV_HUGEPAGE)
        for page in range(0, size, mmap.PAGESIZE):
            memory[page] = 1
        os._exit(0)
    os.waitpid(child, 0)


def device_of(path: Path) -> str:
    """`major:minor` of the file system's block device."""
    number = os.stat(path).st_dev
    return f"{os.major(number)}:{os.minor(number)}"


def device_written(path: Path) -> int:
    """Bytes written to the device under `path` since boot, once all that is dirty has been written.

    The device is the machine's: whatever else runs is counted too.
    """
    subprocess.run(["sync"], check=True)
    return int(Path(f"/sys/dev/block/{device_of(path)}/stat").read_text().split()[6]) * SECTOR


def table_bytes(table: Path) -> int:
    """Bytes of an applied table's files: partitions and dictionaries, not its WAL nor its sequencer."""
    total = 0
    for folder, folders, files in os.walk(table):
        folders[:] = [f for f in folders if f != "txn_seq" and not (f.startswith("wal") and f[3:].isdigit())]
        for name in files:
            stat = os.stat(os.path.join(folder, name))
            # Preallocated tails are no content: holes don't count.
            total += min(stat.st_size, stat.st_blocks * SECTOR)
    return total


@dataclass
class Cost:
    """One run of one program over one log. Times in seconds, sizes in bytes.

    `others` is CPU time that other programs took meanwhile: a run of which they took much says little.
    """

    seconds: float
    cpu: float
    resident: int
    anonymous: int
    written: int
    final: int
    others: float

    @property
    def amplification(self) -> float:
        return self.written / self.final if self.final else 0.0
