/**
 * The typed API of the replayer. Everything is plain data: numbers, strings, typed arrays.
 *
 * Units: `...Us` are microseconds since the epoch (exact as a double until the year 2255);
 * timestamps of rows come as the text that QuestDB prints, since nanoseconds do not fit a double.
 */

/** Where a database directory is read from. */
export type Source =
  /**
   * An http(s) URL of a `db` directory behind any static server. The page also takes that of a cluster's bucket;
   * `from` is the number in its log to begin at, or before; `near` is a moment that is to be shown first: the number of
   * the object that brought it, or its time.
   */
  | { kind: "url"; url: string; from?: number; near?: { op: number } | { us: number } }
  /** Files dropped or picked: path relative to the `db` directory -> file. */
  | { kind: "files"; name: string; files: Map<string, Blob> };

/** A step of the honest loading screen. `total` is null while unknown. */
export interface Progress {
  phase: "module" | "tables" | "log" | "rows";
  loadedBytes: number;
  totalBytes: number | null;
  detail: string;
}

export interface OpenOptions {
  /** The tab's memory budget in bytes; 512 MiB when absent. */
  memory?: number;
  onProgress?: (progress: Progress) => void;
}

/** What was really read so far. */
export interface Fetched {
  requests: number;
  bytes: number;
  files: number;
  rangesHonoured: boolean | null;
  retries: number;
  /** Bytes of decoded rows held now, the limit, and what was let go to stay below it. */
  memoryUsed: number;
  memoryLimit: number;
  letGo: string[];
}

/** A file of which anything was read. */
export interface ReadFile {
  /** Inside the `db` directory. */
  path: string;
  /** Bytes of it that arrived; those that were let go and came again count again. */
  bytes: number;
  /** The file's length, where known. */
  size: number | null;
  /** CRC-32 of its content, 8 hex digits as gzip and zip print it, if it came whole; else null. */
  crc32: string | null;
}

/** Something wrong with one table or file; others go on. */
export interface Problem {
  severity: "note" | "warning" | "error";
  table: string | null;
  file: string | null;
  offset: number | null;
  message: string;
  /** What to do about it. */
  advice: string | null;
}

export interface Overview {
  title: string;
  tables: TableInfo[];
  /** Smallest and largest commit time over all tables. */
  firstUs: number | null;
  lastUs: number | null;
  problems: Problem[];
}

export interface TableInfo {
  /** Stable key: the directory, e.g. `trades~7`. */
  dir: string;
  /** Name now, or the last one before it was dropped. */
  name: string;
  id: number;
  kind: "table" | "materialized view" | "view" | "plain";
  partitionBy: string;
  timestampColumn: string;
  timestampType: "TIMESTAMP" | "TIMESTAMP_NS";
  createdUs: number;
  /** Number of transactions in the sequencer's log. */
  txnCount: number;
  /** Transactions whose rows QuestDB purged after applying them, inclusive ranges. */
  purged: [number, number][];
  /** True if there is a state to begin with. */
  replayable: boolean;
  /** The first state that can be shown: 0, or, where the log's beginning was purged, what the server had applied. */
  firstTxn: number | null;
  droppedAtTxn: number | null;
  /** How far the server itself had applied the log. */
  appliedTxn: number | null;
  firstUs: number | null;
  lastUs: number | null;
}

/** Codes of `Timeline.kind`. */
export type TxnKindCode = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;
export declare const KIND: {
  readonly unknown: 0;
  readonly data: 1;
  readonly outOfOrder: 2;
  readonly replaceRange: 3;
  readonly truncate: 4;
  readonly structure: 5;
  readonly sql: 6;
  readonly view: 7;
  readonly drop: 8;
};

/** One entry per transaction; entry i is seqTxn i + 1. */
export interface Timeline {
  dir: string;
  /** NaN where not known: of a bucket's table, before the copy that it begins with. */
  commitUs: Float64Array;
  kind: Uint8Array;
  /** Rows of data transactions; -1 where not known (purged or not fetched). */
  rows: Float64Array;
}

