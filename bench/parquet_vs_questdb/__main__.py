"""Measures how fast a partition becomes a Parquet file, by QuestDB and by us, and compares the files. See README.md."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "record")]

from questdb import QuestDB  # noqa: E402

DAY = "2024-01-01"
TABLES = {
    # 40 bytes a row, as trades have them.
    "trades": (
        "ts timestamp, sym symbol, price double, qty double, id long, n int",
        "rnd_symbol({symbols}), round(rnd_double() * 1000, 2), round(rnd_double() * 100, 1), x, rnd_int(0, 100, 0)",
    ),
    "random": (
        "ts timestamp, a double, b double, c long, d long",
        "rnd_double(), rnd_double(), rnd_long(), rnd_long()",
    ),
    "texts": (
        "ts timestamp, s string, v varchar, u varchar, n long",
        "rnd_str({symbols}), rnd_varchar({symbols}), rnd_varchar(10, 20, 2), rnd_long(0, 1000, 5)",
    ),
}
SYMBOLS = ", ".join(f"'SYM{n}'" for n in range(40))


def main() -> int:
    options = arguments()
    found = []
    options.dir.mkdir(parents=True, exist_ok=True)
    root = options.dir / "questdb"
    codec = {
        "cairo.partition.encoder.parquet.compression.codec": options.codec,
        "cairo.sql.copy.root": str(options.dir.resolve()),
        "cairo.writer.data.append.page.size": "16m",
    }
    if options.level is not None:
        codec["cairo.partition.encoder.parquet.compression.level"] = str(options.level)
    with QuestDB("9.3.4", root, codec, heap="2g") as server:
        for name in options.tables or TABLES:
            found.append(measure(server, name, options))
            print(line(found[-1]), flush=True)
    (options.dir / "result.json").write_text(json.dumps(found, indent=1) + "\n")
    return 0


def measure(server: QuestDB, name: str, options) -> dict:
    """Makes the table anew and lets both convert its first day, in turn."""
    columns, values = TABLES[name]
    server.query(f"DROP TABLE IF EXISTS {name}")
    server.query(f"CREATE TABLE {name} ({columns}) TIMESTAMP(ts) PARTITION BY DAY BYPASS WAL")
    step = 86_000_000_000 // options.rows
    server.query(
        f"INSERT INTO {name} SELECT ('{DAY}'::timestamp + x * {step})::timestamp, "
        f"{values.format(symbols=SYMBOLS)} FROM long_sequence({options.rows})"
    )
    server.query(f"INSERT INTO {name} (ts) VALUES ('2024-01-03')")
    where = f"WHERE ts = '{DAY}'"
    theirs, theirs_cpu, ours, ours_cpu, ours_two, size = [], [], [], [], [], 0
    out = options.dir.resolve() / f"{name}.parquet"
    for turn in range(options.runs + 1):
        one = us(options, server, name, out, 1)
        two = us(options, server, name, out, 2)
        begun, spent = time.perf_counter(), cpu(server)
        server.query(f"ALTER TABLE {name} CONVERT PARTITION TO PARQUET LIST '{DAY}'")
        taken = time.perf_counter() - begun
        spent = cpu(server) - spent
        size = next(r["parquetFileSize"] for r in server.query(f"table_partitions('{name}')") if r["name"] == DAY)
        if turn == options.runs:
            compare(server, name, out)
        server.query(f"ALTER TABLE {name} CONVERT PARTITION TO NATIVE LIST '{DAY}'")
        # The first turn warms both up.
        if turn:
            theirs.append(taken)
            theirs_cpu.append(spent)
            # Their first file is made in a process that just began.
            ours_cpu += one["cpu"][1:]
            ours += one["write"][1:]
            ours_two += two["write"][1:]
    return {
        "table": name,
        "rows": options.rows,
        "codec": options.codec,
        "level": options.level,
        "questdb": theirs,
        "ours": ours,
        "questdb_cpu": theirs_cpu,
        "ours_cpu": ours_cpu,
        "ours_two_threads": ours_two,
        "size_questdb": size,
        "size_ours": out.stat().st_size,
    }


def us(options, server: QuestDB, name: str, out: Path, threads: int) -> dict:
    level = [] if options.level is None else ["--level", str(options.level)]
    words = [str(server.db.resolve()), name, DAY, str(out), "--codec", options.codec, "--threads", str(threads)]
    command = [options.bench, *words, *level, "--no-read", "--runs", "4"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def cpu(server: QuestDB) -> float:
    """CPU seconds that the server's threads have taken."""
    told = Path(f"/proc/{server.process.pid}/task").glob("*/schedstat")
    return sum(int(path.read_text().split()[0]) for path in told) / 1e9


def compare(server: QuestDB, name: str, out: Path) -> None:
    """Fails where QuestDB, DuckDB or pyarrow read other values of our file than of QuestDB's."""
    theirs = next(server.db.glob(f"{name}~*/{DAY}*/data.parquet"), None) or next(server.db.glob(f"{name}/{DAY}*/data.parquet"))
    for column in (r["column"] for r in server.query(f"SHOW COLUMNS FROM {name}")):
        ask = "SELECT count() n, count_distinct({c}::varchar) d, min({c}::varchar) lo, max({c}::varchar) hi FROM {t}"
        ours = server.query(ask.format(c=column, t=f"read_parquet('{out.name}')"))
        own = server.query(ask.format(c=column, t=f"{name} WHERE ts IN '{DAY}'"))
        assert ours == own, (column, ours, own)
    import duckdb
    import pyarrow.parquet

    assert pyarrow.parquet.read_table(theirs).equals(pyarrow.parquet.read_table(out))
    ask = "SELECT count(*) FROM (SELECT * FROM '{}' EXCEPT ALL SELECT * FROM '{}')"
    assert duckdb.sql(ask.format(theirs, out)).fetchall() == [(0,)]


def line(found: dict) -> str:
    speed = {key: found["rows"] / statistics.median(found[key]) / 1e6 for key in ("questdb", "ours", "ours_two_threads", "questdb_cpu", "ours_cpu")}
    return (
        f"{found['table']:8} {found['codec']} QuestDB {speed['questdb']:.1f} M rows/s, ours {speed['ours']:.1f} "
        f"(ratio {speed['ours'] / speed['questdb']:.2f}), two threads {speed['ours_two_threads']:.1f}; "
        f"per CPU second {speed['questdb_cpu']:.1f} and {speed['ours_cpu']:.1f} "
        f"(ratio {speed['ours_cpu'] / speed['questdb_cpu']:.2f}); "
        f"size {found['size_ours']:,} of {found['size_questdb']:,} ({found['size_ours'] / found['size_questdb']:.3f})"
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/parquet_vs_questdb")
    parser.add_argument("--dir", type=Path, default=TOP / "target" / "parquet_vs_questdb")
    parser.add_argument("--bench", required=True, help="the built `parquet` bench: see README.md")
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--codec", default="LZ4_RAW")
    parser.add_argument("--level", type=int)
    parser.add_argument("tables", nargs="*", choices=[[], *TABLES])
    return parser.parse_args()


if __name__ == "__main__":
    os.environ.setdefault("QUESTDB_CACHE", str(TOP / "target" / "questdb"))
    sys.exit(main())
