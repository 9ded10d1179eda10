/** The policy: its text with the parser's error at its place, presets, and whether it is in force. */
import { useEffect, useState } from "preact/hooks";
import type { LabChecked, LabPolicyStep, LabTold } from "../../../pkg/types.js";
import { presetsFor, STATUS_WORDS } from "../../model/lab/words.js";
import { useDispatch, useSnapshot, useStage } from "../hooks.js";

export function PolicyEditor({ told }: { told: LabTold }) {
  const stage = useStage();
  const dispatch = useDispatch();
  const us = useSnapshot((s) => s.state.lab?.us ?? null);
  const unit = useSnapshot(
    (s) => s.state.overview?.tables.find((t) => t.dir === s.state.lab?.table)?.partitionBy ?? "",
  );
  const [text, setText] = useState(told.policy ?? "");
  const [checked, setChecked] = useState<LabChecked | null>(null);
  useEffect(() => setText(told.policy ?? ""), [told.policy]);
  const change = (change: LabPolicyStep["change"]) =>
    dispatch({ do: "lab", lab: { do: "policy", change, us } });
  const edit = (stages: string) => {
    setText(stages);
    setChecked(null);
    if (stages.trim() === "") return;
    void stage.lab?.check(stages).then(setChecked);
  };
  const error = checked && "error" in checked ? checked : null;
  const set = (stages: string) => change({ do: "set", stages });
  return (
    <section class="lab-policy" aria-label="Storage policy">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (text.trim() !== "" && !error) set(text.trim());
        }}
      >
        <label class="lab-field lab-stages">
          <span>Storage policy</span>
          <input
            type="text"
            class="mono"
            value={text}
            spellcheck={false}
            autocomplete="off"
            placeholder="TO PARQUET 3d, DROP LOCAL 1M"
            aria-invalid={error !== null}
            aria-describedby="lab-policy-error"
            onInput={(event) => edit(event.currentTarget.value)}
          />
        </label>
        <button type="submit" class="button" disabled={error !== null || text.trim() === ""}>
          <span class="button-words">Set now</span>
        </button>
        {told.status === "disabled" ? (
          <Plain words="Enable" make={() => change({ do: "enable" })} />
        ) : (
          <Plain words="Disable" off={told.policy === null} make={() => change({ do: "disable" })} />
        )}
        <Plain words="Remove" off={told.policy === null} make={() => change({ do: "drop" })} />
        <span class={`lab-status lab-status-${told.status}`}>{STATUS_WORDS[told.status]}</span>
      </form>
      <p id="lab-policy-error" class="lab-error" role="status">
        {error ? <Pointed text={text} error={error} /> : told.refused ? `Refused: ${told.refused}` : ""}
      </p>
      <p class="lab-presets">
        <span class="quiet">Try</span>
        {presetsFor(unit).map((stages) => (
          <button key={stages} type="button" class="linklike mono" onClick={() => set(stages)}>
            {stages}
          </button>
        ))}
      </p>
    </section>
  );
}

/** The text up to the place, so that the caret stands below it. */
function Pointed({ text, error }: { text: string; error: { error: string; position: number } }) {
  return (
    <>
      <span class="mono lab-pointed" aria-hidden="true">
        {text}
        {"\n"}
        {" ".repeat(Math.min(error.position, text.length))}^
      </span>
      <span>
        At character {error.position + 1}: {error.error}
      </span>
    </>
  );
}

function Plain({ words, off = false, make }: { words: string; off?: boolean; make: () => void }) {
  return (
    <button type="button" class="button" disabled={off} onClick={make}>
      <span class="button-words">{words}</span>
    </button>
  );
}
