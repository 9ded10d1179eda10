/** Two moments or two sources side by side, and what differs. */
import type { TableState } from "../../../pkg/types.js";
import type { Compared, PartitionPair } from "../../model/compare.js";
import { compareStates } from "../../model/compare.js";
import { count, counted, size } from "../../model/format.js";
import type { OtherSide } from "../../model/shown.js";
import { withNow } from "../../model/state.js";
import { CommandButton, Fact, Fingerprint } from "../bits.js";
import { useMemo } from "preact/hooks";
import { formsAt } from "../../model/cluster/lanes.js";
import { useSnapshot } from "../hooks.js";
import { CommitTime } from "../now.js";
import { AllTables, First } from "./beyond.js";
import { Both, MARK_SIGNS, MarkWord } from "./marks.js";

/** Partitions listed at most, those that differ first. */
const PAIRS_MAX = 400;

export function Compare() {
  const pair = useSnapshot((s) => s.state.pair);
  const inStep = useSnapshot((s) => withNow(s.state) === "same");
  const table = useSnapshot((s) => s.shown.table);
  const other = useSnapshot((s) => s.shown.other);
  const right = other?.table ?? null;
  const compared = table && right ? compareStates(table, right) : null;
  return (
    <section class="compare" aria-labelledby="compare-title">
      <div class="section-head">
        <h2 id="compare-title">Compare</h2>
        <p class="compare-verdict" role="status">
          {compared ? <Verdict compared={compared} /> : null}
        </p>
        <span class="compare-tools">
          {pair && !inStep ? (
            <CommandButton
              command={{ do: "compareWith", with: "same" }}
              label="In step"
              icon="next"
              worded
              class="small"
            />
          ) : null}
          <CommandButton command={{ do: "pin" }} label="Pin here" icon="fit" worded class="small" keys="v" />
          <CommandButton command={{ do: "swap" }} label="Swap" icon="reverse" worded class="small" keys="b" />
          <CommandButton command={{ do: "compare" }} label="Stop comparing" icon="close" keys="c" />
        </span>
      </div>
      <div class="scroll compare-body" tabIndex={0} role="region" data-keys="own" aria-label="Both sides">
        <div class="sides">
          <Side title="This side" source={useTitle()} table={table} />
          {other ? <Other other={other} inStep={inStep} /> : null}
        </div>
        <First />
        {compared && table && right ? <Differences compared={compared} left={table} right={right} /> : null}
        <AllTables />
      </div>
    </section>
  );
}

function useTitle(): string {
  return useSnapshot((s) =>
    s.opening.bundled ? s.opening.title : (s.state.overview?.title ?? s.opening.title),
  );
}

function Verdict({ compared }: { compared: Compared }) {
  const { mark, pairs, differing } = compared;
  const words =
    mark === "equal"
      ? `Equal: ${counted(pairs.length, "partition")}`
      : mark === "unknown"
        ? "Not known: rows were let go for want of memory"
        : `${count(differing)} of ${counted(pairs.length, "partition")} ${differing === 1 ? "differs" : "differ"}`;
  return (
    <b class={`mark mark-${mark}`}>
      <span aria-hidden="true">{MARK_SIGNS[mark]}</span> {words}
    </b>
  );
}

function Side(props: {
  title: string;
  source: string;
  table: TableState | null;
  children?: preact.ComponentChildren;
}) {
  const { title, source, table, children } = props;
  return (
    <article class="side" aria-label={title}>
      <p class="eyebrow">
        {title} <span class="quiet">{source}</span>
      </p>
      {table ? <SideFacts table={table} /> : null}
      {children}
    </article>
  );
}

function SideFacts({ table }: { table: TableState }) {
  const parts = table.partitions.filter((p) => p.rows > 0).length;
  return (
    <>
      <h3 class="side-moment">
        {table.name}{" "}
        {table.seqTxn === 0
          ? "before the first txn"
          : `after txn ${count(table.seqTxn)} of ${count(table.txnCount)}`}
      </h3>
      <dl class="facts">
        {table.transaction ? (
          <Fact name="Committed">
            <CommitTime us={table.transaction.commitUs} />
          </Fact>
        ) : null}
        <Fact name="Rows">
          {count(table.rows)} <span class="quiet">in {counted(parts, "partition")}</span>
        </Fact>
        <Fact name="Size">{size(table.bytes)}</Fact>
        {table.standing.state === "exact" ? null : <Fact name="Standing">{table.standing.state}</Fact>}
        <Fact name="Digest">
          {table.digest === "" ? (
            <span class="quiet">not known</span>
          ) : (
            <>
              <Fingerprint digest={table.digest} />
              <span class="mono digest">{table.digest}</span>
            </>
          )}
        </Fact>
      </dl>
    </>
  );
}

