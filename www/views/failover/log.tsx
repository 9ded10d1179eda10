/** What happened, the newest first. */
import { NOTABLE } from "../../model/failover/chronicle.js";
import { happeningWords, seconds } from "../../model/failover/words.js";
import { useState } from "preact/hooks";
import { useLabDispatch, useLabValue } from "./hooks.js";

const SHOWN = 60;

export function Log() {
  const chronicle = useLabValue((lab) => lab.chronicle);
  useLabValue((lab) => lab.chronicle.version, true);
  const dispatch = useLabDispatch();
  const [all, setAll] = useState(false);
  const among = all ? chronicle.log : chronicle.notable;
  const newest = among.slice(-SHOWN).reverse();
  return (
    <section class="fo-log" aria-label="What happened">
      <div class="section-head">
        <h2>What happened</h2>
        <label>
          <input type="checkbox" checked={all} onChange={(event) => setAll(event.currentTarget.checked)} />{" "}
          every message
        </label>
      </div>
      <div class="fo-log-list" tabIndex={0} role="region" aria-label="Events" data-keys="own">
        <ol>
          {newest.map((happening, i) => (
            <li
              key={`${happening.step} ${happening.kind} ${i}`}
              class={NOTABLE.has(happening.kind) ? "fo-notable" : ""}
            >
              <button
                type="button"
                class="linklike mono"
                title="Go there"
                onClick={() => dispatch({ do: "to", us: happening.at_us })}
              >
                {seconds(happening.at_us)}
              </button>{" "}
              {happeningWords(happening)}
            </li>
          ))}
        </ol>
      </div>
    </section>
  );
}
