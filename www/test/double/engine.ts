/**
 * A stand-in for the engine, for work on views and for unit tests of the page's own logic. Its tables are made
 * up; it is never part of what is built for people (`www/build.mjs --double` only).
 */
import type {
  BytesView,
  Fetched,
  Overview,
  PartitionInfo,
  Problem,
  Progress,
  ReadFile,
  RowsText,
  TableInfo,
  TableState,
  Timeline,
  Touch,
} from "../../../pkg/types.js";
import { DIFFERENCE } from "./wrong.js";
import { isoUs } from "../../model/format.js";
import { kindOf } from "../../model/kinds.js";

const HOUR_US = 3_600_000_000;
const FIRST_US = Date.UTC(2026, 7, 3, 8) * 1000;

interface Txn {
  us: number;
  kind: number;
  rows: number;
  partition: number;
}

interface Made {
  info: TableInfo;
  txns: Txn[];
}

export class Double {
  readonly #tables: Map<string, Made>;
  readonly #at = new Map<string, number>();
  readonly #problems: Problem[] = [];
  cluster = () => null;
  constructor() {
    this.#tables = new Map(
      [
        make("trades", 7, 2400, 1),
        make("quotes", 6, 5200, 2),
        make("orders", 8, 900, 3),
        make("<img src=x onerror=alert(1)>", 10, 12, 4),
        make("ohlc_1m", 11, 60, 5, "materialized view"),
      ].map((t) => [t.info.dir, t]),
    );
  }

  async open(onProgress: (progress: Progress) => void): Promise<Overview> {
    for (let i = 0; i <= 8; i++) {
      onProgress({ phase: "tables", loadedBytes: i * 50_000, totalBytes: 400_000, detail: "tables.d.0" });
      await new Promise((done) => setTimeout(done, 20));
    }
    return this.overview();
  }

  overview(): Overview {
    const tables = [...this.#tables.values()].map((t) => ({ ...t.info }));
    const problems = [...this.#problems];
    return { title: "Double", tables, firstUs: FIRST_US, lastUs: FIRST_US + 9 * HOUR_US, problems };
  }

  /** Each look finds one more transaction of quotes. */
  refresh(): Overview {
    const { info, txns } = this.#table("quotes~6");
    const last = txns[txns.length - 1];
    if (last) txns.push({ ...last, us: last.us + 1000 });
    info.txnCount = txns.length;
    return this.overview();
  }

  timeline(dir: string): Timeline {
    const { txns } = this.#table(dir);
    return {
      dir,
      commitUs: Float64Array.from(txns, (t) => t.us),
      kind: Uint8Array.from(txns, (t) => t.kind),
      rows: Float64Array.from(txns, (t) => t.rows),
    };
  }

  seek(dir: string, seqTxn: number): TableState {
    this.#at.set(dir, Math.max(0, Math.min(seqTxn, this.#table(dir).txns.length)));
    // One table's own files differ, which shows where the server stands.
    if (dir === "orders~8" && seqTxn >= this.#table(dir).txns.length && this.#problems.length === 0)
      this.#problems.push(DIFFERENCE);
    return this.state(dir);
  }

  step(dir: string, by: number): TableState {
    return this.seek(dir, (this.#at.get(dir) ?? 0) + by);
  }

  state(dir: string): TableState {
    const { info, txns } = this.#table(dir);
    const at = this.#at.get(dir) ?? 0;
    const rows: number[] = [];
    for (const txn of txns.slice(0, at)) rows[txn.partition] = (rows[txn.partition] ?? 0) + txn.rows;
    const last = txns[at - 1];
    let firstRow = 0;
    let changed: [number, number][] = [];
    const partitions: PartitionInfo[] = [];
    rows.forEach((n, i) => {
      const mine = last?.partition === i && last.rows > 0;
      const touch: Touch = !mine
        ? "none"
        : n === last.rows
          ? "created"
          : last.kind === 2
            ? "merged"
            : "appended";
      if (mine)
        changed = last.kind === 2 ? late(firstRow, n, last.rows) : [[firstRow + n - last.rows, last.rows]];
      partitions.push({
        name: isoUs(FIRST_US + i * HOUR_US).slice(0, 13),
        rows: n,
        bytes: n * 70,
        firstTimestamp: isoUs(FIRST_US + i * HOUR_US),
        lastTimestamp: isoUs(FIRST_US + (i + 1) * HOUR_US - 1),
        digest: hex(i * 7919 + n),
        touch,
        firstRow,
      });
      firstRow += n;
    });
    return {
      dir,
      name: info.name,
      seqTxn: at,
      txnCount: txns.length,
      standing: { state: "exact" },
      rows: firstRow,
      bytes: firstRow * 70,
      ttl: null,
      dedup: false,
      structureVersion: 0,
      columns: columns(),
      partitions,
      digest: hex(firstRow * 31 + at),
      transaction: last ? transaction(at, last) : null,
      changed,
      spent: { fetch: 0, decode: 0.2, apply: 0.1 },
    };
  }

  rowsText(dir: string, first: number, count: number): RowsText {
    const { rows: total, changed } = this.state(dir);
    const rows: (string | null)[][] = [];
    const flags: boolean[] = [];
    for (let i = first; i < Math.min(first + count, total); i++) {
      const symbol = ["BTC-USD", "ETH-USD", "SOL-USD"][i % 3] ?? "";
      rows.push([
        isoUs(FIRST_US + i * 137_000),
        symbol,
        i % 2 ? "buy" : "sell",
        (60_000 + Math.sin(i) * 300).toFixed(2),
        i % 11 ? "0.25" : null,
      ]);
      flags.push(changed.some(([from, n]) => i >= from && i < from + n));
    }
    return {
      first,
      total,
      columns: columns().map((c) => ({ name: c.name, type: c.type, numeric: c.type === "DOUBLE" })),
      rows,
      changed: flags,
    };
  }

  bytes(_dir: string, seqTxn: number): BytesView {
    const fields = Array.from({ length: 60 }, (_, i) => ({
      file: i < 20 ? 0 : 1,
      offset: (i % 20) * 12,
      length: 12,
      name: ["seqTxn", "walId", "segmentTxn", "rows"][i % 4] ?? "",
      value: String(seqTxn + i),
      depth: i % 4 === 0 ? 0 : 1,
    }));
    const files = [
      { path: "trades~7/txn_seq/_txnlog", role: "sequencer log" },
      { path: "trades~7/wal1/0/_event", role: "events" },
    ];
    return { seqTxn, files, fields, truncated: false };
  }

  raw(_path: string, offset: number, length: number): Uint8Array {
    return Uint8Array.from({ length }, (_, i) => ((offset + i) * 37) & 255);
  }

  fetched(): Fetched {
    return {
      requests: 31,
      bytes: 1_150_000,
      files: 28,
      rangesHonoured: true,
      retries: 0,
      memoryUsed: 9_000_000,
      memoryLimit: 512 * 1024 * 1024,
      letGo: [],
    };
  }

  readFiles(): ReadFile[] {
    return [{ path: "tables.d.0", bytes: 4096, size: 4096, crc32: "0badcafe" }];
  }

  #table(dir: string): Made {
    const table = this.#tables.get(dir);
    if (!table) throw new Error(`no table ${dir}`);
    return table;
  }
}

function make(name: string, id: number, n: number, seed: number, kind: TableInfo["kind"] = "table"): Made {
  let random = seed * 7919;
  const next = () => (random = (random * 48271) % 2147483647) / 2147483647;
  const txns: Txn[] = [];
  let us = FIRST_US;
  for (let i = 0; i < n; i++) {
    us += i === Math.floor(n * 0.4) ? 3.2 * HOUR_US : ((5.5 * HOUR_US) / n) * 2 * next();
    const special = i > 0 && i % 211 === 0;
    const lateNow = next() < 0.12;
    const code = special ? ([5, 6, 4, 5][(i / 211) % 4] ?? 5) : lateNow ? 2 : 1;
    const hour = Math.floor((us - FIRST_US) / HOUR_US);
    const rows = code > 2 ? 0 : Math.round(40 + 900 * next() ** 3 * (1 + Math.sin(i / 90)));
    txns.push({ us: Math.round(us), kind: code, rows, partition: lateNow ? Math.max(0, hour - 1) : hour });
  }
  const info: TableInfo = {
    dir: `${name}~${id}`,
    name,
    id,
    kind,
    partitionBy: "HOUR",
    timestampColumn: "timestamp",
    timestampType: "TIMESTAMP",
    createdUs: FIRST_US,
    txnCount: n,
    purged: seed === 3 ? [[1, 60]] : [],
    replayable: true,
    firstTxn: 0,
    droppedAtTxn: null,
    appliedTxn: n,
    firstUs: txns[0]?.us ?? null,
    lastUs: us,
  };
  return { info, txns };
}

function transaction(seqTxn: number, txn: Txn): TableState["transaction"] {
  const kind = kindOf(txn.kind);
  return {
    seqTxn,
    kind,
    commitUs: txn.us,
    summary:
      kind === "structure"
        ? "Adds column venue SYMBOL"
        : kind === "sql"
          ? "Updates rows"
          : `Writes ${txn.rows} rows`,
    structureVersion: 0,
    wal: 1,
    segment: Math.floor(seqTxn / 500),
    segmentTxn: seqTxn % 500,
    rows: txn.rows,
    minTimestamp: isoUs(txn.us - 900_000),
    maxTimestamp: isoUs(txn.us),
    outOfOrder: txn.kind === 2,
    replaceRange: null,
    rowsReplaced: 0,
    rowsRemoved: 0,
    symbolsAdded: seqTxn % 9 === 0 ? [{ column: "symbol", count: 2, sample: ["BTC-USD", "ETH-USD"] }] : [],
    schemaChange: kind === "structure" ? "ADD COLUMN venue SYMBOL" : null,
    sql: kind === "sql" ? "UPDATE trades SET price = 1 WHERE symbol = 'BTC-USD'" : null,
    purged: false,
  };
}

function columns(): TableState["columns"] {
  const make = (index: number, name: string, type: string, symbols: number | null = null) => ({
    index,
    name,
    type,
    designated: index === 0,
    upsertKey: false,
    indexed: false,
    symbols,
  });
  return [
    make(0, "timestamp", "TIMESTAMP"),
    make(1, "symbol", "SYMBOL", 3),
    make(2, "side", "SYMBOL", 2),
    make(3, "price", "DOUBLE"),
    make(4, "amount", "DOUBLE"),
  ];
}

function late(firstRow: number, rows: number, n: number): [number, number][] {
  const each = Math.max(1, Math.floor(n / 5));
  return Array.from({ length: 5 }, (_, i): [number, number] => [
    firstRow + Math.floor((rows * (i + 0.5)) / 5.5),
    each,
  ]);
}

function hex(n: number): string {
  let out = "";
  let x = (n * 2654435761) >>> 0;
  while (out.length < 32) {
    x = (Math.imul(x ^ (x >>> 15), 2246822519) + 3266489917) >>> 0;
    out += x.toString(16).padStart(8, "0");
  }
  return out.slice(0, 32);
}
