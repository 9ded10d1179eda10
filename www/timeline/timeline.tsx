/** The timeline: a slider over a painted history, to scrub, zoom and pan. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { clamp } from "../model/axis.js";
import { STEP_LARGE, STEP_PAGE } from "../model/command.js";
import type { Command } from "../model/command.js";
import { marks } from "../model/density.js";
import { clock, clockOrNot, count, spoken } from "../model/format.js";
import type { History } from "../model/history.js";
import { txnAt, upperBound } from "../model/history.js";
import { kindOf, KIND_WORDS } from "../model/kinds.js";
import { headUnit } from "../model/reduce.js";
import { axisFor, historyNow, tableNow, viewNow } from "../model/state.js";
import { useSize, useSnapshot, useStage, useTheme } from "../views/hooks.js";
import { Minimap } from "./minimap.js";
import type { Scene } from "./paint.js";
import { heightOf, LAYOUT, paint, paletteOf } from "./paint.js";
import { usePointers } from "./pointers.js";

const LANES_MAX = 4;
const SNAP_PX = 8;

export function Timeline() {
  const history = useSnapshot((s) => historyNow(s.state));
  if (!history) return <div class="track track-empty">Reading the log</div>;
  return <Track history={history} />;
}

function Track({ history }: { history: History }) {
  const stage = useStage();
  const [box, { width }] = useSize();
  const canvas = useRef<HTMLCanvasElement>(null);
  const scene = useScene(history, width);
  const theme = useTheme();
  const head = useSnapshot((s) => headUnit(s.state, history));
  const [hover, setHover] = useState<{ x: number; text: string } | null>(null);
  useEffect(() => {
    if (canvas.current && box.current && scene) paint(canvas.current, scene, paletteOf(box.current));
  }, [scene, theme]);

  const unitAt = (x: number) =>
    scene ? scene.view.from + (x / width) * (scene.view.to - scene.view.from) : 0;
  const range = usePointers(box, {
    scrub: (x, y, done) => {
      if (!scene) return;
      stage.dispatch(commandAt(scene, history, unitAt(x), x, y, !done));
    },
    select: (from, to) => stage.dispatch({ do: "view", from: unitAt(from), to: unitAt(to), push: true }),
    zoom: (factor, x) => stage.dispatch({ do: "zoom", factor, at: unitAt(x) }),
    pan: (dx) => stage.dispatch({ do: "pan", by: -dx / Math.max(1, width) }),
    hover: (x, y) =>
      setHover(x === null || !scene ? null : { x, text: tellAt(scene, history, unitAt(x), x, y) }),
  });
  const x = scene ? ((head - scene.view.from) / (scene.view.to - scene.view.from)) * width : 0;
  return (
    <>
      <div class="track" ref={box} style={{ height: `${heightOf(scene?.others.length ?? 0)}px` }}>
        <canvas ref={canvas} class="track-canvas" aria-hidden="true" />
        <LaneNames scene={scene} />
        {range ? (
          <span
            class="track-range"
            style={{ left: `${range.from}px`, width: `${range.to - range.from}px` }}
          />
        ) : null}
        <Head x={clamp(x, -2, width + 2)} inView={x >= -1 && x <= width + 1} />
        {hover ? (
          <span class="track-tip" style={{ left: `${clamp(hover.x, 90, Math.max(90, width - 90))}px` }}>
            {hover.text}
          </span>
        ) : null}
      </div>
      {scene ? <Minimap history={history} /> : null}
    </>
  );
}

/** The playhead is the slider. */
function Head({ x, inView }: { x: number; inView: boolean }) {
  const stage = useStage();
  const txn = useSnapshot((s) => s.state.txn);
  const us = useSnapshot((s) => s.state.us);
  const last = useSnapshot((s) => historyNow(s.state)?.kind.length ?? 0);
  const behind = useSnapshot((s) => s.shown.busySince !== null);
  const onKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const by = { ArrowUp: 1, ArrowDown: -1, PageUp: STEP_PAGE, PageDown: -STEP_PAGE }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    stage.dispatch({ do: "step", by: event.shiftKey ? by * STEP_LARGE : by });
  };
  return (
    <div
      class={`head-line ${behind ? "behind" : ""} ${inView ? "" : "away"}`}
      id="scrubber"
      role="slider"
      tabIndex={0}
      aria-label="Moment in the history"
      aria-orientation="horizontal"
      aria-valuemin={0}
      aria-valuemax={last}
      aria-valuenow={txn}
      aria-valuetext={spoken(txn, last, us)}
      style={{ transform: `translateX(${x}px)` }}
      onKeyDown={onKey}
    />
  );
}

