/** The cast: all tables of the database. */
import type { TableInfo } from "../../pkg/types.js";
import { count, counted } from "../model/format.js";
import { txnAt } from "../model/history.js";
import { useDispatch, useSnapshot } from "./hooks.js";
import { Sparkline } from "./sparkline.js";

const TABLES_SHOWN_MAX = 500;

export function Tables() {
  const dispatch = useDispatch();
  const overview = useSnapshot((s) => s.state.overview);
  const current = useSnapshot((s) => s.state.table);
  const tables = overview?.tables ?? [];
  return (
    <section class="tables" aria-labelledby="tables-title">
      <h2 id="tables-title">Tables</h2>
      <select
        class="tables-select"
        aria-label="Table"
        value={current ?? ""}
        onChange={(event) => dispatch({ do: "table", dir: event.currentTarget.value })}
      >
        {tables.map((table) => (
          <option key={table.dir} value={table.dir}>
            {table.name}
          </option>
        ))}
      </select>
      <ul class="tables-list">
        {tables.slice(0, TABLES_SHOWN_MAX).map((table) => (
          <TableItem key={table.dir} table={table} current={table.dir === current} />
        ))}
      </ul>
      {tables.length > TABLES_SHOWN_MAX ? (
        <p class="quiet">
          {counted(tables.length - TABLES_SHOWN_MAX, "more table")}; find them by search ( / )
        </p>
      ) : null}
    </section>
  );
}

function TableItem({ table, current }: { table: TableInfo; current: boolean }) {
  const dispatch = useDispatch();
  const history = useSnapshot((s) => s.state.histories.get(table.dir) ?? null);
  const us = useSnapshot((s) => (s.state.txn === 0 ? -Infinity : s.state.us));
  const here = useSnapshot((s) => (current ? s.state.txn : null));
  const at = here ?? (history && us !== null ? txnAt(history, us) : null);
  return (
    <li>
      <button
        type="button"
        class="table-item"
        aria-current={current ? "true" : undefined}
        onClick={() => dispatch({ do: "table", dir: table.dir })}
      >
        <span class="table-name">{table.name}</span>
        <span class="table-count">
          {at === null ? null : <span>{count(at)} / </span>}
          {count(table.txnCount)}
        </span>
        {history && history.kind.length > 0 ? <Sparkline history={history} at={at ?? 0} /> : null}
        <TableNotes table={table} />
      </button>
    </li>
  );
}

function TableNotes({ table }: { table: TableInfo }) {
  const notes: string[] = [];
  if (table.kind !== "table") notes.push(table.kind === "plain" ? "no WAL" : table.kind);
  if (table.droppedAtTxn !== null) notes.push(`dropped at ${count(table.droppedAtTxn)}`);
  const purged = table.purged.reduce((sum, [from, to]) => sum + to - from + 1, 0);
  const isBucket = useSnapshot((s) => Boolean(s.shown.cluster));
  if (purged > 0) notes.push(isBucket ? `begins at ${count(purged)}` : `rows of ${count(purged)} purged`);
  return notes.length > 0 ? <span class="table-notes">{notes.join(" · ")}</span> : null;
}
