/** The instances' own clock. */
import type { LabTold } from "../../../pkg/types.js";
import { parseIso, span } from "../../model/format.js";
import { type LabCommand, SPEEDS } from "../../model/lab/lab.js";
import { moment, plainSpan } from "../../model/lab/words.js";
import { Icon, type IconName } from "../bits.js";
import { useDispatch, useSnapshot } from "../hooks.js";

const HOUR = 3600e6;
const JUMPS: readonly (readonly [string, number])[] = [
  ["10 min", HOUR / 6],
  ["1 h", HOUR],
  ["6 h", 6 * HOUR],
  ["1 day", 24 * HOUR],
];

export function LabClock({ told }: { told: LabTold }) {
  const lab = useSnapshot((s) => s.state.lab);
  const dispatch = useDispatch();
  if (!lab) return null;
  const make = (command: LabCommand) => dispatch({ do: "lab", lab: command });
  const now = lab.us ?? told.nowUs;
  const next = told.nextUs === null ? null : Math.max(0, told.nextUs - now);
  return (
    <div class="lab-clock" role="group" aria-label="The instances’ clock">
      <Press icon="start" label="Back to the beginning" make={() => make({ do: "jump", us: null })} />
      <Press
        icon={lab.playing ? "pause" : "play"}
        label={lab.playing ? "Pause the clock" : "Play the clock"}
        keys="p"
        make={() => make({ do: "toggle" })}
      />
      <Press
        icon="nextEvent"
        label="To when something happens next"
        keys="n"
        make={() => make({ do: "due" })}
      />
      {JUMPS.map(([words, us]) => (
        <button
          key={words}
          type="button"
          class="button"
          title={`${words} on`}
          onClick={() => make({ do: "jump", us: now + us })}
        >
          <span class="button-words">+{words}</span>
        </button>
      ))}
      <label class="lab-field">
        <span>Clock speed</span>
        <select
          value={String(lab.speed)}
          onChange={(event) => make({ do: "speed", speed: Number(event.currentTarget.value) })}
        >
          {[...new Set([...SPEEDS, lab.speed])].map((speed) => (
            <option key={speed} value={String(speed)}>
              {speed === 1 ? "as it is" : `${plainSpan(speed * 1e6)} a second`}
            </option>
          ))}
        </select>
      </label>
      <label class="lab-field">
        <span>Now (UTC)</span>
        <input
          type="text"
          class="mono lab-now"
          value={moment(now)}
          aria-label="Now on the clock, UTC"
          onChange={(event) => {
            const us = parseIso(event.currentTarget.value);
            if (us !== null) make({ do: "jump", us });
            else event.currentTarget.value = moment(now);
          }}
        />
      </label>
      <span class="quiet">{next === null ? "nothing is planned" : `next thing in ${span(next)}`}</span>
    </div>
  );
}

function Press(props: { icon: IconName; label: string; keys?: string; make: () => void }) {
  const { icon, label, keys, make } = props;
  return (
    <button
      type="button"
      class="button"
      aria-label={label}
      aria-keyshortcuts={keys}
      title={keys ? `${label} (${keys.toUpperCase()})` : label}
      onClick={make}
    >
      <Icon name={icon} />
    </button>
  );
}