function LaneNames({ scene }: { scene: Scene | null }) {
  return (
    <>
      {scene?.others.map((lane, i) => (
        <span
          key={lane.table.dir}
          class="lane-name"
          aria-hidden="true"
          style={{ top: `${LAYOUT.labels + LAYOUT.density + LAYOUT.marks + i * LAYOUT.lane - 1}px` }}
        >
          {lane.table.name}
        </span>
      ))}
    </>
  );
}

/** What is to be painted; the same object until something of it changes. */
function useScene(history: History, width: number): Scene | null {
  const table = useSnapshot((s) => tableNow(s.state));
  const overview = useSnapshot((s) => s.state.overview);
  const histories = useSnapshot((s) => s.state.histories);
  const kind = useSnapshot((s) => s.state.axis);
  const view = useSnapshot((s) => viewNow(s.state));
  const brokenFrom = useSnapshot(({ shown }) => {
    const standing = shown.table?.standing;
    return standing?.state === "diverged" || standing?.state === "suspended" ? standing.seqTxn : null;
  });
  return useMemo(() => {
    if (!table || width < 2) return null;
    const others =
      kind === "txn"
        ? []
        : (overview?.tables ?? []).flatMap((t) => {
            const found = t.dir === table.dir ? undefined : histories.get(t.dir);
            return found && found.kind.length > 0 ? [{ table: t, history: found }] : [];
          });
    return {
      main: { table, history },
      others: others.slice(0, LANES_MAX),
      axis: axisFor(history, kind),
      view,
      width,
      brokenFrom,
    };
  }, [table, overview, histories, kind, view, width, history, brokenFrom]);
}

/** In the row of marks the pointer snaps to them; elsewhere it means the place itself. */
function commandAt(
  scene: Scene,
  history: History,
  unit: number,
  x: number,
  y: number,
  passing: boolean,
): Command {
  const mark = markAt(scene, history, x, y);
  if (mark) return { do: "toTxn", txn: mark.txn, passing };
  const value = scene.axis.fromUnit(unit);
  if (scene.axis.kind !== "time") return { do: "toTxn", txn: txnBy(scene, history, value), passing };
  return { do: "toTime", us: Math.round(value), passing };
}

/** The transaction after which the table stands at a value of the axis. */
function txnBy({ axis }: Scene, history: History, value: number): number {
  if (axis.kind === "time") return txnAt(history, value);
  return axis.kind === "op" && history.ops
    ? upperBound(history.ops.at, Math.round(value))
    : Math.round(value);
}

function markAt(scene: Scene, history: History, x: number, y: number) {
  const top = LAYOUT.labels + LAYOUT.density;
  if (y < top || y > top + LAYOUT.marks) return null;
  const all = marks(history, scene.axis, scene.view, scene.width);
  const near = all
    .filter((m) => Math.abs(m.x - x) <= SNAP_PX)
    .sort((a, b) => Math.abs(a.x - x) - Math.abs(b.x - x));
  return near[0] ?? null;
}

function tellAt(scene: Scene, history: History, unit: number, x: number, y: number): string {
  const mark = markAt(scene, history, x, y);
  if (mark && mark.count > 1)
    return `${KIND_WORDS[kindOf(mark.kind)]} ${count(mark.count)}×, from txn ${count(mark.txn)}`;
  const value = scene.axis.fromUnit(unit);
  const gap = scene.axis.gaps.find((g) => unit > g.unitFrom && unit < g.unitTo);
  if (gap && !mark) return `nothing from ${clock(gap.from)} to ${clock(gap.to)}`;
  const txn = mark?.txn ?? clamp(txnBy(scene, history, value), 0, history.kind.length);
  if (txn === 0) return "before the first transaction";
  const rows = history.rows[txn - 1] ?? -1;
  const unfetched = history.ops && (history.ops.at[txn - 1] ?? 0) < history.ops.first;
  const what = unfetched ? "not fetched" : KIND_WORDS[kindOf(history.kind[txn - 1])];
  return `txn ${count(txn)} · ${clockOrNot(history.commitUs[txn - 1])} · ${what}${rows >= 0 ? ` · ${count(rows)}` : ""}`;
}
