/** What a cluster's instances have of the table at the moment under the playhead, by their own journals, as the same bricks. */
import type { Lane, Moment } from "../../model/cluster/moment.js";
import { type Form, FORM_WORDS, type Part } from "../../model/cluster/stored.js";
import { counted, size } from "../../model/format.js";
import { policyAt, stepsAt } from "../../model/cluster/policies.js";
import { moment as instant, shortName } from "../../model/lab/words.js";
import { FORM_SIGNS } from "../cluster/parts.js";
import { useDispatch, useSnapshot } from "../hooks.js";

/** Partitions that are drawn, the newest ones. */
const SHOWN_MAX = 80;

export function RealLanes({ moment }: { moment: Moment }) {
  const dir = useSnapshot((s) => s.state.table);
  const name = useSnapshot((s) => s.shown.table?.name ?? "the table");
  const lanes = moment.lanes.map((lane) => ({
    lane,
    parts: (lane.cells.find((cell) => cell.dir === dir)?.parts ?? []).slice(-SHOWN_MAX),
  }));
  const most = Math.max(1, ...lanes.flatMap(({ parts }) => parts.map(({ bytes }) => bytes)));
  if (lanes.every(({ parts }) => parts.length === 0)) return null;
  return (
    <section class="lab-lanes" aria-label="Instances of the cluster">
      <h3>The cluster’s instances, as their journals tell of {name} at this moment</h3>
      <RealPolicy us={moment.us} />
      {lanes.map(({ lane, parts }) => (
        <RealLane key={lane.node} lane={lane} parts={parts} most={most} />
      ))}
    </section>
  );
}

const STEPS_MAX = 50;
const STATUS_WORDS: Record<string, string> = { A: "active", D: "disabled" };

/** The policy that was in the log, and what came of it. */
function RealPolicy({ us }: { us: number }) {
  const cluster = useSnapshot((s) => s.shown.cluster ?? null);
  const dir = useSnapshot((s) => s.state.table) ?? "";
  if (!cluster) return null;
  const policy = policyAt(cluster, dir, us);
  const steps = stepsAt(cluster, dir, us, STEPS_MAX);
  return (
    <>
      <p>
        {policy ? (
          <>
            Storage policy <span class="mono">{policy.policy}</span>,{" "}
            {policy.ttl === null
              ? (STATUS_WORDS[policy.status] ?? policy.status)
              : `suspended by the table’s TTL of ${policy.ttl}`}
            .
          </>
        ) : (
          "No instance has told of a storage policy of this table."
        )}
      </p>
      {steps.length === 0 ? null : (
        <details class="lab-events">
          <summary>What the instances did about it</summary>
          <ul>
            {steps.map((step, i) => (
              <li key={i}>
                <span class="mono">{instant(step.atUs)}</span> {step.instance}
                {step.partition === null ? "" : `, ${step.partition}`}: {step.text}
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

function RealLane({ lane, parts, most }: { lane: Lane; parts: Part[]; most: number }) {
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
  return (
    <article
      class="lab-lane"
      aria-label={`${lane.name}: ${counted(parts.length, "partition")}, ${size(bytes)}`}
    >
      <header>
        <b>{lane.name}</b>{" "}
        <span class="quiet">
          {lane.role}, {parts.length === 0 ? "nothing told of this table" : size(bytes)}
        </span>
      </header>
      <div
        class="lab-scroll"
        tabIndex={0}
        role="group"
        data-keys="own"
        aria-label={`Partitions on ${lane.name}`}
      >
        <div class="lab-row">
          {parts.map((part) => (
            <RealBrick key={part.name} part={part} most={most} />
          ))}
        </div>
      </div>
    </article>
  );
}

function words(part: Part): string {
  const rows = part.form === "dropped" ? "" : `, ${counted(part.rows, "row")}, ${size(part.bytes)}`;
  return `${part.name}: ${FORM_WORDS[part.form]}${rows}${part.hash === "differs" ? ", differs from others’" : ""}`;
}

const CLASS_OF: Record<Form, string> = {
  native: "native",
  converting: "converting",
  parquet: "parquet",
  remote: "remote",
  dropped: "dropped",
  unknown: "native",
};

function RealBrick({ part, most }: { part: Part; most: number }) {
  const dispatch = useDispatch();
  const said = words(part);
  return (
    <button
      type="button"
      class={`lab-brick lab-brick-${CLASS_OF[part.form]} ${part.hash === "differs" ? "lab-brick-differs" : ""}`}
      title={said}
      onClick={() => dispatch({ do: "select", partition: part.name })}
    >
      <span class="sr">{said}</span>
      <span
        class="lab-fill"
        style={{ height: `${Math.round((100 * part.bytes) / most)}%` }}
        aria-hidden="true"
      />
      <span class="lab-sign" aria-hidden="true">
        <span class="lab-name">{shortName(part.name)}</span> {FORM_SIGNS[part.form]}
        {part.hash === "differs" ? "≠" : ""}
      </span>
      <span class="lab-bytes" aria-hidden="true">
        {part.bytes > 0 ? size(part.bytes) : ""}
      </span>
    </button>
  );
}
