#!/usr/bin/env python3
"""Starts and stops the object stores that the contract tests run against, on loopback.

    servers.py start TOOLS RUN STORE...   writes RUN/stores.json, which the tests read
    servers.py stop RUN
    servers.py publish RUN DIR ORIGIN     DIR into a bucket of its own, which pages of ORIGIN may read without a key

TOOLS is where scripts/stores.sh installed them. Each server gets free ports and a folder of its own
under RUN. A server counts as started when a signed request of ours has been answered: a port that
listens proves nothing. Only Python's standard library is needed.
"""

import base64
import datetime
import hashlib
import hmac
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from email.utils import formatdate
from pathlib import Path

HOST = "127.0.0.1"
BUCKET = "contract"
# What anybody may read.
PUBLIC = "public"
REGION = "us-east-1"
S3_KEY, S3_SECRET = "understudy", "not-a-secret"
# The account that every Azurite has; Azure's documentation prints the key.
AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
# SeaweedFS listens for its own servers this far above each port.
GRPC_ABOVE = 10_000
START_SECONDS = 150
HERE = Path(__file__).resolve().parent


def main():
    command, rest = sys.argv[1], sys.argv[2:]
    if command == "start":
        start(Path(rest[0]), Path(rest[1]), rest[2:])
    elif command == "stop":
        stop(Path(rest[0]))
    elif command == "publish":
        publish(Path(rest[0]), Path(rest[1]), rest[2])
    else:
        sys.exit(__doc__)


def start(tools, run, names):
    stop(run)
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir(parents=True)
    starters = {"seaweedfs": seaweedfs, "azurite": azurite, "gcs": gcs, "hdfs": hdfs}
    stores, pids = [], {}
    try:
        waits = []
        for name in names:
            folder = run / name
            folder.mkdir()
            process, store, wait = starters[name](tools, folder)
            pids[name] = process.pid
            (run / "pids.json").write_text(json.dumps(pids))
            stores.append({"name": name, **store})
            waits.append((name, process, wait))
        begun = time.monotonic()
        for name, process, wait in waits:
            until_answered(name, process, wait, run / name / "log")
            print(f"{name} answers after {time.monotonic() - begun:.1f} s", file=sys.stderr)
    except BaseException:
        stop(run)
        raise
    (run / "stores.json").write_text(json.dumps(stores, indent=1))


