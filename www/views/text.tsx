/** The text alternative: everything that is on screen as sentences and tables. */
import { clockOrNot, count, counted, day, spoken } from "../model/format.js";
import type { History } from "../model/history.js";
import { kindOf, KIND_WORDS, KINDS } from "../model/kinds.js";
import { historyNow } from "../model/state.js";
import { useSnapshot } from "./hooks.js";
import { VerdictLine } from "./cluster/cluster.js";
import { useMoment } from "./cluster/moment.js";
import { PartitionTable } from "./partitions.js";
import { SchemaTable } from "./schema.js";

const EVENTS_MAX = 50;

export function AsText() {
  const table = useSnapshot((s) => s.shown.table);
  const before = useSnapshot((s) => s.shown.before);
  const history = useSnapshot((s) => historyNow(s.state));
  const txn = useSnapshot((s) => s.state.txn);
  const us = useSnapshot((s) => s.state.us);
  const moment = useMoment();
  if (!table) return <p class="empty">Nothing to tell yet</p>;
  const what = table.transaction;
  return (
    <div class="scroll astext" tabIndex={0} role="region" data-keys="own" aria-label="Everything as text">
      <p>
        Table {table.name}, {spoken(txn, table.txnCount, us)}
        {us === null ? "" : ` on ${day(us)} UTC`}. {counted(table.rows, "row")} in{" "}
        {counted(table.partitions.filter((p) => p.touch !== "removed").length, "partition")}; digest{" "}
        {table.digest || "not known"}.
      </p>
      {what ? (
        <p>
          This transaction: {KIND_WORDS[what.kind]}. {what.summary}
          {what.sql === null ? "" : ` SQL: ${what.sql}`}
        </p>
      ) : null}
      {moment ? <VerdictLine moment={moment} /> : null}
      {moment?.lanes.map((lane) => (
        <p key={lane.node}>
          Instance {lane.name} ({lane.role}, {lane.life}):{" "}
          {lane.cells
            .map(
              (cell) => `${cell.name} ${cell.place}, txn ${cell.applied ?? "not known"} of ${cell.shipped}`,
            )
            .join("; ")}
          .
        </p>
      ))}
      {history ? <Timeline history={history} txn={txn} /> : null}
      <PartitionTable table={table} caption />
      <SchemaTable table={table} before={before} caption />
    </div>
  );
}

function Timeline({ history, txn }: { history: History; txn: number }) {
  const counts = new Map<number, number>();
  const events: number[] = [];
  for (let i = 0; i < history.kind.length; i++) {
    const kind = history.kind[i] ?? 0;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
    if (kind > 2 && events.length < EVENTS_MAX) events.push(i + 1);
  }
  return (
    <>
      <p>
        In the log:{" "}
        {KINDS.flatMap((kind, code) => {
          const n = counts.get(code);
          return n === undefined ? [] : [`${KIND_WORDS[kind]} ${count(n)}`];
        }).join("; ")}
        .
      </p>
      {events.length === 0 ? null : (
        <table class="plain">
          <caption>Events on the timeline</caption>
          <thead>
            <tr>
              <th scope="col" class="num">
                Txn
              </th>
              <th scope="col">Committed</th>
              <th scope="col">What</th>
            </tr>
          </thead>
          <tbody>
            {events.map((at) => (
              <tr key={at} class={at === txn ? "changed" : ""}>
                <th scope="row" class="num">
                  {count(at)}
                </th>
                <td class="mono">{clockOrNot(history.commitUs[at - 1])}</td>
                <td>{KIND_WORDS[kindOf(history.kind[at - 1])]}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}