export type Standing =
  | { state: "exact" }
  | { state: "diverged"; seqTxn: number; statement: string; reason: string; position: number }
  | { state: "suspended"; seqTxn: number; reason: string }
  | { state: "dropped"; seqTxn: number };

export interface ColumnInfo {
  /** Writer index: stable for ever. */
  index: number;
  name: string;
  /** QuestDB's name, e.g. `DECIMAL(10,2)`. */
  type: string;
  designated: boolean;
  upsertKey: boolean;
  indexed: boolean;
  /** Size of the dictionary of a SYMBOL, else null. */
  symbols: number | null;
}

export type Touch = "none" | "created" | "appended" | "merged" | "rewritten" | "removed";

export interface PartitionInfo {
  /** As QuestDB names it, e.g. `2026-08-01T14`. */
  name: string;
  rows: number;
  bytes: number;
  firstTimestamp: string;
  lastTimestamp: string;
  /** Digest, 32 hex digits; empty where the values were let go for want of memory. */
  digest: string;
  /** What the current transaction did here. */
  touch: Touch;
  /** Row number (in the table) of the partition's first row. */
  firstRow: number;
}

/** What one transaction is. */
export interface Transaction {
  seqTxn: number;
  kind: keyof typeof KIND;
  /** Null where not known: of a bucket's table, before the copy that it begins with. */
  commitUs: number | null;
  /** One sentence in plain words. */
  summary: string;
  structureVersion: number;
  wal: number | null;
  segment: number | null;
  segmentTxn: number | null;
  rows: number | null;
  minTimestamp: string | null;
  maxTimestamp: string | null;
  outOfOrder: boolean | null;
  replaceRange: [string, string] | null;
  /** Rows that deduplication replaced, or that a replace range, truncate or drop removed. */
  rowsReplaced: number;
  rowsRemoved: number;
  symbolsAdded: { column: string; count: number; sample: string[] }[];
  schemaChange: string | null;
  sql: string | null;
  /** Rows were purged: the log knows the transaction, its content is gone. */
  purged: boolean;
}

/** The table as of `seqTxn` (0 = just created, empty). */
export interface TableState {
  dir: string;
  name: string;
  seqTxn: number;
  txnCount: number;
  standing: Standing;
  rows: number;
  bytes: number;
  ttl: string | null;
  dedup: boolean;
  structureVersion: number;
  columns: ColumnInfo[];
  /** In order of time. Removed ones are listed for the transaction that removed them, rows 0. */
  partitions: PartitionInfo[];
  /** 32 hex digits; empty where values were let go for want of memory. */
  digest: string;
  /** The transaction that led here; null at 0. */
  transaction: Transaction | null;
  /** Row ranges [first, count) that this transaction wrote; at most 1,000 are listed. */
  changed: [number, number][];
  /** Milliseconds spent for this step. */
  spent: { fetch: number; decode: number; apply: number };
}

/** A window of rows as text, ready to show. */
export interface RowsText {
  first: number;
  total: number;
  columns: { name: string; type: string; numeric: boolean }[];
  /** null is QuestDB's null. */
  rows: (string | null)[][];
  /** One flag per row: written by the current transaction. */
  changed: boolean[];
}

/** One field of a transaction's bytes. */
export interface ByteField {
  /** Index into `BytesView.files`. */
  file: number;
  offset: number;
  length: number;
  name: string;
  value: string;
  depth: number;
}
export interface BytesView {
  seqTxn: number;
  files: { path: string; role: string }[];
  fields: ByteField[];
  truncated: boolean;
}

/** A cluster as its bucket tells it. Times are by the clocks of whoever wrote them. */
export interface Cluster {
  /** 32 hex digits. */
  id: string;
  /** The first number of the log whose object was read; what came before is in a snapshot. */
  beginsAt: number;
  /** The number that the log has not reached yet. */
  next: number;
  terms: { term: number; writer: string; first: number; seal: number | null }[];
  objects: LogObject[];
  instances: Instance[];
  /** Tables of which something is missing, by directory, with the reason. */
  broken: [dir: string, why: string][];
  /** Bytes of objects at hand, and objects that were let go for want of memory. */
  held: number;
  letGo: number;
}

