/** The cluster of a bucket: one word on whether all hold the same, a lane per instance, and the log's terms. */
import type { Cluster } from "../../../pkg/types.js";
import type { Cell, Lane, Moment, Place } from "../../model/cluster/moment.js";
import { clock, count, counted, day, isoUs, span } from "../../model/format.js";
import { Fingerprint, Icon } from "../bits.js";
import { useDispatch, useSnapshot } from "../hooks.js";
import { CostDial } from "./cost.js";
import { useMoment } from "./moment.js";
import { StoredPartitions, Strip } from "./parts.js";
import { Operations } from "./operations.js";

/** In the page's head: the one number. */
export function ClusterChip() {
  const dispatch = useDispatch();
  const moment = useMoment();
  if (!moment) return null;
  const { word, text, detail } = moment.verdict;
  return (
    <button
      type="button"
      class={`chip verdict verdict-${word}`}
      title={detail}
      onClick={() => dispatch({ do: "tab", tab: "cluster" })}
    >
      <Icon name="real" />
      <span>{text}</span>
    </button>
  );
}

export function ClusterTab() {
  const cluster = useSnapshot((s) => s.shown.cluster ?? null);
  const moment = useMoment();
  if (!cluster || !moment)
    return (
      <p class="empty">This source is a database, not a cluster’s bucket: there is nothing to compare.</p>
    );
  return (
    <div class="scroll cluster" tabIndex={0} role="region" data-keys="own" aria-label="The cluster">
      <VerdictLine moment={moment} />
      <Lanes moment={moment} />
      <StoredPartitions moment={moment} />
      <Terms cluster={cluster} />
      <Operations cluster={cluster} us={moment.us} />
      <CostDial cluster={cluster} replicas={Math.max(1, moment.lanes.length - 1)} />
    </div>
  );
}

export function VerdictLine({ moment }: { moment: Moment }) {
  const { word, text, detail } = moment.verdict;
  return (
    <p class="cluster-verdict" role="status">
      <b class={`verdict verdict-${word}`}>{text}</b>{" "}
      {Number.isNaN(moment.us) ? null : (
        <span class="quiet">
          at {day(moment.us)} {clock(moment.us)} UTC:{" "}
        </span>
      )}
      {detail}.
    </p>
  );
}

function Lanes({ moment }: { moment: Moment }) {
  const name = useSnapshot((s) => s.shown.table?.name ?? "the table");
  if (Number.isNaN(moment.us)) return null;
  if (moment.lanes.length === 0)
    return <p class="note">No instance has registered itself in this bucket (nodes/ is empty).</p>;
  return (
    <table class="plain lanes">
      <caption>Instances, by their own journals and clocks</caption>
      <thead>
        <tr>
          <th scope="col">Instance</th>
          <th scope="col">Tables and their partitions</th>
          <th scope="col" class="num">
            Lacks
          </th>
          <th scope="col" class="num">
            Lag
          </th>
          <th scope="col">Digest of {name}</th>
          <th scope="col">Last word</th>
        </tr>
      </thead>
      <tbody>
        {moment.lanes.map((lane) => (
          <LaneRow key={lane.node} lane={lane} />
        ))}
      </tbody>
    </table>
  );
}

function LaneRow({ lane }: { lane: Lane }) {
  const known = lane.cells.some((cell) => cell.applied !== null);
  const dir = useSnapshot((s) => s.state.table);
  const digest = lane.cells.find((cell) => cell.dir === dir)?.digest ?? null;
  return (
    <tr class={`lane lane-${lane.life}`}>
      <th scope="row">
        {lane.name}{" "}
        <span class="quiet">{lane.life === "running" ? lane.role : `${lane.role}, ${lane.life}`}</span>
        {lane.unread ? <span class="quiet"> (what it did then was not read yet)</span> : null}
        {lane.trouble === null ? null : <span class="lane-trouble">{lane.trouble}</span>}
      </th>
      <td>
        <span class="cells">
          {lane.cells.map((cell) => (
            <span key={cell.dir} class="cell-group">
              <CellMark cell={cell} />
              <Strip table={cell.name} parts={cell.parts} />
            </span>
          ))}
        </span>
      </td>
      <td class="num">{known ? counted(lane.lagTxns, "txn") : "not known"}</td>
      <td class="num">{known ? (lane.lagUs > 0 ? span(lane.lagUs) : "none") : ""}</td>
      <td>
        {digest === null ? (
          <span class="quiet">none yet</span>
        ) : (
          <>
            <Fingerprint digest={digest.digest} />
            <span class="mono" title={digest.digest}>
              {digest.digest.slice(0, 8)}
            </span>{" "}
            <span class="quiet">after txn {count(digest.seqTxn)}</span>
          </>
        )}
      </td>
      <td>{lane.silentUs === null ? "none yet" : `${span(lane.silentUs)} ago`}</td>
    </tr>
  );
}

const PLACE_WORDS: Record<Place, string> = {
  level: "has all",
  behind: "behind",
  differs: "differs",
  unknown: "not known",
};
/** Shapes differ, so that colour is never needed to tell places apart. */
const PLACE_MARKS: Record<Place, string> = { level: "●", behind: "◐", differs: "✕", unknown: "○" };

function CellMark({ cell }: { cell: Cell }) {
  const dispatch = useDispatch();
  const applied = cell.applied === null ? "nothing known" : `txn ${count(cell.applied)}`;
  const digest =
    cell.digest === null ? "" : `; digest ${cell.digest.digest} after txn ${count(cell.digest.seqTxn)}`;
  const words = `${cell.name}: ${PLACE_WORDS[cell.place]}, ${applied} of ${count(cell.shipped)}${digest}`;
  return (
    <button
      type="button"
      class={`cell cell-${cell.place}`}
      title={words}
      aria-label={words}
      onClick={() => dispatch({ do: "table", dir: cell.dir })}
    >
      <span aria-hidden="true">{PLACE_MARKS[cell.place]}</span> {cell.name}
      {cell.place === "behind" && cell.applied !== null ? (
        <span class="quiet"> −{count(cell.shipped - cell.applied)}</span>
      ) : null}
    </button>
  );
}

function Terms({ cluster }: { cluster: Cluster }) {
  const time = (n: number) => cluster.objects[n - (cluster.objects[0]?.n ?? 0)]?.committedUs ?? null;
  return (
    <table class="plain">
      <caption>
        Terms: who wrote the log. Cluster <span class="mono">{cluster.id}</span>
        {cluster.beginsAt > 0
          ? `; read from number ${count(cluster.beginsAt)} on: what came before was not fetched, or is gone, and is in a snapshot`
          : ""}
      </caption>
      <thead>
        <tr>
          <th scope="col" class="num">
            Term
          </th>
          <th scope="col">Writer</th>
          <th scope="col" class="num">
            First
          </th>
          <th scope="col">Sealed</th>
        </tr>
      </thead>
      <tbody>
        {cluster.terms.map(({ term, writer, first, seal }) => {
          const us = seal === null ? null : time(seal);
          return (
            <tr key={term}>
              <th scope="row" class="num">
                {count(term)}
              </th>
              <td class="mono">{writer}</td>
              <td class="num">{count(first)}</td>
              <td>
                {seal === null
                  ? "not yet"
                  : `at ${count(seal)}${us === null ? "" : `, ${isoUs(us).replace("T", " ")}`}`}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