def stop(run):
    """Ends what `start` started, and nothing that has come to use the same process number."""
    try:
        pids = json.loads((run / "pids.json").read_text())
    except FileNotFoundError:
        return
    for name, pid in pids.items():
        try:
            ours = Path(f"/proc/{pid}/cwd").resolve() == (run / name).resolve()
            if ours:
                # SeaweedFS takes half a minute over SIGTERM, and listens meanwhile.
                os.kill(pid, signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            pass
    (run / "pids.json").unlink()


def spawn(folder, command, **more):
    log = (folder / "log").open("wb")
    return subprocess.Popen(
        [str(word) for word in command], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        start_new_session=True, **more)


def until_answered(name, process, answered, log):
    until = time.monotonic() + START_SECONDS
    trouble = None
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            if answered():
                return
        except OSError as error:
            trouble = error
        time.sleep(0.3)
    tail = log.read_text(errors="replace")[-2000:]
    sys.exit(f"{name} does not answer ({trouble}):\n{tail}")


def seaweedfs(tools, folder):
    master, volume, filer, s3 = (free_port(also=GRPC_ABOVE) for _ in range(4))
    identity = {"name": "admin", "credentials": [{"accessKey": S3_KEY, "secretKey": S3_SECRET}],
                "actions": ["Admin", "Read", "List", "Tagging", "Write"]}
    config = folder / "s3.json"
    everybody = {"name": "anonymous", "actions": [f"Read:{PUBLIC}"]}
    config.write_text(json.dumps({"identities": [identity, everybody]}))
    data = folder / "data"
    data.mkdir()
    process = spawn(folder, [
        tools / "seaweedfs/bin/weed", "server", f"-dir={data}", f"-ip={HOST}", f"-ip.bind={HOST}",
        "-master.telemetry=false", f"-master.port={master}", f"-volume.port={volume}", "-volume.max=200",
        "-master.volumeSizeLimitMB=64", "-filer", f"-filer.port={filer}", "-s3", f"-s3.port={s3}",
        f"-s3.config={config}", "-s3.port.iceberg=0", "-s3.port.lance=0"])
    common = f"s3::bucket={BUCKET};region={REGION};endpoint=http://{HOST}:{s3};access_key_id={S3_KEY};"
    return process, {
        "connection": f"{common}root=tests;secret_access_key={S3_SECRET};",
        "wrong": f"{common}root=tests;secret_access_key=another;",
        # No `nowhere`: it makes a bucket that is missing by itself.
        "port": s3,
    }, lambda: create_s3_bucket(s3)


def create_s3_bucket(port):
    return s3(port, "PUT", f"/{BUCKET}", b"", (200, 409))


def s3(port, method, path, body, statuses, query=""):
    """A signed request; true if it was answered as it should be."""
    now = datetime.datetime.now(datetime.timezone.utc)
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    digest = hashlib.sha256(body).hexdigest()
    headers = {"host": f"{HOST}:{port}", "x-amz-content-sha256": digest, "x-amz-date": stamp}
    signed = ";".join(headers)
    canonical = "\n".join(
        [method, path, query, *(f"{k}:{v}" for k, v in headers.items()), "", signed, digest])
    scope = f"{day}/{REGION}/s3/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + S3_SECRET).encode()
    for part in (day, REGION, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={S3_KEY}/{scope}, SignedHeaders={signed}, Signature={signature}")
    if body:
        headers["content-type"] = "application/octet-stream"
    url = f"http://{HOST}:{port}{path}" + (f"?{query}" if query else "")
    return answered(method, url, headers, statuses, body)


def publish(run, folder, origin):
    """Prints the address of the public bucket, then that of one with the same objects which is private."""
    stores = json.loads((run / "stores.json").read_text())
    port = next(store["port"] for store in stores if store["name"] == "seaweedfs")
    cors = (f"<CORSConfiguration><CORSRule><AllowedOrigin>{origin}</AllowedOrigin>"
            "<AllowedMethod>GET</AllowedMethod><AllowedMethod>HEAD</AllowedMethod><AllowedHeader>*</AllowedHeader>"
            "<ExposeHeader>ETag</ExposeHeader></CORSRule></CORSConfiguration>").encode()
    for bucket in (PUBLIC, BUCKET):
        s3(port, "PUT", f"/{bucket}", b"", (200, 409))
        s3(port, "PUT", f"/{bucket}", cors, (200,), "cors=")
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                key = path.relative_to(folder).as_posix()
                s3(port, "PUT", f"/{bucket}/cluster/{key}", path.read_bytes(), (200,))
        print(f"http://{HOST}:{port}/{bucket}/cluster/")


def azurite(tools, folder):
    port = free_port()
    # A token is only checked by a server that believes to be on HTTPS; keys are checked always.
    process = spawn(folder, [
        "node", tools / "azurite/node_modules/azurite/dist/src/blob/main.js", "--silent", "--blobHost", HOST,
        "--blobPort", port, "--skipApiVersionCheck", "--disableTelemetry", "--inMemoryPersistence",
        "--extentMemoryLimit", 1024])
    other = base64.b64encode(b"another key").decode()
    common = (f"azblob::endpoint=http://{HOST}:{port}/{AZURE_ACCOUNT};container={BUCKET};root=tests;"
              f"account_name={AZURE_ACCOUNT};")
    return process, {
        "connection": f"{common}account_key={AZURE_KEY};",
        "wrong": f"{common}account_key={other};",
        "nowhere": f"{common}account_key={AZURE_KEY};".replace(BUCKET, "no-such-container"),
        "port": port,
    }, lambda: create_container(port)


def create_container(port):
    path = f"/{AZURE_ACCOUNT}/{BUCKET}"
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-12-02"}
    to_sign = ("PUT" + "\n" * 12 + "".join(f"{k}:{v}\n" for k, v in headers.items())
               + f"/{AZURE_ACCOUNT}{path}\nrestype:container")
    signature = base64.b64encode(hmac.digest(base64.b64decode(AZURE_KEY), to_sign.encode(), "sha256"))
    headers["authorization"] = f"SharedKey {AZURE_ACCOUNT}:{signature.decode()}"
    headers["content-length"] = "0"
    return answered("PUT", f"http://{HOST}:{port}{path}?restype=container", headers, (201, 409))


def gcs(_tools, folder):
    port = free_port()
    process = spawn(folder, [sys.executable, HERE / "gcs_fake.py", port, BUCKET])
    common = f"gcs::bucket={BUCKET};endpoint=http://{HOST}:{port};root=tests;"
    return process, {
        "connection": f"{common}token=right;",
        "wrong": f"{common}token=wrong;",
        "nowhere": f"{common}token=right;".replace(BUCKET, "no-such-bucket"),
        "port": port,
    }, lambda: answered("GET", f"http://{HOST}:{port}/{BUCKET}/none", {"authorization": "Bearer right"}, (404,))


def hdfs(tools, folder):
    port = free_port()
    jars = tools / "hdfs"
    process = spawn(folder, [
        "java", "-Xmx512m", "-cp", f"{jars}/classes:{jars}/lib/*", "MiniHdfs", folder / "data", port])
    return process, {"connection": f"hdfs::namenode=hdfs://{HOST}:{port};root=tests;", "port": port}, (
        lambda: "READY" in (folder / "log").read_text(errors="replace"))


def answered(method, url, headers, statuses, body=b""):
    request = urllib.request.Request(url, data=body or None, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status in statuses
    except urllib.error.HTTPError as error:
        if error.code in statuses:
            return True
        raise OSError(f"{method} {url}: {error.code} {error.read()[:300]!r}") from error


def free_port(also=0):
    """A port that nobody listens on, and neither on the one `also` above it."""
    while True:
        port = random.randrange(20_000, 45_000)
        try:
            for one in {port, port + also}:
                with socket.socket() as probe:
                    probe.bind((HOST, one))
            return port
        except OSError:
            continue


main()
