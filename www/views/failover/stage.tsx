/** The stage: clients, nodes, the bucket, and what travels between them, each where the model's times put it. */
import { counted, span } from "../../model/format.js";
import { type Geometry, geometryOf, linesOf, type Place, travelling } from "../../model/failover/geometry.js";
import {
  type ClientTold,
  clientEnd,
  type End,
  type NodeTold,
  nodeEnd,
  type Told,
} from "../../model/failover/told.js";
import { clientState, clientWords, flightWords, nodeState, nodeWords } from "../../model/failover/words.js";
import { useSize } from "../hooks.js";
import { useLab, useLabDispatch, useLabValue, useTold } from "./hooks.js";

const NARROW = 560;
/** What stands still, for those who asked for stillness. */
const still = matchMedia("(prefers-reduced-motion: reduce)");

export function Stage() {
  const [ref, size] = useSize();
  const told = useTold();
  const narrow = size.width > 0 && size.width < NARROW;
  return (
    <section class="fo-stage" aria-label="Stage" ref={ref}>
      {told ? <Figures told={told} geometry={geometryOf(told, narrow)} /> : null}
    </section>
  );
}

function Figures({ told, geometry }: { told: Told; geometry: Geometry }) {
  const focus = useLabValue((lab) => lab.state.focus);
  const { places, width, height } = geometry;
  return (
    <div class="fo-figures" style={{ aspectRatio: `${width} / ${height}` }}>
      <svg class="fo-lines" viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
        {linesOf(told).map(({ from, to, cut, live }) => (
          <Line key={`${from} ${to}`} from={places.get(from)} to={places.get(to)} cut={cut} live={live} />
        ))}
        <Travellers told={told} geometry={geometry} />
      </svg>
      {told.clients.map((client) => (
        <Client
          key={client.client}
          client={client}
          geometry={geometry}
          chosen={focus === clientEnd(client.client)}
        />
      ))}
      {told.nodes.map((node) => (
        <Node key={node.node} node={node} geometry={geometry} chosen={focus === nodeEnd(node.node)} />
      ))}
      <Bucket told={told} geometry={geometry} chosen={focus === "bucket"} />
    </div>
  );
}

function Line(props: { from: Place | undefined; to: Place | undefined; cut: boolean; live: boolean }) {
  const { from, to, cut, live } = props;
  if (!from || !to) return null;
  return (
    <line
      class={`fo-line ${cut ? "fo-line-cut" : ""} ${live ? "" : "fo-line-idle"}`}
      x1={from.x}
      y1={from.y}
      x2={to.x}
      y2={to.y}
    />
  );
}

/** No animation runs by itself: each mark is where its message is at the time on show. */
function Travellers({ told, geometry }: { told: Told; geometry: Geometry }) {
  const lab = useLab();
  if (still.matches) {
    return (
      <>
        {travelling(geometry, told.in_flight, Number.MAX_SAFE_INTEGER).map(({ flight, x, y }, i) => (
          <circle key={i} class={`fo-mark fo-still fo-${flight.what}`} cx={x} cy={y} r={34} />
        ))}
      </>
    );
  }
  return (
    <>
      {travelling(geometry, told.in_flight, lab.us).map(({ flight, x, y }, i) => (
        <g key={i} class={`fo-mark fo-${flight.what}`} transform={`translate(${x} ${y})`}>
          {flight.what === "put" ? (
            <rect x={-8} y={-6} width={16} height={12} rx={2} />
          ) : flight.what === "write" ? (
            <path d="M-7 -5H7L10 0 7 5H-7Z" />
          ) : (
            <circle r={flight.what === "get" || flight.what === "settings" ? 3 : 5} />
          )}
        </g>
      ))}
    </>
  );
}

function placed(geometry: Geometry, end: End) {
  const place = geometry.places.get(end) ?? { x: 0, y: 0 };
  return { left: `${(100 * place.x) / geometry.width}%`, top: `${(100 * place.y) / geometry.height}%` };
}

function Node({ node, geometry, chosen }: { node: NodeTold; geometry: Geometry; chosen: boolean }) {
  const dispatch = useLabDispatch();
  const really = useLabValue((lab) => lab.forked.fork?.begin.names[node.node]);
  const end = nodeEnd(node.node);
  const state = nodeState(node);
  return (
    <button
      type="button"
      class={`fo-end fo-node fo-is-${state}`}
      style={placed(geometry, end)}
      data-end={end}
      data-state={state}
      aria-pressed={chosen}
      title={
        really === undefined ? nodeWords(node) : `${nodeWords(node)}; at the moment of the fork ${really}`
      }
      onClick={() => dispatch({ do: "focus", end })}
    >
      <b>{end}</b> <span class="fo-state">{state === "refuses" ? "no writes" : state}</span>{" "}
      <span class="fo-detail">
        {counted(node.rows, "row")}
        {node.lag > 0 && state !== "primary" ? ` · ${node.lag} behind` : ""}
        {state === "primary" && node.queued + node.flying > 0
          ? ` · ${node.queued + node.flying} to ship`
          : ""}
        {node.aside > 0 ? ` · ${node.aside} aside` : ""}
        {really === undefined ? "" : ` · was ${really}`}
      </span>
    </button>
  );
}

function Client({ client, geometry, chosen }: { client: ClientTold; geometry: Geometry; chosen: boolean }) {
  const dispatch = useLabDispatch();
  const end = clientEnd(client.client);
  const state = clientState(client);
  return (
    <button
      type="button"
      class={`fo-end fo-client fo-is-${state}`}
      style={placed(geometry, end)}
      data-end={end}
      data-state={state}
      aria-pressed={chosen}
      title={clientWords(client)}
      onClick={() => dispatch({ do: "focus", end })}
    >
      <b>{end}</b>{" "}
      <span class="fo-detail">
        {client.queue > 0 ? `${counted(client.queue, "frame")} waiting` : state}
        {client.outage_us > 0 ? ` · ${span(client.outage_us)}` : ""}
      </span>
    </button>
  );
}

function Bucket({ told, geometry, chosen }: { told: Told; geometry: Geometry; chosen: boolean }) {
  const dispatch = useLabDispatch();
  const words = `bucket: ${counted(told.history, "object")} in the history, term ${told.term}`;
  return (
    <button
      type="button"
      class="fo-end fo-bucket"
      style={placed(geometry, "bucket")}
      data-end="bucket"
      aria-pressed={chosen}
      title={words}
      onClick={() => dispatch({ do: "focus", end: "bucket" })}
    >
      <b>bucket</b> <span class="fo-state">{told.store}</span>{" "}
      <span class="fo-detail">
        {counted(told.history, "object")} · term {told.term}
      </span>
    </button>
  );
}

/** What is on its way, for those who can't see it. */
export function InFlight() {
  const told = useTold(true);
  const playing = useLabValue((lab) => lab.state.playing);
  if (!told || playing) return null;
  return (
    <ul class="sr" aria-label="On its way">
      {told.in_flight.map((flight, i) => (
        <li key={i}>{flightWords(flight)}</li>
      ))}
    </ul>
  );
}
