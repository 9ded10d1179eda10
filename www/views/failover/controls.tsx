/** The bar of what can be done to the cluster at any moment, and what can be done to one instance. */
import type { LabCommand } from "../../model/failover/command.js";
import { span } from "../../model/format.js";
import {
  clientEnd,
  type End,
  nodeEnd,
  type NodeTold,
  numberOf,
  primaryOf,
  type Told,
} from "../../model/failover/told.js";
import { clientWords, faultName, nodeState, nodeWords } from "../../model/failover/words.js";
import { useLab, useLabDispatch, useLabValue, useTold } from "./hooks.js";
import { Give, Press } from "./parts.js";

const SLOW_US = 400_000;
const WINDOWS = [1, 2, 4, 8, 16] as const;
const INTERVALS_US = [50_000, 100_000, 250_000, 500_000, 1_000_000, 2_000_000] as const;

export function Controls() {
  const lab = useLab();
  const durable = useLabValue((it) => it.durable);
  const stored = useLabValue((it) => it.stored);
  const hasPrimary = useLabValue((it) => it.told !== null && primaryOf(it.told) !== null);
  const troubled = useLabValue((it) => (it.told?.troubles.length ?? 0) > 0);
  if (lab.told === null) return null;
  return (
    <div class="fo-controls" role="group" aria-label="Cluster">
      <Press id="kill-primary" worded label="Kill primary" class="fo-danger" disabled={!hasPrimary} />
      <Press id="freeze" worded label="Pause primary" disabled={!hasPrimary} />
      <Press id="cut" worded label="Cut primary off" disabled={!hasPrimary} />
      <Press id="heal" worded label="Heal" disabled={!troubled} />
      <Press id="promote" worded label="Promote now" class="primary" />
      <Press id="switch" worded label="Planned switch" />
      <Press id="add-node" worded label="+ replica" />
      <Press id="add-client" worded label="+ client" />
      <Press id="durable" worded label={`Durable ack ${durable ? "on" : "off"}`} pressed={durable} />
      <Press id="stored" worded label={`Store-and-forward ${stored ? "on" : "off"}`} pressed={stored} />
      <Settings />
      <Press id="fork" worded label="Fork here" />
    </div>
  );
}

/** Window and intervals: as they were set last. */
function Settings() {
  const dispatch = useLabDispatch();
  const lab = useLab();
  useLabValue((it) => it.state.scenario);
  const node = lab.scenario?.node;
  let [packs, poll, throttle] = [node?.window ?? 4, node?.poll_us ?? 250_000, node?.throttle_us ?? 250_000];
  for (const order of lab.state.scenario.script ?? []) {
    if (order.at_us > Math.max(1, lab.us)) break;
    if (order.do === "window") packs = order.packs;
    if (order.do === "intervals") [poll, throttle] = [order.poll_us, order.throttle_us];
  }
  const give = (command: LabCommand) => dispatch(command);
  return (
    <>
      <Choice
        label="Window"
        value={packs}
        values={WINDOWS}
        words={String}
        choose={(value) => give({ do: "give", order: { do: "window", packs: value } })}
      />
      <Choice
        label="Replicas ask every"
        value={poll}
        values={INTERVALS_US}
        words={span}
        choose={(value) =>
          give({ do: "give", order: { do: "intervals", poll_us: value, throttle_us: throttle } })
        }
      />
      <Choice
        label="A pack every"
        value={throttle}
        values={INTERVALS_US}
        words={span}
        choose={(value) =>
          give({ do: "give", order: { do: "intervals", poll_us: poll, throttle_us: value } })
        }
      />
    </>
  );
}

function Choice(props: {
  label: string;
  value: number;
  values: readonly number[];
  words: (value: number) => string;
  choose: (value: number) => void;
}) {
  const { label, value, values, words, choose } = props;
  const all = [...new Set([...values, value])].sort((a, b) => a - b);
  return (
    <label class="fo-choice">
      <span>{label}</span>
      <select value={String(value)} onChange={(event) => choose(Number(event.currentTarget.value))}>
        {all.map((one) => (
          <option key={one} value={String(one)}>
            {words(one)}
          </option>
        ))}
      </select>
    </label>
  );
}