function Other({ other, inStep }: { other: OtherSide; inStep: boolean }) {
  const { title, second, error, progress, info, overview } = other;
  const source = second ? title : "the same source, at another moment";
  return (
    <Side title="Other side" source={source} table={other.table}>
      {error ? (
        <p class="note" role="alert">
          It can’t be shown: {error.message}
        </p>
      ) : overview && !info ? (
        <p class="note">This table is not there.</p>
      ) : other.table ? (
        <p class="side-steps">
          <CommandButton
            command={{ do: "stepOther", by: -1 }}
            label="Other side a transaction back"
            icon="previous"
            keys="<"
          />
          <CommandButton
            command={{ do: "stepOther", by: 1 }}
            label="Other side a transaction on"
            icon="next"
            keys=">"
          />
          <span class="quiet">{inStep ? "in step with this side" : "stays where it is"}</span>
        </p>
      ) : (
        <p class="quiet" role="status">
          {progress?.detail || "Opening it"} …
        </p>
      )}
    </Side>
  );
}

function Differences({ compared, left, right }: { compared: Compared; left: TableState; right: TableState }) {
  const forms = [useForms(left, "left"), useForms(right, "right")] as const;
  const told = forms.some((of) => of.size > 0);
  const shown = compared.pairs.slice(0, PAIRS_MAX);
  return (
    <>
      {compared.columns.length > 0 ? <p class="note">Columns: {compared.columns.join("; ")}.</p> : null}
      {left.name === right.name ? null : (
        <p class="note">
          It is called {left.name} on this side and {right.name} on the other.
        </p>
      )}
      <table class="plain pairs">
        <caption>Partitions, this side and the other</caption>
        <thead>
          <tr>
            <th scope="col">Partition</th>
            <th scope="col">Content</th>
            <th scope="col" class="num">
              Rows
            </th>
            <th scope="col" class="num">
              Size
            </th>
            <th scope="col">Digest</th>
            {told ? <th scope="col">Stored as</th> : null}
          </tr>
        </thead>
        <tbody>
          {shown.map((pair) => (
            <PairRow key={pair.name} pair={pair}>
              {told ? (
                <Both
                  left={forms[0].get(pair.name) ?? "not told"}
                  right={forms[1].get(pair.name) ?? "not told"}
                />
              ) : null}
            </PairRow>
          ))}
        </tbody>
      </table>
      {compared.pairs.length > PAIRS_MAX ? (
        <p class="quiet">{counted(compared.pairs.length - PAIRS_MAX, "more partition")} not listed</p>
      ) : null}
    </>
  );
}

/** How the instances of a side's cluster stored the table's partitions then; empty where nobody told. */
function useForms(table: TableState, side: "left" | "right"): Map<string, string> {
  const cluster = useSnapshot((s) => (side === "left" ? s.shown.cluster : s.shown.other?.cluster));
  const us = table.seqTxn >= table.txnCount ? null : (table.transaction?.commitUs ?? -Infinity);
  return useMemo(() => formsAt(cluster, table.dir, us), [cluster, table.dir, us]);
}

function PairRow(props: { pair: PartitionPair; children?: preact.ComponentChildren }) {
  const { name, left, right, mark } = props.pair;
  return (
    <tr class={`pair-${mark}`}>
      <th scope="row">{name}</th>
      <td>
        <MarkWord mark={mark} />
      </td>
      <Both left={left && count(left.rows)} right={right && count(right.rows)} numeric />
      <Both left={left && size(left.bytes)} right={right && size(right.bytes)} numeric />
      <Both left={left && left.digest.slice(0, 8)} right={right && right.digest.slice(0, 8)} />
      {props.children}
    </tr>
  );
}
