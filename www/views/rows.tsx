/** The rows around what changed. */
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { RowsText, TableState } from "../../pkg/types.js";
import { clamp } from "../model/axis.js";
import { count, counted } from "../model/format.js";
import type { IconName } from "./bits.js";
import { Icon } from "./bits.js";
import { useSnapshot, useStage } from "./hooks.js";
import { useVirtual } from "./virtual.js";

const ROW_HEIGHT = 24;
const HEAD_HEIGHT = 42;
const WIDTH_CH_MIN = 6;
const WIDTH_CH_MAX = 44;

export function Rows() {
  const table = useSnapshot((s) => s.shown.table);
  const rows = useSnapshot((s) => s.shown.rows);
  if (!table || !rows) return <p class="empty">Reading rows</p>;
  return (
    <>
      <Changes table={table} />
      {table.rows === 0 ? <p class="empty">The table is empty here.</p> : <Grid table={table} rows={rows} />}
    </>
  );
}

/** How much the transaction changed, and a way through it. */
function Changes({ table }: { table: TableState }) {
  const stage = useStage();
  const follow = useSnapshot(() => stage.following);
  const first = useSnapshot(() => stage.window.first);
  const ranges = table.changed;
  const total = ranges.reduce((sum, [, n]) => sum + n, 0);
  const next = ranges.find(([from]) => from > first + 3);
  const previous = ranges.findLast(([from]) => from < first + 3);
  const go = (range: [number, number] | undefined) => {
    if (range) stage.look({ first: Math.max(0, range[0] - 3), count: stage.window.count });
  };
  return (
    <div class="changes">
      <p>
        {total === 0
          ? table.transaction
            ? "This transaction wrote no rows"
            : "No transaction yet"
          : `${counted(total, "row")} written${ranges.length > 1 ? ` in ${count(ranges.length)} places` : ""}${ranges.length >= 1000 ? " or more" : ""}`}
        {total > 0 ? <span class="legend"> marked</span> : null}
      </p>
      {ranges.length > 1 ? (
        <span class="changes-ways">
          <Way label="Previous place written to" icon="previous" to={previous} go={go} />
          <Way label="Next place written to" icon="next" to={next} go={go} />
        </span>
      ) : null}
      <label class="check">
        <input
          type="checkbox"
          checked={follow}
          onChange={(event) => stage.follow(event.currentTarget.checked)}
        />
        Follow changes
      </label>
    </div>
  );
}

function Way(props: {
  label: string;
  icon: IconName;
  to: [number, number] | undefined;
  go: (range: [number, number] | undefined) => void;
}) {
  return (
    <button
      type="button"
      class="button small"
      aria-label={props.label}
      title={props.label}
      disabled={!props.to}
      onClick={() => props.go(props.to)}
    >
      <Icon name={props.icon} />
    </button>
  );
}

function Grid({ table, rows }: { table: TableState; rows: RowsText }) {
  const stage = useStage();
  const virtual = useVirtual(table.rows, ROW_HEIGHT, HEAD_HEIGHT);
  const widths = useWidths(table.dir, rows);
  // What the reader scrolls to is fetched; what the stage decides to show is scrolled to.
  const stageFirst = useSnapshot(() => stage.window.first);
  const scrolled = useRef(0);
  useEffect(() => {
    if (virtual.top === scrolled.current && virtual.lines === stage.window.count) return;
    scrolled.current = virtual.top;
    stage.look({ first: virtual.top, count: virtual.lines });
  }, [virtual.top, virtual.lines, stage]);
  useLayoutEffect(() => {
    if (stageFirst === scrolled.current) return;
    scrolled.current = stageFirst;
    virtual.reveal(stageFirst);
  });
  // Rows may arrive after the scroll that asked for them: they lie where they belong, not where we look.
  const top = Math.max(0, virtual.offset + (rows.first - virtual.first) * ROW_HEIGHT);
  const template = widths.map((w) => `${w}ch`);
  return (
    <div
      class="grid"
      ref={virtual.scroller}
      tabIndex={0}
      role="region"
      data-keys="own"
      aria-label="Rows of the table"
      onScroll={virtual.onScroll}
    >
      <div class="grid-all" style={{ height: `${virtual.height + HEAD_HEIGHT}px` }}>
        <table aria-rowcount={table.rows + 1} style={{ top: `${top}px` }}>
          <colgroup>
            <col style={{ width: "11ch" }} />
            {template.map((width, i) => (
              <col key={i} style={{ width }} />
            ))}
            <col />
          </colgroup>
          <thead>
            <tr aria-rowindex={1}>
              <th scope="col" class="num">
                Row
              </th>
              {rows.columns.map((column, i) => (
                <th
                  key={i}
                  scope="col"
                  class={column.numeric ? "num" : ""}
                  title={`${column.name} ${column.type}`}
                >
                  {column.name}
                  <small>{column.type}</small>
                </th>
              ))}
              <td aria-hidden="true" />
            </tr>
          </thead>
          <tbody>
            {rows.rows.map((row, i) => (
              <Row
                key={rows.first + i}
                number={rows.first + i}
                cells={row}
                columns={rows.columns}
                changed={rows.changed[i] === true}
              />
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function Row(props: {
  number: number;
  cells: (string | null)[];
  columns: RowsText["columns"];
  changed: boolean;
}) {
  return (
    <tr class={props.changed ? "changed" : ""} aria-rowindex={props.number + 2}>
      <th scope="row" class="num">
        {props.changed ? <span class="sr">written now, </span> : null}
        {count(props.number + 1)}
      </th>
      {props.cells.map((cell, i) => (
        <td
          key={i}
          class={props.columns[i]?.numeric ? "num" : ""}
          title={cell !== null && cell.length > 20 ? cell : undefined}
        >
          {cell ?? <span class="null">null</span>}
        </td>
      ))}
      <td aria-hidden="true" />
    </tr>
  );
}

/** Column widths that only ever grow, so that the table stands still while it scrolls and plays. */
function useWidths(dir: string, rows: RowsText): number[] {
  const kept = useRef<{ dir: string; widths: Map<string, number> }>({ dir, widths: new Map() });
  if (kept.current.dir !== dir) kept.current = { dir, widths: new Map() };
  const { widths } = kept.current;
  return rows.columns.map((column, i) => {
    const key = `${column.name} ${column.type}`;
    let most = widths.get(key) ?? Math.max(WIDTH_CH_MIN, column.name.length + 3, column.type.length + 1);
    for (const row of rows.rows) most = Math.max(most, (row[i]?.length ?? 4) + 3);
    const width = clamp(most, WIDTH_CH_MIN, WIDTH_CH_MAX);
    widths.set(key, width);
    return width;
  });
}
