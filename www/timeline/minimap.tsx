/** The whole timeline in small, with the part that is in view; and the way back out of a zoom. */
import { useMemo } from "preact/hooks";
import { density } from "../model/density.js";
import { clock, count, span } from "../model/format.js";
import type { History } from "../model/history.js";
import { headUnit } from "../model/reduce.js";
import { axisFor, viewNow, WHOLE } from "../model/state.js";
import { useDispatch, useSnapshot } from "../views/hooks.js";

const WIDTH = 400;
const HEIGHT = 14;

export function Minimap({ history }: { history: History }) {
  const dispatch = useDispatch();
  const view = useSnapshot((s) => viewNow(s.state));
  const kind = useSnapshot((s) => s.state.axis);
  const head = useSnapshot((s) => headUnit(s.state, history));
  const path = useMemo(() => {
    const { all } = density(history, axisFor(history, kind), WHOLE, WIDTH);
    let d = "";
    all.forEach((h, x) => {
      if (h > 0)
        d += `M${x} ${(HEIGHT - Math.max(1, h * HEIGHT)).toFixed(1)}V${HEIGHT}h1V${(HEIGHT - Math.max(1, h * HEIGHT)).toFixed(1)}Z`;
    });
    return d;
  }, [history, kind]);
  if (view.from <= 0 && view.to >= 1) return null;
  const centre = (event: PointerEvent & { currentTarget: Element }) => {
    if (event.buttons !== 1) return;
    const box = event.currentTarget.getBoundingClientRect();
    const width = view.to - view.from;
    const from = (event.clientX - box.left) / box.width - width / 2;
    const low = Math.max(0, Math.min(from, 1 - width));
    dispatch({ do: "view", from: low, to: low + width, push: false });
  };
  return (
    <div class="minimap">
      <Crumbs history={history} />
      <svg
        class="minimap-map"
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        aria-hidden="true"
        onPointerDown={centre}
        onPointerMove={centre}
      >
        <path d={path} />
        <rect
          class="minimap-view"
          x={view.from * WIDTH}
          y="0"
          width={Math.max(2, (view.to - view.from) * WIDTH)}
          height={HEIGHT}
        />
        <rect class="minimap-head" x={head * WIDTH - 0.75} y="0" width="1.5" height={HEIGHT} />
      </svg>
    </div>
  );
}

function Crumbs({ history }: { history: History }) {
  const dispatch = useDispatch();
  const views = useSnapshot((s) => s.state.views);
  const kind = useSnapshot((s) => s.state.axis);
  const axis = axisFor(history, kind);
  return (
    <nav class="crumbs" aria-label="Zoom">
      {views.map((view, index) => {
        const from = axis.fromUnit(view.from);
        const to = axis.fromUnit(view.to);
        const words =
          index === 0
            ? "All"
            : kind === "txn"
              ? `${count(from)}–${count(to)}`
              : `${clock(from).slice(0, 8)} + ${span(to - from)}`;
        const last = index === views.length - 1;
        return (
          <button
            key={index}
            type="button"
            class="crumb"
            aria-current={last ? "true" : undefined}
            onClick={() => dispatch({ do: "crumb", index })}
          >
            {words}
          </button>
        );
      })}
    </nav>
  );
}
