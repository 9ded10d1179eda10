/** The schema as of then. */
import type { ColumnInfo, TableState } from "../../pkg/types.js";
import { count } from "../model/format.js";
import { tableNow } from "../model/state.js";
import { useSnapshot } from "./hooks.js";

export function Schema() {
  const table = useSnapshot((s) => s.shown.table);
  const before = useSnapshot((s) => s.shown.before);
  const info = useSnapshot((s) => tableNow(s.state));
  if (!table) return <p class="empty">Reading the schema</p>;
  return (
    <div class="scroll" tabIndex={0} role="region" data-keys="own" aria-label="Schema">
      <p class="schema-line">
        Structure version {count(table.structureVersion)}
        {info
          ? `, partitioned by ${info.partitionBy}, designated timestamp ${info.timestampColumn} ${info.timestampType}`
          : ""}
        {table.dedup ? ", deduplicated" : ""}
        {table.ttl ? `, TTL ${table.ttl}` : ""}
      </p>
      <SchemaTable table={table} before={before} />
    </div>
  );
}

export function SchemaTable({
  table,
  before,
  caption = false,
}: {
  table: TableState;
  before: TableState | null;
  caption?: boolean;
}) {
  const had = before ? new Map(before.columns.map((c) => [c.index, c])) : null;
  return (
    <table class="plain">
      {caption ? <caption>Columns</caption> : null}
      <thead>
        <tr>
          <th scope="col">Column</th>
          <th scope="col">Type</th>
          <th scope="col">Role</th>
          <th scope="col" class="num">
            Symbols
          </th>
          <th scope="col" class="num">
            Writer index
          </th>
        </tr>
      </thead>
      <tbody>
        {table.columns.map((column) => {
          const change = had ? changeOf(column, had.get(column.index)) : null;
          return (
            <tr key={column.index} class={change ? "changed" : ""}>
              <th scope="row">
                {column.name} {change ? <span class="tag">{change}</span> : null}
              </th>
              <td class="mono">{column.type}</td>
              <td>{rolesOf(column)}</td>
              <td class="num">{column.symbols === null ? "" : count(column.symbols)}</td>
              <td class="num">{column.index}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function changeOf(now: ColumnInfo, then: ColumnInfo | undefined): string | null {
  if (!then) return "new";
  if (then.name !== now.name) return `was ${then.name}`;
  if (then.type !== now.type) return `was ${then.type}`;
  if (then.upsertKey !== now.upsertKey || then.indexed !== now.indexed) return "altered";
  return null;
}

function rolesOf(column: ColumnInfo): string {
  const roles: string[] = [];
  if (column.designated) roles.push("designated timestamp");
  if (column.upsertKey) roles.push("upsert key");
  if (column.indexed) roles.push("indexed");
  return roles.join(", ");
}
