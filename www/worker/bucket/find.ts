/** Tells a cluster's bucket from a database's directory. */
import { failure, Store } from "./store.js";

export type Found =
  | { is: "bucket"; cluster: Uint8Array }
  /** No bucket; or nothing that can be told, as of a private one. */
  | { is: "other"; refused: Error | null };

const OPENING_BRACE = 0x7b;

/** By the bucket's one object that is always there. */
export async function findCluster(url: string): Promise<Found> {
  if (await isIndexed(url)) return { is: "other", refused: null };
  try {
    const cluster = await new Store(url).get("cluster.json");
    // Servers of single-page applications answer every address with their page.
    const json = cluster?.find((byte) => byte > 0x20) === OPENING_BRACE;
    return cluster && json ? { is: "bucket", cluster } : { is: "other", refused: null };
  } catch (error) {
    return { is: "other", refused: error instanceof Error ? error : failure("network", String(error)) };
  }
}

/** A database's directory with its listing, as `understudy index` and `understudy serve` give it. */
async function isIndexed(url: string): Promise<boolean> {
  const address = new URL(url);
  // QuestDB's own name for it.
  if (/\/db\/$/.test(address.pathname)) return true;
  address.pathname += "understudy-index.json";
  try {
    return (await fetch(address, { method: "HEAD", cache: "no-store" })).ok;
  } catch {
    return false;
  }
}
