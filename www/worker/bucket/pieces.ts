/** Files whose bytes lie in a bucket, as the engine takes dropped ones: a `Map` of `Blob`s that fetch when read. */
import type { Ledger } from "../../../pkg/ledger.js";
import type { Store } from "./store.js";
import { failure } from "./store.js";

/** The engine may read only what it needs of these: they have holes. */
export class PieceFiles extends Map<string, Blob> {
  readonly exact = true;
}

/** Reads ranges of files through the ledger, and fetches the objects that this takes. */
export class Pieces {
  readonly ledger: Ledger;
  readonly #store: Store;
  readonly #coming = new Map<string, Promise<void>>();

  constructor(ledger: Ledger, store: Store) {
    this.ledger = ledger;
    this.#store = store;
  }

  /** Takes over which files came and went. */
  update(files: PieceFiles): void {
    for (const [path, there] of JSON.parse(this.ledger.changes()) as [string, boolean][]) {
      if (there) files.set(path, new PieceBlob(this, path));
      else files.delete(path);
    }
  }

  /** All bytes of a range. With `holes`, zeros stand for what nobody has sent. */
  async read(path: string, from: number, to: number, holes = false): Promise<ArrayBuffer> {
    const out = new Uint8Array(Math.max(0, to - from));
    let at = from;
    while (at < to) {
      const got = holes ? this.#readOrSkip(path, at, to) : this.ledger.read(path, at, to);
      if (got === undefined) {
        await this.#fetch(JSON.parse(this.ledger.wanted()) as string[]);
        continue;
      }
      out.set(got, at - from);
      at += got.length;
    }
    return out.buffer;
  }

  #readOrSkip(path: string, at: number, to: number): Uint8Array | undefined {
    try {
      return this.ledger.read(path, at, to);
    } catch {
      return new Uint8Array(1);
    }
  }

  /** The first is needed; the others come ahead, and whoever needs them hears of their trouble. */
  async #fetch(keys: string[]): Promise<void> {
    const [first, ...ahead] = keys.map((key) => this.#object(key));
    for (const other of ahead) other.catch(() => undefined);
    if (!first) throw failure("damaged", "the ledger waits for nothing");
    await first;
  }

  #object(key: string): Promise<void> {
    let coming = this.#coming.get(key);
    if (!coming) {
      coming = this.#store
        .get(key)
        .then((bytes) => {
          if (bytes === null) throw missing(this.#store, key);
          this.ledger.put(key, bytes);
        })
        .finally(() => this.#coming.delete(key));
      this.#coming.set(key, coming);
    }
    return coming;
  }
}

function missing(store: Store, key: string): Error {
  const advice = key.startsWith("blob/")
    ? "bytes that the log names are gone: restore the object from another copy of the bucket"
    : "it was there when the log was read: if the log was cleaned meanwhile, open the page again";
  return failure("missing", `${key} is not in the bucket; ${advice}`, { url: store.url(key) });
}

/** A file, or a range of one. */
class PieceBlob extends Blob {
  readonly #pieces: Pieces;
  readonly #path: string;
  readonly #from: number;
  readonly #to: number | null;

  constructor(pieces: Pieces, path: string, from = 0, to: number | null = null) {
    super();
    this.#pieces = pieces;
    this.#path = path;
    this.#from = from;
    this.#to = to;
  }

  /** The file grows when the log goes on. */
  override get size(): number {
    return (this.#to ?? this.#pieces.ledger.size(this.#path)) - this.#from;
  }

  override slice(from = 0, to = this.size): Blob {
    return new PieceBlob(this.#pieces, this.#path, this.#from + from, this.#from + to);
  }

  override arrayBuffer(): Promise<ArrayBuffer> {
    return this.#pieces.read(this.#path, this.#from, this.#from + this.size);
  }
}