/** An object of the log: a pack, or the seal that ends a term. */
export interface LogObject {
  n: number;
  term: number;
  /** The next term's writer, of a seal. */
  seal: string | null;
  committedUs: number;
  bytes: number;
  blobs: number;
  blobBytes: number;
  /** Who shall be the next primary. */
  handover: string | null;
  tables: TableNews[];
}

export type TableNews =
  | { dir: string; what: "transactions"; first: number; last: number }
  | { dir: string; what: "created" }
  | { dir: string; what: "renamed"; to: string }
  | { dir: string; what: "dropped" }
  | { dir: string; what: "base"; last: number; why: string }
  | { dir: string; what: "digests"; digests: [seqTxn: number, digest: string][] };

/** A member of the cluster, by what it wrote of itself. */
export interface Instance {
  node: number;
  name: string;
  /** E.g. `shipper`, `replica`. */
  kind: string;
  /** In order of time. */
  entries: JournalEntry[];
  /** What it did before this time was not all read yet; null where all was. */
  since: number | null;
  /** What of its journal could not be read. */
  trouble: string | null;
}

/** As it stands in the journal: `docs/format.md`. */
export type JournalEntry = { at_us: number } & (
  | { what: "started"; version: string; role: string }
  | { what: "stopped"; why: string }
  | { what: "role"; role: string }
  | { what: "reached"; n: number; bytes: number }
  | { what: "applied"; tables: Record<string, number> }
  | { what: "digests"; tables: Record<string, [seqTxn: number, digest: string]> }
  | { what: "base"; table: string; seq_txn: number; why: string }
  | { what: "snapshot"; n: number }
  | { what: "partitions"; table: string; seq_txn: number; partitions: StoredPartition[] }
  | {
      what: "policies";
      tables: Record<string, { policy: string; status: string; ttl?: string }>;
    }
  | {
      what: "policy_step";
      table: string;
      partition?: string;
      step: string;
      task?: string;
      text?: string;
    }
  | { what: "error"; table?: string; text: string }
  | { what: "recovered"; table?: string }
  | { what: "not_replicated"; tables: Record<string, string> }
  | { what: "fenced"; n: number; lost: Record<string, [number, number]> }
  | { what: "removed" }
  | { what: "unknown" }
);

/** How an instance stores a partition. What is 0, the form `native`, and a digest that is not known are left out. */
export interface StoredPartition {
  name: string;
  rows?: number;
  bytes?: number;
  form?: "native" | "converting" | "parquet" | "remote" | "dropped" | "unknown";
  /** 32 hex digits. */
  digest?: string;
}

/** A database directory opened for replay. Runs in the worker; every call is answered in order. */
export declare class Replay {
  /** `other` is the engine of the module with Parquet, loaded by `loadParquet`. */
  static open(source: Source, options?: OpenOptions, other?: EngineClass | null): Promise<Replay>;
  overview(): Overview;
  /** Reads the tables and their logs again, for what a server has written since. What was applied stays. */
  refresh(): Promise<Overview>;
  /** Reads the events of the whole log of one table, so that kinds and row counts are known. */
  timeline(dir: string): Promise<Timeline>;
  /** Moves one table to just after `seqTxn` (clamped) and tells what is there. */
  seek(dir: string, seqTxn: number): Promise<TableState>;
  /** Relative move from where the table stands. */
  step(dir: string, by: number): Promise<TableState>;
  /** The state where the table stands. */
  state(dir: string): TableState;
  /** Rows of the table where it stands, as Arrow IPC stream bytes. What was let go is applied again first. */
  rows(dir: string, first: number, count: number): Promise<Uint8Array>;
  rowsText(dir: string, first: number, count: number): Promise<RowsText>;
  /** Down to the bytes of one transaction. */
  bytes(dir: string, seqTxn: number): Promise<BytesView>;
  /** Raw bytes of a file of `BytesView.files`. */
  raw(path: string, offset: number, length: number): Promise<Uint8Array>;
  /** Storage policies of one table, from after `seqTxn` on; of the engine with Parquet alone. */
  lab(dir: string, seqTxn: number, memory: number): Promise<Lab>;
  fetched(): Fetched;
  readFiles(): ReadFile[];
  close(): void;
}

