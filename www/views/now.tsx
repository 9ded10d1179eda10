/** The current transaction: what it is, who wrote it, what it did. */
import type { TableState, Transaction } from "../../pkg/types.js";
import { fetchBefore } from "../before.js";
import { clock, count, counted, day, millis, size } from "../model/format.js";
import { CommandButton, CopyButton, Fact, Fingerprint, KindMark } from "./bits.js";
import { isUnfetched } from "../model/cluster/ops.js";
import { tableNow } from "../model/state.js";
import { useSnapshot, useStage } from "./hooks.js";

export function Now() {
  const table = useSnapshot((s) => s.shown.table);
  const late = useSnapshot((s) => s.shown.busySince !== null);
  const asked = useSnapshot((s) =>
    s.shown.asked?.dir === s.shown.table?.dir ? (s.shown.asked?.txn ?? null) : null,
  );
  if (!table) return <section class="now" aria-busy="true" aria-label="Current transaction" />;
  const txn = table.transaction;
  return (
    <section class="now" aria-labelledby="now-title" aria-busy={late}>
      <p class="eyebrow">
        {table.name} <span class="quiet">after</span>
      </p>
      <h2 id="now-title" class="now-title">
        {table.seqTxn === 0 ? "before the first txn" : `txn ${count(table.seqTxn)}`}
        {table.seqTxn === 0 ? null : <span class="quiet"> of {count(table.txnCount)}</span>}
      </h2>
      {asked !== null && asked > table.seqTxn ? <Short table={table} asked={asked} /> : null}
      <Unfetched table={table} />
      {txn ? (
        <TransactionFacts txn={txn} />
      ) : (
        <p class="now-summary">Nothing has happened yet: the table is as it was created.</p>
      )}
      <TableFacts table={table} />
    </section>
  );
}

/** Where the replay begins with a snapshot, and the log before it can be read as well. */
function Unfetched({ table }: { table: TableState }) {
  const stage = useStage();
  const first = useSnapshot((s) => tableNow(s.state)?.firstTxn ?? 0);
  const cluster = useSnapshot((s) => s.shown.cluster ?? null);
  if (table.seqTxn > first || !cluster || !isUnfetched(cluster, table.dir)) return null;
  return (
    <p class="note">
      The replay begins with a snapshot, after txn {count(first)}. What came before it was not fetched.{" "}
      <button type="button" class="button small" onClick={() => void fetchBefore(stage, cluster.beginsAt)}>
        Fetch what came before
      </button>
    </p>
  );
}

/** Why the replay stands before the transaction that was asked for. */
function Short({ table, asked }: { table: TableState; asked: number }) {
  const purged = useSnapshot((s) => tableNow(s.state)?.purged ?? NONE);
  const hole = purged.find(([from]) => from > table.seqTxn && from <= asked);
  const why =
    table.standing.state === "exact"
      ? hole
        ? `rows of txn ${count(hole[0])} to ${count(hole[1])} were purged after QuestDB applied them`
        : "what comes next can’t be read"
      : `the table is ${table.standing.state}`;
  return (
    <p class="note">
      The replay of txn {count(asked)} stops here: {why}. The log still lists every transaction.
    </p>
  );
}

const NONE: [number, number][] = [];

function TransactionFacts({ txn }: { txn: Transaction }) {
  const copied = useSnapshot((s) => Boolean(s.shown.cluster)) && txn.purged;
  return (
    <>
      <p class="now-summary">
        <KindMark kind={txn.kind} /> {txn.summary}
      </p>
      {txn.purged && !copied ? (
        <p class="note">QuestDB purged its rows after applying them; the log still knows the transaction.</p>
      ) : null}
      <dl class="facts">
        <Fact name="Committed">
          <CommitTime us={txn.commitUs} />
        </Fact>
        {copied && txn.wal === null ? <Fact name="Writer">not known</Fact> : null}
        {txn.wal === null ? null : (
          <Fact name="Writer">
            wal{txn.wal} <span class="quiet">segment</span> {txn.segment} <span class="quiet">txn</span>{" "}
            {txn.segmentTxn}
          </Fact>
        )}
        {txn.rows === null ? null : <Fact name="Rows">{count(txn.rows)}</Fact>}
        {txn.outOfOrder === null ? null : (
          <Fact name="Order">
            {txn.outOfOrder ? <KindMark kind="outOfOrder" worded /> : <KindMark kind="data" worded />}
          </Fact>
        )}
        {txn.minTimestamp === null ? null : (
          <Fact name="Time range">
            <span class="mono">{txn.minTimestamp}</span>
            <br />
            <span class="mono">{txn.maxTimestamp}</span>
          </Fact>
        )}
        {txn.replaceRange === null ? null : (
          <Fact name="Replaces">
            <span class="mono">{txn.replaceRange[0]}</span>
            <br />
            <span class="mono">{txn.replaceRange[1]}</span>
          </Fact>
        )}
        {txn.rowsReplaced > 0 ? <Fact name="Replaced">{counted(txn.rowsReplaced, "row")}</Fact> : null}
        {txn.rowsRemoved > 0 ? <Fact name="Removed">{counted(txn.rowsRemoved, "row")}</Fact> : null}
        {txn.symbolsAdded.length > 0 ? (
          <Fact name="New symbols">
            {txn.symbolsAdded.map((added) => (
              <span key={added.column} class="symbols">
                <b>{added.column}</b> +{count(added.count)} <span class="quiet">{sampleOf(added)}</span>
              </span>
            ))}
          </Fact>
        ) : null}
        {txn.schemaChange === null ? null : <Fact name="Schema">{txn.schemaChange}</Fact>}
      </dl>
      {txn.sql === null ? null : (
        <pre class="sql" tabIndex={0} role="region" data-keys="own" aria-label="SQL of this transaction">
          {txn.sql}
        </pre>
      )}
      <CommandButton
        command={{ do: "tab", tab: "bytes" }}
        label="Down to its bytes"
        icon="next"
        worded
        class="quiet-button"
      />
    </>
  );
}

export function CommitTime({ us }: { us: number | null }) {
  if (us === null) return <>not known (before the copy)</>;
  return (
    <>
      <span class="quiet">{day(us)}</span> {clock(us)} <span class="quiet">UTC</span>
    </>
  );
}

function sampleOf(added: Transaction["symbolsAdded"][number]): string {
  const shown = added.sample.slice(0, 4).join(", ");
  return added.count > 4 ? `${shown} …` : shown;
}

function TableFacts({ table }: { table: TableState }) {
  return (
    <div class="now-table">
      <h3>The table then</h3>
      <dl class="facts">
        <Fact name="Rows">{count(table.rows)}</Fact>
        <Fact name="Size">{size(table.bytes)}</Fact>
        <Fact name="Dedup">{table.dedup ? "on" : "off"}</Fact>
        {table.ttl === null ? null : <Fact name="TTL">{table.ttl}</Fact>}
        <Fact name="Took">
          {millis(table.spent.fetch + table.spent.decode + table.spent.apply)}{" "}
          <span class="quiet">
            fetch {millis(table.spent.fetch)}, decode {millis(table.spent.decode)}, apply{" "}
            {millis(table.spent.apply)}
          </span>
        </Fact>
        <Fact name="Digest">
          {table.digest === "" ? (
            <span class="quiet">not known: rows were let go for want of memory</span>
          ) : (
            <>
              <Fingerprint digest={table.digest} />
              <span class="mono digest">{table.digest}</span>
              <CopyButton text={() => table.digest} label="Copy" />
            </>
          )}
        </Fact>
      </dl>
    </div>
  );
}
