#!/usr/bin/env python3
"""A proxy in front of a store that does what networks and stores do, and counts requests.

    faulty.py STORE_PORT        prints its own port; then takes a line at a time:

    mode pass|503|hang|slow|cut     answers "ok"
    counts                          answers {"PUT": n, "GET": n, ...}: requests passed on since the start
    stop

`503`: each request is answered so, and does not reach the store. `hang`: nothing passes in either direction, what was begun
stays open; afterwards it goes on. `slow`: 32 KiB and 20 ms at a time in each direction. `cut`: connections are closed at
their next byte, so the answers to some requests that the store has taken are lost. Other protocols than HTTP are passed on
and not counted; for them `503` is `cut`.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

MODES = ("pass", "503", "hang", "slow", "cut")
METHODS = (b"GET ", b"PUT ", b"HEAD ", b"POST ", b"DELETE ", b"OPTIONS ")
SLOW_BYTES, SLOW_SECONDS = 32 << 10, 0.02
CHUNK = 256 << 10
REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Faulty:
    def __init__(self, upstream: int):
        self.upstream = upstream
        self.mode = "pass"
        self.counts: Counter[str] = Counter()
        self.changed = asyncio.Event()

    def set(self, mode: str) -> None:
        self.mode = mode
        self.changed.set()
        self.changed = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            theirs = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:
            writer.close()
            return
        await asyncio.gather(
            self.pump(reader, theirs[1], writer, True), self.pump(theirs[0], writer, theirs[1], False), return_exceptions=True)
        for end in (writer, theirs[1]):
            end.close()

    async def pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, back: asyncio.StreamWriter, asking: bool) -> None:
        """From `source` to `target`; `back` is where an answer of ours goes, and the other direction's target."""
        try:
            while data := await source.read(SLOW_BYTES if self.mode == "slow" else CHUNK):
                while self.mode == "hang":
                    await self.changed.wait()
                method = next((m for m in METHODS if data.startswith(m)), None) if asking else None
                if self.mode == "cut" or self.mode == "503" and not method:
                    break
                if self.mode == "503":
                    # The body may still be coming; the connection ends when the client has read the answer, and sees it closed.
                    back.write(REFUSAL)
                    await back.drain()
                    break
                if method:
                    self.counts[method.decode().strip()] += 1
                if self.mode == "slow":
                    await asyncio.sleep(SLOW_SECONDS)
                target.write(data)
                await target.drain()
        except OSError:
            pass
        finally:
            # Half open connections are of no use to HTTP: both directions end.
            target.close()
            back.close()


async def main() -> None:
    faulty = Faulty(int(sys.argv[1]))
    server = await asyncio.start_server(faulty.serve, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        words = line.split()
        if words[:1] == ["mode"] and words[1] in MODES:
            faulty.set(words[1])
            print("ok", flush=True)
        elif words == ["counts"]:
            print(json.dumps(faulty.counts), flush=True)
        else:
            break


class Proxy:
    """The program above in a process of its own, so that it does not wait for the writers' turns."""

    def __init__(self, store_port: int):
        self.process = subprocess.Popen([sys.executable, str(Path(__file__).resolve()), str(store_port)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def ask(self, line: str) -> str:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def mode(self, mode: str) -> None:
        answer = self.ask(f"mode {mode}")
        assert answer == "ok", f"the proxy says {answer!r}"

    def counts(self) -> Counter[str]:
        return Counter(json.loads(self.ask("counts")))

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


if __name__ == "__main__":
    # Ends without waiting for the thread that reads its input.
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
