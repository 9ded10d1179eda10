/** Paints the timeline: density, marks, closed silences, purged and broken ranges, lanes of other tables. */
import type { TableInfo } from "../../pkg/types.js";
import type { Axis } from "../model/axis.js";
import { ticks } from "../model/axis.js";
import type { View } from "../model/density.js";
import { density, marks, unitOf } from "../model/density.js";
import { clock, count, day } from "../model/format.js";
import type { History } from "../model/history.js";
import { KIND_MARKS, kindOf, KINDS } from "../model/kinds.js";

export interface Lane {
  table: TableInfo;
  history: History;
}

export interface Scene {
  main: Lane;
  others: Lane[];
  axis: Axis;
  view: View;
  width: number;
  /** Transactions from which on the table is diverged or suspended, if it is. */
  brokenFrom: number | null;
}

/** Heights in CSS pixels, from the top. */
export const LAYOUT = { labels: 18, density: 46, marks: 18, lane: 11 } as const;

export function heightOf(others: number): number {
  return LAYOUT.labels + LAYOUT.density + LAYOUT.marks + others * LAYOUT.lane;
}

export interface Palette {
  ink: string;
  quiet: string;
  line: string;
  data: string;
  late: string;
  bad: string;
  kinds: string[];
}

/** The theme's colours as the browser computes them. */
export function paletteOf(element: HTMLElement): Palette {
  const probe = document.createElement("i");
  element.append(probe);
  const read = (name: string) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const palette = {
    ink: read("ink"),
    quiet: read("ink-2"),
    line: read("line"),
    data: read("k-data"),
    late: read("k-late-fill"),
    bad: read("bad"),
    kinds: KINDS.map((kind) => read(`k-${kind}`)),
  };
  probe.remove();
  return palette;
}

export function paint(canvas: HTMLCanvasElement, scene: Scene, palette: Palette): void {
  const scale = devicePixelRatio || 1;
  const height = heightOf(scene.others.length);
  canvas.width = Math.round(scene.width * scale);
  canvas.height = Math.round(height * scale);
  const g = canvas.getContext("2d");
  if (!g || scene.width < 2) return;
  g.setTransform(scale, 0, 0, scale, 0, 0);
  paintTicks(g, scene, palette, height);
  paintGaps(g, scene, palette, height);
  paintPurged(g, scene, palette);
  const base = LAYOUT.labels + LAYOUT.density;
  paintDensity(g, scene.main.history, scene, palette, base, LAYOUT.density);
  g.fillStyle = palette.line;
  g.fillRect(0, base, scene.width, 1);
  paintMarks(g, scene, palette, base);
  scene.others.forEach((lane, i) => {
    const bottom = base + LAYOUT.marks + (i + 1) * LAYOUT.lane;
    g.globalAlpha = 0.75;
    paintDensity(g, lane.history, scene, palette, bottom - 1, LAYOUT.lane - 2);
    g.globalAlpha = 1;
    g.fillStyle = palette.line;
    g.fillRect(0, bottom - 1, scene.width, 1);
  });
}

/** Where along the canvas a transaction's end lies. */
export function xOf(scene: Scene, txn: number): number {
  return (
    ((unitOf(scene.main.history, scene.axis, txn) - scene.view.from) / (scene.view.to - scene.view.from)) *
    scene.width
  );
}

function paintTicks(g: CanvasRenderingContext2D, scene: Scene, palette: Palette, height: number): void {
  const { axis, view, width } = scene;
  g.font = "11px system-ui, sans-serif";
  g.textBaseline = "top";
  let lastDay = "";
  let clearFrom = -Infinity;
  for (const value of ticks(axis, view, width)) {
    const x = ((axis.toUnit(value) - view.from) / (view.to - view.from)) * width;
    g.fillStyle = palette.line;
    g.fillRect(Math.round(x), 0, 1, height);
    const label = axis.kind === "time" ? timeLabel(value, lastDay) : count(value);
    if (axis.kind === "time") lastDay = day(value);
    const length = g.measureText(label).width;
    if (x + 4 < clearFrom || x + 4 + length > width) continue;
    g.fillStyle = palette.quiet;
    g.fillText(label, x + 4, 2);
    clearFrom = x + 4 + length + 6;
  }
}

/** The day once, then the time; no more digits than there are. */
function timeLabel(us: number, lastDay: string): string {
  const time = clock(us)
    .replace(/\.000$/, "")
    .replace(/(\.\d*?)0+$/, "$1");
  return day(us) === lastDay ? time : `${day(us)} ${time}`;
}

