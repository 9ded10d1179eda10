#!/usr/bin/env python3
"""A stand-in for what Understudy uses of Google Cloud Storage's XML API, in memory.

    gcs_fake.py PORT BUCKET

GET and HEAD (with Range), PUT (with x-goog-if-generation-match), DELETE, for the one bucket and the
bearer token `right`. No emulator of Google's that can be had here takes the writes that the client
sends, so this one is the project's own: it shows that the client is set up and read rightly, and
nothing about how Google's servers behave.
"""

import hashlib
import re
import sys
import threading
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

BUCKET = sys.argv[2]
OBJECTS = {}  # name -> (generation, bytes)
LOCK = threading.Lock()
GENERATION = 1


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        name = self.admitted()
        if name is None:
            return
        with LOCK:
            found = OBJECTS.get(name)
        if found is None:
            return self.refuse(404, "NoSuchKey")
        generation, data = found
        headers = {"ETag": f'"{hashlib.md5(data).hexdigest()}"', "x-goog-generation": generation,
                   "Last-Modified": formatdate(usegmt=True), "Accept-Ranges": "bytes"}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not asked:
            return self.answer(200, data, headers)
        first = int(asked[1])
        last = min(int(asked[2] or len(data)), len(data) - 1)
        if first >= len(data):
            return self.refuse(416, "InvalidRange")
        headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
        self.answer(206, data[first:last + 1], headers)

    do_HEAD = do_GET

    def do_PUT(self):
        global GENERATION
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        name = self.admitted()
        if name is None:
            return
        wanted = self.headers.get("x-goog-if-generation-match")
        with LOCK:
            there = OBJECTS.get(name, (0, b""))[0]
            if wanted is not None and int(wanted) != there:
                taken = True
            else:
                taken = False
                GENERATION += 1
                OBJECTS[name] = (GENERATION, data)
            generation = GENERATION
        if taken:
            return self.refuse(412, "PreconditionFailed")
        self.answer(200, b"", {"ETag": f'"{hashlib.md5(data).hexdigest()}"', "x-goog-generation": generation})

    def do_DELETE(self):
        name = self.admitted()
        if name is None:
            return
        with LOCK:
            found = OBJECTS.pop(name, None)
        if found:
            self.answer(204, b"", {})
        else:
            self.refuse(404, "NoSuchKey")

    def admitted(self):
        """The object's name, unless the request was refused."""
        if self.headers.get("Authorization") != "Bearer right":
            self.refuse(401, "AuthenticationRequired", "Invalid Credentials")
            return None
        bucket, _, name = urlsplit(self.path).path.lstrip("/").partition("/")
        if bucket != BUCKET:
            self.refuse(404, "NoSuchBucket", "The specified bucket does not exist.")
            return None
        return unquote(name)

    def refuse(self, status, code, message=""):
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
        self.answer(status, body.encode(), {"Content-Type": "application/xml"})

    def answer(self, status, body, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, str(value))
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status != 204:
            self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
