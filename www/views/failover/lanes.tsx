/** A lane for each instance along the run's time: roles, outages, and the windows of faults, shaded. */
import { useEffect, useRef } from "preact/hooks";
import type { Chronicle } from "../../model/failover/chronicle.js";
import { endsOf } from "../../model/failover/state.js";
import { clientWords, endsWords, faultName, nodeWords, seconds } from "../../model/failover/words.js";
import type { Told } from "../../model/failover/told.js";
import { useSize, useTheme } from "../hooks.js";
import { type Inks, inksOf, LANE, paintLanes, viewOf } from "./paint.js";
import { useLabDispatch, useLabValue, useTold } from "./hooks.js";

export function Lanes() {
  const told = useTold(true);
  const chronicle = useLabValue((lab) => lab.chronicle);
  const us = useLabValue((lab) => lab.us, true);
  const branches = useLabValue((lab) => lab.state.branches);
  const dispatch = useLabDispatch();
  if (!told) return null;
  return (
    <section class="fo-lanes" aria-label="Lanes">
      <LaneSet told={told} chronicle={chronicle} us={us} choose={(at) => dispatch({ do: "to", us: at })} />
      {branches.map((branch, index) =>
        branch.told ? (
          <Branch key={index} index={index} told={branch.told} chronicle={branch.chronicle} us={branch.us} />
        ) : null,
      )}
      <LanesAsText told={told} chronicle={chronicle} />
    </section>
  );
}

/** `choose` is told the time that was pointed at. */
function LaneSet(props: { told: Told; chronicle: Chronicle; us: number; choose?: (us: number) => void }) {
  const { told, chronicle, us, choose } = props;
  const [box, size] = useSize();
  const canvas = useRef<HTMLCanvasElement>(null);
  const theme = useTheme();
  const inks = useRef<{ theme: string; of: Inks } | null>(null);
  const ends = endsOf(told);
  const { version } = chronicle;
  useEffect(() => {
    const element = canvas.current;
    if (!element || size.width === 0) return;
    if (inks.current?.theme !== theme) inks.current = { theme, of: inksOf(element.parentElement ?? element) };
    paintLanes(element, { ends, chronicle, us, width: size.width, inks: inks.current.of });
  }, [size.width, us, chronicle, version, ends.length, theme]);
  const view = viewOf(us);
  return (
    <div class={`fo-lane-set ${choose ? "" : "fo-past"}`} style={{ height: `${ends.length * LANE + 18}px` }}>
      <ol class="fo-lane-names" aria-hidden="true">
        {ends.map((end) => (
          <li key={end}>{end}</li>
        ))}
      </ol>
      <div
        class="fo-lane-box"
        ref={box}
        onClick={(event) => {
          const part =
            (event.clientX - event.currentTarget.getBoundingClientRect().left) / Math.max(1, size.width);
          choose?.(view.from + part * (view.to - view.from));
        }}
      >
        <canvas ref={canvas} aria-hidden="true" />
      </div>
    </div>
  );
}

/** A run that was left: its lanes stay, and so do its numbers. */
function Branch(props: { index: number; told: Told; chronicle: Chronicle; us: number }) {
  const { index, told, chronicle, us } = props;
  const dispatch = useLabDispatch();
  const longest = Math.max(0, ...told.clients.map((client) => client.longest_outage_us));
  return (
    <article class="fo-branch" aria-label={`Branch ${index + 1}`} data-branch={index}>
      <p>
        <b>Branch {index + 1}</b> at {seconds(us, 1)}: {told.rows.acknowledged} acknowledged, {told.rows.lost}{" "}
        lost, longest outage {seconds(longest, 2)}.{" "}
        <button type="button" class="button small" onClick={() => dispatch({ do: "branch", index })}>
          <span class="button-words">Go on with it</span>
        </button>
      </p>
      <LaneSet told={told} chronicle={chronicle} us={us} />
    </article>
  );
}

function LanesAsText({ told, chronicle }: { told: Told; chronicle: Chronicle }) {
  return (
    <details class="fo-text">
      <summary>As text</summary>
      <ul>
        {told.nodes.map((node) => (
          <li key={node.node}>{nodeWords(node)}</li>
        ))}
        {told.clients.map((client) => (
          <li key={client.client}>{clientWords(client)}</li>
        ))}
        {chronicle.windows.slice(-40).map((window, i) => (
          <li key={i}>
            {faultName(window.fault)}
            {window.ends.length > 0 ? ` at ${endsWords(window.ends)}` : ""} from {seconds(window.from)}{" "}
            {window.to === null ? "on" : `to ${seconds(window.to)}`}
          </li>
        ))}
      </ul>
    </details>
  );
}
