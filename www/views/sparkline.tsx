/** A table's density over its transactions, small. */
import { useMemo } from "preact/hooks";
import { density } from "../model/density.js";
import type { History } from "../model/history.js";
import { axisFor, WHOLE } from "../model/state.js";

const WIDTH = 90;
const HEIGHT = 14;

export function Sparkline({ history, at }: { history: History; at: number }) {
  const path = useMemo(() => {
    const { all, unknown } = density(history, axisFor(history, "txn"), WHOLE, WIDTH);
    let d = "";
    for (let x = 0; x < WIDTH; x++) {
      const height = unknown[x] === 1 && all[x] === 0 ? 2 : (all[x] ?? 0) * HEIGHT;
      if (height > 0)
        d += `M${x} ${HEIGHT - Math.max(1, height)}V${HEIGHT}h1V${HEIGHT - Math.max(1, height)}Z`;
    }
    return d;
  }, [history]);
  const x = (Math.min(at, history.kind.length) / Math.max(1, history.kind.length)) * WIDTH;
  return (
    <svg class="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      <path d={path} />
      <rect class="sparkline-at" x={Math.max(0, x - 0.75)} y="0" width="1.5" height={HEIGHT} />
    </svg>
  );
}
