"""As much of PostgreSQL's wire protocol as it takes to run a statement with bind variables."""

from __future__ import annotations

import socket
import struct


class PgError(Exception):
    """The server's error message."""


class Pg:
    """A connection to QuestDB's PG port as its default user."""

    def __init__(self, port: int):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.file = self.socket.makefile("rb")
        body = struct.pack(">i", 196608) + b"user\0admin\0database\0qdb\0\0"
        self.socket.sendall(struct.pack(">i", len(body) + 4) + body)
        self._until_ready()

    def close(self) -> None:
        self.socket.sendall(b"X" + struct.pack(">i", 4))
        self.socket.close()

    def run(self, sql: str, *values, types: tuple[int, ...] = ()) -> None:
        """Runs one statement; `values` (text form, None = null) stand for $1, $2, ...; `types` are their OIDs."""
        parse = b"\0" + sql.encode() + b"\0" + struct.pack(">h", len(types)) + b"".join(struct.pack(">i", t) for t in types)
        bind = b"\0\0" + struct.pack(">h", 0) + struct.pack(">h", len(values))
        for value in values:
            if value is None:
                bind += struct.pack(">i", -1)
            else:
                text = str(value).encode()
                bind += struct.pack(">i", len(text)) + text
        bind += struct.pack(">h", 0)
        execute = b"\0" + struct.pack(">i", 0)
        self._send(b"P", parse)
        self._send(b"B", bind)
        self._send(b"E", execute)
        self._send(b"S", b"")
        self._until_ready()

    def _send(self, kind: bytes, body: bytes) -> None:
        self.socket.sendall(kind + struct.pack(">i", len(body) + 4) + body)

    def _until_ready(self) -> None:
        """Reads messages up to ReadyForQuery; answers the password request; raises an ErrorResponse."""
        error = None
        while True:
            kind = self.file.read(1)
            if not kind:
                raise PgError("connection closed")
            body = self.file.read(struct.unpack(">i", self.file.read(4))[0] - 4)
            if kind == b"R" and struct.unpack(">i", body[:4])[0] == 3:
                self._send(b"p", b"quest\0")
            elif kind == b"E":
                fields = {f[:1]: f[1:] for f in body.split(b"\0") if f}
                error = fields.get(b"M", body).decode(errors="replace")
            elif kind == b"Z":
                if error is not None:
                    raise PgError(error)
                return
