/** Play, step, speed: the buttons above the timeline. */
import { SPEEDS, TXN_PER_SECOND } from "../model/command.js";
import { clock, count, day } from "../model/format.js";
import type { AxisKind } from "../model/link.js";
import { AXES } from "../model/link.js";
import { knownTimes } from "../model/history.js";
import { historyNow } from "../model/state.js";
import { CommandButton } from "../views/bits.js";
import { useDispatch, useSnapshot } from "../views/hooks.js";

export function Transport() {
  const playing = useSnapshot((s) => s.state.playing);
  return (
    <div class="transport" role="group" aria-label="Play">
      <div class="transport-keys">
        <CommandButton command={{ do: "start" }} label="Start" icon="start" keys="Home" class="edge" />
        <CommandButton
          command={{ do: "event", by: -1 }}
          label="Previous event"
          icon="previousEvent"
          keys="Control+ArrowLeft"
        />
        <CommandButton
          command={{ do: "step", by: -1 }}
          label="Previous transaction"
          icon="previous"
          keys="ArrowLeft"
        />
        <CommandButton
          command={playing === -1 ? { do: "pause" } : { do: "play", direction: -1 }}
          label={playing === -1 ? "Pause" : "Play in reverse"}
          icon={playing === -1 ? "pause" : "reverse"}
          keys="J"
          class="edge"
        />
        <CommandButton
          command={{ do: "toggle" }}
          label={playing === 0 ? "Play" : "Pause"}
          icon={playing === 0 ? "play" : "pause"}
          keys="Space"
          class="primary"
        />
        <CommandButton
          command={{ do: "step", by: 1 }}
          label="Next transaction"
          icon="next"
          keys="ArrowRight"
        />
        <CommandButton
          command={{ do: "event", by: 1 }}
          label="Next event"
          icon="nextEvent"
          keys="Control+ArrowRight"
        />
        <CommandButton command={{ do: "end" }} label="End" icon="end" keys="End" class="edge" />
        <Follow />
      </div>
      <Readout />
      <Fork />
      <Speed />
      <AxisChoice />
    </div>
  );
}

/** Only of a history that can be shown: the fork takes its rows along. */
function Fork() {
  const isThere = useSnapshot((s) => s.shown.table !== null);
  const reading = useSnapshot((s) => s.shown.fork?.error === null);
  if (!isThere) return null;
  return (
    <CommandButton
      command={{ do: "fork" }}
      label={reading ? "Forking …" : "Fork here"}
      icon="fork"
      keys="F"
      worded
      class="fork"
    />
  );
}

/** Of a server's database: the recording that comes with the page has an end for good. */
function Follow() {
  const { source, bundled } = useSnapshot((s) => s.opening);
  const live = useSnapshot((s) => s.state.live);
  if (bundled || source.kind !== "url") return null;
  return (
    <CommandButton
      command={{ do: "live", on: !live }}
      label="Follow a log that is still written"
      icon="live"
      pressed={live}
      class="edge"
    />
  );
}

function Readout() {
  const txn = useSnapshot((s) => s.state.txn);
  const us = useSnapshot((s) => s.state.us);
  const last = useSnapshot((s) => historyNow(s.state)?.kind.length ?? 0);
  return (
    <p class="readout">
      <span>
        txn <b>{count(txn)}</b> <span class="quiet">of {count(last)}</span>
      </span>
      <span>
        {us === null ? (
          <span class="quiet">{txn > 0 ? "time not known" : ""}</span>
        ) : (
          <>
            <span class="quiet readout-day">{day(us)}</span> <b>{clock(us)}</b> <span class="quiet">UTC</span>
          </>
        )}
      </span>
    </p>
  );
}

function Speed() {
  const dispatch = useDispatch();
  const speed = useSnapshot((s) => s.state.speed);
  const axis = useSnapshot((s) => s.state.axis);
  const all = (SPEEDS as readonly number[]).includes(speed)
    ? SPEEDS
    : [...SPEEDS, speed].sort((a, b) => a - b);
  return (
    <label class="speed">
      <span class="quiet" aria-hidden="true">
        Speed
      </span>
      <select
        aria-label="Speed"
        value={String(speed)}
        onChange={(event) => dispatch({ do: "speed", speed: Number(event.currentTarget.value) })}
      >
        {all.map((s) => (
          <option key={s} value={String(s)}>
            {s}×
          </option>
        ))}
      </select>
      <span class="quiet speed-rate">
        {axis === "time" ? "real time" : `${Number((speed * TXN_PER_SECOND).toPrecision(3))} txn/s`}
      </span>
    </label>
  );
}

const AXIS_WORDS: Record<AxisKind, [less: string, more: string]> = {
  txn: ["Txn", "Transaction"],
  time: ["Time", "Commit time"],
  op: ["Store", "Store operation"],
};

function AxisChoice() {
  const dispatch = useDispatch();
  const axis = useSnapshot((s) => s.state.axis);
  const hasTimes = useSnapshot((s) => {
    const history = historyNow(s.state);
    return history === null || history.kind.length === 0 || knownTimes(history).length > 0;
  });
  const hasOps = useSnapshot((s) => (historyNow(s.state)?.ops ?? null) !== null);
  return (
    <div class="switch" role="group" aria-label="Timeline by">
      {AXES.filter((kind) => (kind !== "op" || hasOps) && (kind !== "time" || hasTimes)).map((kind) => (
        <button
          key={kind}
          type="button"
          aria-pressed={axis === kind}
          onClick={() => dispatch({ do: "axis", axis: kind })}
        >
          <span class="less">{AXIS_WORDS[kind][0]}</span>
          <span class="more">{AXIS_WORDS[kind][1]}</span>
        </button>
      ))}
    </div>
  );
}