/** A closed silence: a torn strip. */
function paintGaps(g: CanvasRenderingContext2D, scene: Scene, palette: Palette, height: number): void {
  const { axis, view, width } = scene;
  for (const gap of axis.gaps) {
    const from = ((gap.unitFrom - view.from) / (view.to - view.from)) * width;
    const to = ((gap.unitTo - view.from) / (view.to - view.from)) * width;
    if (to < 0 || from > width) continue;
    g.strokeStyle = palette.quiet;
    g.globalAlpha = 0.7;
    for (const x of [from + 1, to - 1]) {
      g.beginPath();
      for (let y = LAYOUT.labels; y <= height; y += 6) {
        g.lineTo(x + ((y / 6) % 2 < 1 ? -1.5 : 1.5), y);
      }
      g.stroke();
    }
    g.globalAlpha = 1;
  }
}

/** Rows that are gone, and everything after a table broke, are hatched. */
function paintPurged(g: CanvasRenderingContext2D, scene: Scene, palette: Palette): void {
  const bottom = LAYOUT.labels + LAYOUT.density;
  for (const [first, last] of scene.main.table.purged) {
    hatch(g, xOf(scene, first - 1), xOf(scene, last), LAYOUT.labels, bottom, palette.quiet, scene.width);
  }
  if (scene.brokenFrom !== null) {
    const to = xOf(scene, scene.main.history.kind.length);
    hatch(
      g,
      xOf(scene, scene.brokenFrom - 1),
      to,
      LAYOUT.labels,
      bottom + LAYOUT.marks,
      palette.bad,
      scene.width,
    );
  }
  const top = bottom + LAYOUT.marks;
  scene.others.forEach(({ table, history }, i) => {
    for (const [first, last] of table.purged) {
      const at = (txn: number) =>
        ((unitOf(history, scene.axis, txn) - scene.view.from) / (scene.view.to - scene.view.from)) *
        scene.width;
      const y = top + i * LAYOUT.lane;
      hatch(g, at(first), at(last), y, y + LAYOUT.lane - 1, palette.quiet, scene.width);
    }
  });
}

function hatch(
  g: CanvasRenderingContext2D,
  from: number,
  to: number,
  top: number,
  bottom: number,
  color: string,
  width: number,
): void {
  const left = Math.max(0, from);
  const right = Math.min(width, Math.max(to, from + 2));
  if (right <= left) return;
  g.save();
  g.beginPath();
  g.rect(left, top, right - left, bottom - top);
  g.clip();
  g.globalAlpha = 0.12;
  g.fillStyle = color;
  g.fillRect(left, top, right - left, bottom - top);
  g.globalAlpha = 0.55;
  g.strokeStyle = color;
  g.beginPath();
  const high = bottom - top;
  for (let x = Math.floor(left / 8) * 8 - high; x < right; x += 8) {
    g.moveTo(x, bottom);
    g.lineTo(x + high, top);
  }
  g.stroke();
  g.restore();
}

function paintDensity(
  g: CanvasRenderingContext2D,
  history: History,
  scene: Scene,
  palette: Palette,
  base: number,
  height: number,
): void {
  const columns = Math.floor(scene.width);
  const { all, late, unknown } = density(history, scene.axis, scene.view, columns);
  for (let x = 0; x < columns; x++) {
    const rows = all[x] ?? 0;
    if (rows > 0) {
      g.fillStyle = palette.data;
      const h = Math.max(1.5, rows * height);
      g.fillRect(x, base - h, 1, h);
      const lateRows = late[x] ?? 0;
      if (lateRows > 0) {
        g.fillStyle = palette.late;
        const l = Math.max(1.5, lateRows * height);
        g.fillRect(x, base - l, 1, l);
      }
    } else if (unknown[x] === 1) {
      g.fillStyle = palette.quiet;
      g.fillRect(x, base - 3, 1, 3);
    }
  }
}

const paths = KIND_MARKS;
const madePaths = new Map<string, Path2D>();

function paintMarks(g: CanvasRenderingContext2D, scene: Scene, palette: Palette, base: number): void {
  for (const mark of marks(scene.main.history, scene.axis, scene.view, scene.width)) {
    const shape = paths[kindOf(mark.kind)];
    let path = madePaths.get(shape);
    if (!path) madePaths.set(shape, (path = new Path2D(shape)));
    g.save();
    g.translate(Math.max(0, Math.min(scene.width - 12, mark.x - 6)), base + 3);
    g.fillStyle = palette.kinds[mark.kind] ?? palette.ink;
    g.fill(path);
    g.restore();
  }
}
