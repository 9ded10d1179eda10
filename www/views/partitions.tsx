/** Partitions as bricks as wide as they have rows; what the transaction touched is marked where it is. */
import type { PartitionInfo, TableState, Touch } from "../../pkg/types.js";
import { count, counted, size } from "../model/format.js";
import { useDispatch, useSize, useSnapshot } from "./hooks.js";

export const TOUCH_WORDS: Record<Touch, string> = {
  none: "",
  created: "created",
  appended: "appended",
  merged: "merged",
  rewritten: "rewritten",
  removed: "removed",
};
const TOUCH_SIGNS: Record<Touch, string> = {
  none: "",
  created: "✚",
  appended: "→",
  merged: "⇄",
  rewritten: "↻",
  removed: "✕",
};
/** Bricks drawn at most; around what was touched. */
const BRICKS_MAX = 240;
const MARKS_MAX = 48;
const BRICK_PX_MIN = 96;
const BRICK_PX_MAX = 230;
const BRICK_PX_GAP = 5;
/** Courses of the wall that are filled; two, less what is lost at their ends. */
const COURSES_FILLED = 1.75;

export function Partitions() {
  const dispatch = useDispatch();
  const table = useSnapshot((s) => s.shown.table);
  const as = useSnapshot((s) => s.state.partitionsAs);
  const touched = table?.partitions.filter((p) => p.touch !== "none") ?? [];
  return (
    <section class="partitions" aria-labelledby="partitions-title">
      <div class="section-head">
        <h2 id="partitions-title">Partitions</h2>
        <p class="quiet">
          {table ? `${count(table.partitions.filter((p) => p.touch !== "removed").length)} as of then` : ""}
          {touched.length > 0 ? `, ${count(touched.length)} touched` : ""}
        </p>
        <button
          type="button"
          class="button small"
          title="Compare with another moment or source (c)"
          aria-keyshortcuts="c"
          onClick={() => dispatch({ do: "compare" })}
        >
          Compare
        </button>
        <button
          type="button"
          class="button small"
          onClick={() => dispatch({ do: "partitionsAs", as: as === "bricks" ? "table" : "bricks" })}
        >
          {as === "bricks" ? "As a table" : "As bricks"}
        </button>
      </div>
      {!table ? null : table.partitions.length === 0 ? (
        <p class="empty">No rows yet, so no partitions.</p>
      ) : as === "bricks" ? (
        <Bricks table={table} />
      ) : (
        <PartitionTable table={table} />
      )}
    </section>
  );
}

function Bricks({ table }: { table: TableState }) {
  const selected = useSnapshot((s) => s.state.selected);
  const { shown, before, after } = around(table.partitions);
  const [wall, { width }] = useSize<HTMLOListElement>();
  const most = table.partitions.reduce((max, p) => Math.max(max, p.rows), 1);
  const shares = shown.reduce((sum, p) => sum + p.rows / most, 0);
  const widest = brickWidth(width, shown.length, shares);
  return (
    <ol class="bricks" ref={wall} tabIndex={0} data-keys="own" aria-label="Partitions in order of time">
      {before > 0 ? <li class="bricks-more">{count(before)} before</li> : null}
      {shown.map((p) => (
        <Brick
          key={p.name}
          table={table}
          partition={p}
          width={Math.round(BRICK_PX_MIN + (p.rows / most) * (widest - BRICK_PX_MIN))}
          chosen={p.name === selected}
        />
      ))}
      {after > 0 ? <li class="bricks-more">{count(after)} after</li> : null}
    </ol>
  );
}

/** Width of the largest brick, so that the wall keeps to two courses while there is room for that. */
function brickWidth(wall: number, bricks: number, shares: number): number {
  const room = wall * COURSES_FILLED - bricks * (BRICK_PX_MIN + BRICK_PX_GAP);
  return Math.max(BRICK_PX_MIN * 1.5, Math.min(BRICK_PX_MAX, BRICK_PX_MIN + room / Math.max(1, shares)));
}