/** The menu of the instance in focus. */
export function Focus() {
  const focus = useLabValue((lab) => lab.state.focus);
  const told = useTold(true);
  const dispatch = useLabDispatch();
  if (focus === null || !told) return null;
  return (
    <section class="fo-focus" aria-label={`Focus: ${focus}`}>
      <div class="section-head">
        <h2>{focus}</h2>
        <button type="button" class="button small" onClick={() => dispatch({ do: "focus", end: null })}>
          <span class="button-words">Let go</span>
        </button>
      </div>
      <p>{wordsOf(told, focus)}</p>
      <div class="fo-menu" role="group" aria-label={`What can be done to ${focus}`}>
        <Menu told={told} focus={focus} />
      </div>
    </section>
  );
}

function wordsOf(told: Told, focus: End): string {
  const node = told.nodes.find((one) => nodeEnd(one.node) === focus);
  const client = told.clients.find((one) => clientEnd(one.client) === focus);
  const faults = told.troubles.filter((one) => one.ends.includes(focus)).map((one) => faultName(one.fault));
  const hit = faults.length > 0 ? ` In force here: ${faults.join(", ")}.` : "";
  if (node)
    return `${nodeWords(node)}; term ${node.term}, promoted ${node.promotions} times, fenced ${node.fenced} times.${hit}`;
  if (client)
    return `${clientWords(client)}; asks for ${client.durable ? "durable acknowledgements" : "OK"}.${hit}`;
  return `${told.history} objects in the history, term ${told.term}; ${told.requests.puts} puts and ${told.requests.gets} gets so far.${hit}`;
}

function Menu({ told, focus }: { told: Told; focus: End }) {
  const node = told.nodes.find((one) => nodeEnd(one.node) === focus);
  const number = numberOf(focus);
  const slow = told.troubles.some((one) => one.fault === "delay" && one.ends.includes(focus));
  return (
    <>
      {node ? <NodeMenu node={node} /> : null}
      {focus.startsWith("client") && number !== null ? (
        <Give order={{ do: "kill-client", client: number }} label="Kill, and start again" />
      ) : null}
      <Give
        order={{ do: "slow", end: focus, extra_us: slow ? 0 : SLOW_US }}
        label={slow ? "Usual speed" : `Slower by ${span(SLOW_US)}`}
      />
      <Give order={{ do: "partition", ends: [focus] }} label="Cut off" />
      <Give order={{ do: "partition", ends: [focus], silent: true }} label="Cut off silently" />
      {node ? (
        <Give
          order={{ do: "partition", ends: ["bucket", ...othersOf(told, focus)] }}
          label="Cut off from the bucket"
        />
      ) : null}
      {told.troubles.length > 0 ? <Give order={{ do: "heal" }} label="Heal the network" /> : null}
    </>
  );
}

/** The other nodes: with the bucket they are one side of a cut, clients and this node the other. */
function othersOf(told: Told, focus: End): End[] {
  return told.nodes.map((one) => nodeEnd(one.node)).filter((end) => end !== focus);
}

function NodeMenu({ node }: { node: NodeTold }) {
  const { node: n } = node;
  const state = nodeState(node);
  if (state === "down") return <Give order={{ do: "start", node: n }} label="Start" primary />;
  return (
    <>
      <Give order={{ do: "kill", node: n }} label="Kill" />
      <Give order={{ do: "power-off", node: n }} label="Cut its power" />
      {node.paused ? (
        <Give order={{ do: "resume", node: n }} label="Resume" primary />
      ) : (
        <Give order={{ do: "pause", node: n }} label="Pause" />
      )}
      {node.role === "primary" ? null : (
        <>
          <Give order={{ do: "promote", node: n }} label="Promote now" />
          <Give order={{ do: "promote", node: n, planned: true }} label="Planned switch to it" />
        </>
      )}
    </>
  );
}
