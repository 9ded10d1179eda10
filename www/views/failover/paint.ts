/** Draws lanes on a canvas: one stretch for each state, hatched where a fault is in force. */
import type { Chronicle, Span, Window } from "../../model/failover/chronicle.js";
import type { End } from "../../model/failover/told.js";

/** Height of a lane, pixels. */
export const LANE = 20;
const SHOWN_US = 30_000_000;
const AHEAD = 0.06;

export interface Paint {
  ends: readonly End[];
  chronicle: Chronicle;
  us: number;
  width: number;
  inks: Inks;
}

/** The theme's colours by their names, as the browser computes them. */
export type Inks = ReadonlyMap<string, string>;

/** The stretch of time on show: the last half minute, with a little room ahead. */
export function viewOf(us: number): { from: number; to: number } {
  const from = Math.max(0, us - SHOWN_US * (1 - AHEAD));
  return { from, to: from + SHOWN_US };
}

const FILLS: Record<string, string> = {
  primary: "good",
  refuses: "spot",
  replica: "k-data",
  connected: "k-data",
  searching: "spot",
  down: "bad",
  stopped: "bad",
  starting: "line-strong",
};
/** How much of a lane's height a state takes: told apart without colour, too. */
const HEIGHTS: Record<string, number> = {
  primary: 1,
  refuses: 0.7,
  replica: 0.5,
  connected: 0.5,
  searching: 0.25,
};

const NAMES = ["good", "spot", "k-data", "bad", "line-strong", "curtain", "ink-2"] as const;

export function inksOf(element: HTMLElement): Inks {
  const probe = document.createElement("i");
  element.append(probe);
  const inks = NAMES.map((name) => {
    probe.style.color = `var(--${name})`;
    return [name, getComputedStyle(probe).color] as const;
  });
  probe.remove();
  return new Map(inks);
}

function inkOf(inks: Inks, name: string): string {
  return inks.get(name) ?? "gray";
}

export function paintLanes(canvas: HTMLCanvasElement, paint: Paint): void {
  const { ends, chronicle, us, width, inks } = paint;
  const height = ends.length * LANE + 18;
  const ratio = devicePixelRatio;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  if (!context) return;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const view = viewOf(us);
  const x = (at: number) => ((at - view.from) / (view.to - view.from)) * width;
  ends.forEach((end, row) => {
    for (const span of chronicle.lanes.get(end) ?? []) drawSpan(context, inks, span, row, x, us, view.from);
  });
  for (const window of chronicle.windows) drawWindow(context, inks, window, ends, x, us, view.from);
  drawAxis(context, inks, view, x, width, ends.length * LANE);
  context.fillStyle = inkOf(inks, "curtain");
  context.fillRect(x(us) - 1, 0, 2, ends.length * LANE);
}

function drawSpan(
  context: CanvasRenderingContext2D,
  inks: Inks,
  span: Span,
  row: number,
  x: (at: number) => number,
  us: number,
  first: number,
): void {
  const to = Math.min(span.to ?? us, us);
  if (to < first || span.from > us) return;
  const part = HEIGHTS[span.state] ?? 0.15;
  const tall = (LANE - 4) * part;
  const left = Math.max(0, x(span.from));
  context.fillStyle = inkOf(inks, FILLS[span.state] ?? "line-strong");
  context.fillRect(left, row * LANE + LANE - 2 - tall, Math.max(1, x(to) - left), tall);
}

function drawWindow(
  context: CanvasRenderingContext2D,
  inks: Inks,
  window: Window,
  ends: readonly End[],
  x: (at: number) => number,
  us: number,
  first: number,
): void {
  const to = Math.min(window.to ?? us, us);
  if (to < first || window.from > us) return;
  const [left, right] = [Math.max(0, x(window.from)), Math.max(x(window.from) + 2, x(to))];
  context.fillStyle = inkOf(inks, "bad");
  ends.forEach((end, row) => {
    if (window.ends.length > 0 && !window.ends.includes(end) && !window.ends.includes("bucket")) return;
    context.globalAlpha = window.ends.includes(end) ? 0.28 : 0.12;
    context.fillRect(left, row * LANE, right - left, LANE);
    context.globalAlpha = 0.6;
    for (let at = left; at < right; at += 6) context.fillRect(at, row * LANE, 1, LANE);
  });
  context.globalAlpha = 1;
}

function drawAxis(
  context: CanvasRenderingContext2D,
  inks: Inks,
  view: { from: number; to: number },
  x: (at: number) => number,
  width: number,
  top: number,
): void {
  context.fillStyle = inkOf(inks, "ink-2");
  context.font = "11px system-ui, sans-serif";
  for (let at = Math.ceil(view.from / 5e6) * 5e6; at <= view.to; at += 5e6) {
    context.fillRect(x(at), top, 1, 4);
    if (x(at) < width - 24) context.fillText(`${at / 1e6} s`, x(at) + 3, top + 14);
  }
}