/** The engine of another module. */
export interface EngineClass {
  openUrl(
    url: string,
    title: string,
    memory: number | undefined,
    onProgress: OpenOptions["onProgress"],
  ): Promise<unknown>;
  openFiles(
    files: Map<string, Blob>,
    name: string,
    memory: number | undefined,
    onProgress: OpenOptions["onProgress"],
  ): Promise<unknown>;
}

/** Instances of one table on a clock. What is not a number, a yes or rows is JSON: of the types below. */
export interface Lab {
  /** `LabSettings`. Goes back to the beginning. */
  set(settings: string): void;
  /** Lets time pass, or at most so many things happen; true once that time is reached. */
  run(untilUs: number, steps: number): Promise<boolean>;
  /** `LabTold`. */
  told(): string;
  /** `LabWhy`, or `null` if the instance never had the partition. */
  why(instance: number, partition: string): string;
  /** As the instance reads them: a Parquet file is decoded. */
  rows(instance: number, partition: string, first: number, count: number): RowsText;
  /** `LabChecked`. */
  check(stages: string): string;
  free(): void;
}

/** What happens in a lab. Times are on its clock, which runs in the table's timestamps. */
export interface LabSettings {
  policy: LabPolicyStep[];
  instances: LabInstance[];
}

/** A statement about the policy; from the start on if `atUs` is before it. */
export interface LabPolicyStep {
  atUs: number;
  change: { do: "set"; stages: string } | { do: "drop" } | { do: "enable" } | { do: "disable" };
}

export interface LabInstance {
  name: string;
  /** `storage.policy.check.interval` */
  checkIntervalUs: number;
  /** `storage.policy.worker.count` */
  workers: number;
  convertBytesPerS: number;
  uploadBytesPerS: number;
  /** How much its clock is ahead. */
  skewUs: number;
  /** From when to when it does nothing. */
  pauses: [number, number][];
}

export type LabStatus = "none" | "active" | "disabled" | "suspended_by_ttl" | "off";
export type LabForm = "native" | "parquet" | "remote" | "dropped";

export interface LabTold {
  nowUs: number;
  startUs: number;
  /** When something happens next, if only a check. */
  nextUs: number | null;
  seqTxn: number;
  txnCount: number;
  newestUs: number | null;
  /** Why the log can't be read on. */
  stopped: string | null;
  /** The policy's stages. */
  policy: string | null;
  status: LabStatus;
  /** Why the last statement was refused. */
  refused: string | null;
  partitions: { name: string; fromUs: number; endUs: number }[];
  instances: LabLane[];
  /** Names of partitions that are not the same everywhere. */
  differing: string[];
  bucket: { files: number; bytes: number; spared: number };
  conversions: { files: number; rows: number; nativeBytes: number; fileBytes: number; ms: number };
  /** Things that happened; `events` has the last of them. */
  happened: number;
  events: { atUs: number; instance: number | null; partition: string | null; text: string }[];
}

export interface LabLane {
  name: string;
  paused: boolean;
  clockUs: number;
  seqTxn: number;
  status: LabStatus;
  /** Tasks that workers have. */
  working: number;
  /** Partitions that end up to there are old enough for TO PARQUET, TO REMOTE, DROP LOCAL. */
  lines: [number | null, number | null, number | null];
  /** One for each of the partitions; null: it was never there. */
  bricks: (LabBrick | null)[];
  bytes: number;
}

export interface LabBrick {
  form: LabForm | "converting" | "uploading" | "dropping";
  stands: LabForm;
  rows: number;
  bytes: number;
  remoteBytes: number;
  digest: string | null;
  /** Only late rows are here. */
  late: boolean;
  differs: boolean;
}

export interface LabWhy {
  form: LabForm;
  because: string;
  next: { kind: string; atUs: number | null; newestNeededUs: number | null } | null;
  version: number;
  remote: number | null;
}

export type LabChecked = { stages: string } | { error: string; position: number };
