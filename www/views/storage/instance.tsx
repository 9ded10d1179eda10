/** An instance's own settings. */
import type { LabInstance, LabLane } from "../../../pkg/types.js";
import { size } from "../../model/format.js";
import { plainSpan } from "../../model/lab/words.js";
import { useDispatch, useSnapshot } from "../hooks.js";

const SECOND = 1e6;
const CHECKS = [10, 60, 300, 900, 3600, 6 * 3600, 86_400];
const WORKERS = [0, 1, 2, 4, 8];
const RATES = [1e3, 1e4, 1e5, 1e6, 1e7, 5e7, 5e8];
const SKEWS = [-86_400, -3600, -60, 0, 60, 3600, 86_400];

export function InstanceForm(props: { index: number; settings: LabInstance; lane: LabLane; nowUs: number }) {
  const { index, settings, lane, nowUs } = props;
  const dispatch = useDispatch();
  const alone = useSnapshot((s) => s.state.lab?.instances.length === 1);
  const change = (instance: Partial<LabInstance>) =>
    dispatch({ do: "lab", lab: { do: "change", index, instance } });
  const skew = (us: number) =>
    us === 0 ? "right" : `${plainSpan(Math.abs(us))} ${us > 0 ? "ahead" : "behind"}`;
  return (
    <span class="lab-settings" role="group" aria-label={`Settings of ${settings.name}`}>
      <Choice
        words="Check every"
        value={settings.checkIntervalUs / SECOND}
        among={CHECKS}
        say={(s) => plainSpan(s * SECOND)}
        take={(s) => change({ checkIntervalUs: s * SECOND })}
      />
      <Choice
        words="Workers"
        value={settings.workers}
        among={WORKERS}
        say={(n) => (n === 0 ? "0 (off)" : String(n))}
        take={(workers) => change({ workers })}
      />
      <Choice
        words="Converts"
        value={settings.convertBytesPerS}
        among={RATES}
        say={(n) => `${size(n)}/s`}
        take={(convertBytesPerS) => change({ convertBytesPerS })}
      />
      <Choice
        words="Uploads"
        value={settings.uploadBytesPerS}
        among={RATES}
        say={(n) => `${size(n)}/s`}
        take={(uploadBytesPerS) => change({ uploadBytesPerS })}
      />
      <Choice
        words="Clock"
        value={settings.skewUs / SECOND}
        among={SKEWS}
        say={(s) => skew(s * SECOND)}
        take={(s) => change({ skewUs: s * SECOND })}
      />
      <button
        type="button"
        class="button"
        onClick={() => dispatch({ do: "lab", lab: { do: "stop", index, us: nowUs } })}
      >
        <span class="button-words">{lane.paused ? "Go on" : "Stop"}</span>
      </button>
      <button
        type="button"
        class="button"
        disabled={alone}
        onClick={() => dispatch({ do: "lab", lab: { do: "remove", index } })}
      >
        <span class="button-words">Remove</span>
      </button>
    </span>
  );
}

function Choice(props: {
  words: string;
  value: number;
  among: readonly number[];
  say: (n: number) => string;
  take: (n: number) => void;
}) {
  const { words, value, among, say, take } = props;
  const all = [...new Set([...among, value])].sort((a, b) => a - b);
  return (
    <label class="lab-field">
      <span>{words}</span>
      <select value={String(value)} onChange={(event) => take(Number(event.currentTarget.value))}>
        {all.map((n) => (
          <option key={n} value={String(n)}>
            {say(n)}
          </option>
        ))}
      </select>
    </label>
  );
}
