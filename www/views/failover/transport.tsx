/** The clock: play, step, speed, and a slider over the run so far and beyond. */
import { LAB_COMMANDS, SPEEDS } from "../../model/failover/command.js";
import { seconds } from "../../model/failover/words.js";
import { useLab, useLabDispatch, useLabValue } from "./hooks.js";
import { Press } from "./parts.js";

const PAGE_US = 5_000_000;
/** The slider's end while the run is shorter. */
const SHOWN_US_MIN = 60_000_000;

export function Transport() {
  const playing = useLabValue((lab) => lab.state.playing);
  return (
    <div class="fo-transport" role="group" aria-label="Clock">
      <div class="fo-keys">
        <Press id="start" icon="start" />
        <Press id="previous-event" icon="previousEvent" />
        <Press id="previous" icon="previous" />
        <Press
          id="toggle"
          icon={playing ? "pause" : "play"}
          label={playing ? "Pause" : "Play"}
          class="primary"
        />
        <Press id="next" icon="next" />
        <Press id="next-event" icon="nextEvent" />
      </div>
      <Moment />
      <Slider />
      <Speed />
    </div>
  );
}

function Moment() {
  const lab = useLab();
  const us = useLabValue((it) => it.us, true);
  const step = useLabValue((it) => it.told?.step ?? 0, true);
  const behind = useLabValue((it) => !it.state.playing && it.behind);
  return (
    <output class="fo-moment mono" data-us={us} data-behind={behind || lab.error ? "" : undefined}>
      <b>{seconds(us)}</b> <span class="quiet">step {step}</span>
      {behind ? <span class="quiet"> replaying …</span> : null}
    </output>
  );
}

function Slider() {
  const dispatch = useLabDispatch();
  const us = useLabValue((lab) => lab.us, true);
  const furthest = useLabValue(
    (lab) => Math.max(SHOWN_US_MIN, lab.us, lab.scenario?.script?.at(-1)?.at_us ?? 0),
    true,
  );
  const end = Math.ceil(furthest / SHOWN_US_MIN) * SHOWN_US_MIN;
  return (
    <input
      class="fo-slider"
      type="range"
      min={0}
      max={end}
      step={1000}
      value={us}
      data-keys="own"
      aria-label="Moment of the run"
      aria-valuetext={seconds(us)}
      onChange={(event) => dispatch({ do: "to", us: Number(event.currentTarget.value) })}
      onKeyDown={(event) => {
        const by = { ArrowRight: 1e5, ArrowLeft: -1e5, PageUp: PAGE_US, PageDown: -PAGE_US }[event.key];
        if (by === undefined || event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        event.stopPropagation();
        dispatch({ do: "by", us: by });
      }}
    />
  );
}

function Speed() {
  const dispatch = useLabDispatch();
  const speed = useLabValue((lab) => lab.state.speed);
  const hint = LAB_COMMANDS.filter(({ id }) => id === "slower" || id === "faster").map(({ keys }) => keys[0]);
  return (
    <label class="fo-choice" title={`Slower and faster: ${hint.join(" ")}`}>
      <span>Speed</span>
      <select
        value={String(speed)}
        onChange={(event) => dispatch({ do: "speed", speed: Number(event.currentTarget.value) })}
      >
        {[...new Set([...SPEEDS, speed])]
          .sort((a, b) => a - b)
          .map((one) => (
            <option key={one} value={String(one)}>
              {one}×
            </option>
          ))}
      </select>
    </label>
  );
}