function Brick(props: { table: TableState; partition: PartitionInfo; width: number; chosen: boolean }) {
  const { table, partition, width, chosen } = props;
  const dispatch = useDispatch();
  const { touch } = partition;
  // The key makes a new element for each transaction, so that the flash starts again.
  return (
    <li class="brick-slot">
      <button
        type="button"
        key={touch === "none" ? "still" : table.seqTxn}
        class={`brick touch-${touch}`}
        aria-pressed={chosen}
        style={{ width: `${width}px` }}
        title={`${partition.firstTimestamp} … ${partition.lastTimestamp}\n${size(partition.bytes)}\ndigest ${partition.digest || "not known"}`}
        onClick={() => dispatch({ do: "select", partition: chosen ? null : partition.name })}
      >
        <BrickName name={partition.name} />
        <span class="brick-rows">{counted(partition.rows, "row")}</span>
        {touch === "none" ? null : (
          <span class="brick-touch">
            <span aria-hidden="true">{TOUCH_SIGNS[touch]} </span>
            {TOUCH_WORDS[touch]}
          </span>
        )}
        <ChangeMarks changed={table.changed} partition={partition} />
      </button>
    </li>
  );
}

/** The part that tells neighbours apart comes first, so that it is what a narrow brick shows. */
function BrickName({ name }: { name: string }) {
  const parts = /^(\d{4}-\d\d-\d\d)(T.*)$/.exec(name) ?? /^(\d{4})-(\d\d-\d\d)$/.exec(name);
  if (!parts) return <span class="brick-name">{name}</span>;
  return (
    <span class="brick-name">
      <span class="sr">{name}</span>
      <span aria-hidden="true">
        {parts[2]} <span class="brick-day">{parts[1]}</span>
      </span>
    </span>
  );
}

/** Where in the brick the transaction's rows lie. */
function ChangeMarks({ changed, partition }: { changed: [number, number][]; partition: PartitionInfo }) {
  if (partition.touch === "none" || partition.rows === 0) return null;
  const marks: { from: number; width: number }[] = [];
  for (const [first, length] of changed) {
    const from = Math.max(first, partition.firstRow);
    const to = Math.min(first + length, partition.firstRow + partition.rows);
    if (to > from)
      marks.push({ from: (from - partition.firstRow) / partition.rows, width: (to - from) / partition.rows });
    if (marks.length >= MARKS_MAX) break;
  }
  return (
    <span class="brick-marks" aria-hidden="true">
      {marks.map((m) => (
        <i key={m.from} style={{ left: `${m.from * 100}%`, width: `max(2px, ${m.width * 100}%)` }} />
      ))}
    </span>
  );
}

/** All bricks if they are few; else those around what was touched, else the newest. */
function around(partitions: PartitionInfo[]): { shown: PartitionInfo[]; before: number; after: number } {
  if (partitions.length <= BRICKS_MAX) return { shown: partitions, before: 0, after: 0 };
  const touched = partitions.findIndex((p) => p.touch !== "none");
  const centre = touched < 0 ? partitions.length : touched;
  const from = Math.max(0, Math.min(centre - BRICKS_MAX / 2, partitions.length - BRICKS_MAX));
  const shown = partitions.slice(from, from + BRICKS_MAX);
  return { shown, before: from, after: partitions.length - from - shown.length };
}

export function PartitionTable({ table, caption = false }: { table: TableState; caption?: boolean }) {
  const { shown, before, after } = around(table.partitions);
  return (
    <div class="scroll" tabIndex={0} role="region" data-keys="own" aria-label="Table of partitions">
      <table class="plain">
        {caption ? <caption>Partitions</caption> : null}
        <thead>
          <tr>
            <th scope="col">Partition</th>
            <th scope="col" class="num">
              Rows
            </th>
            <th scope="col" class="num">
              Size
            </th>
            <th scope="col">This transaction</th>
            <th scope="col">First</th>
            <th scope="col">Last</th>
            <th scope="col">Digest</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((p) => (
            <tr key={p.name}>
              <th scope="row">{p.name}</th>
              <td class="num">{count(p.rows)}</td>
              <td class="num">{size(p.bytes)}</td>
              <td>{TOUCH_WORDS[p.touch] || "not touched"}</td>
              <td class="mono">{p.firstTimestamp}</td>
              <td class="mono">{p.lastTimestamp}</td>
              <td class="mono">{p.digest}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {before + after > 0 ? (
        <p class="quiet">{counted(before + after, "more partition")} not listed</p>
      ) : null}
    </div>
  );
}
