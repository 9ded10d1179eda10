/** What is not as it should be with the table on show: diverged, suspended, dropped, unreadable. */
import type { Problem } from "../../pkg/types.js";
import { count, counted } from "../model/format.js";
import { tableNow } from "../model/state.js";
import { useDispatch, useSnapshot } from "./hooks.js";

export function StandingBar() {
  const dispatch = useDispatch();
  const standing = useSnapshot((s) => s.shown.table?.standing ?? null);
  const failed = useSnapshot((s) => s.shown.failed);
  const table = useSnapshot((s) => s.state.table);
  if (failed && failed.dir === table) {
    const { error } = failed;
    const where = error.file
      ? ` (${error.file}${error.offset === undefined ? "" : `, offset ${count(error.offset)}`})`
      : "";
    return (
      <p class="bar bar-bad" role="alert">
        <b>
          {failed.txn === null
            ? "This table’s log can’t be read"
            : `Transaction ${count(failed.txn)} can’t be shown`}
          :
        </b>{" "}
        {error.message}
        {where}. Other tables go on.
      </p>
    );
  }
  if (standing?.state === "diverged") {
    return (
      <p class="bar bar-bad" role="status">
        <b>
          Diverged at{" "}
          <button
            type="button"
            class="linklike"
            onClick={() => dispatch({ do: "toTxn", txn: standing.seqTxn })}
          >
            txn {count(standing.seqTxn)}
          </button>
          :
        </b>{" "}
        {standing.reason}. <code>{standing.statement}</code>
      </p>
    );
  }
  if (standing?.state === "suspended") {
    return (
      <p class="bar bar-bad" role="status">
        <b>Suspended at txn {count(standing.seqTxn)}, as the server is:</b> {standing.reason}
      </p>
    );
  }
  if (standing?.state === "dropped") {
    return (
      <p class="bar" role="status">
        The table was dropped at txn {count(standing.seqTxn)}.
      </p>
    );
  }
  return null;
}

/** Problems found while opening, those of the table on show first. */
export function Problems() {
  const problems = useSnapshot((s) => s.state.overview?.problems ?? NONE);
  const table = useSnapshot((s) => s.state.table);
  const name = useSnapshot((s) => tableNow(s.state)?.name);
  const mine = problems
    .filter((p) => p.table === null || p.table === table || p.table === name)
    .sort((a, b) => Number(a.table === null) - Number(b.table === null) || rank(a) - rank(b));
  const [first, ...others] = mine;
  if (!first) return null;
  return (
    <div class="problems">
      <ul>
        <Remark problem={first} />
      </ul>
      {others.length === 0 ? null : (
        <details>
          <summary>
            {counted(others.length, "more remark")} on what was read
            {others.some((p) => p.severity === "error") ? " (errors among them)" : ""}
          </summary>
          <ul class="problems-more">
            {others.slice(0, REMARKS_MAX).map((p) => (
              <Remark key={`${p.file}:${p.offset}:${p.message}`} problem={p} />
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}

function Remark({ problem: p }: { problem: Problem }) {
  return (
    <li>
      <b class={`severity severity-${p.severity}`}>{SEVERITY_WORDS[p.severity]}:</b> {p.message}
      {p.file === null ? null : (
        <span class="mono quiet">
          {" "}
          {p.file}
          {p.offset === null ? "" : `, offset ${count(p.offset)}`}
        </span>
      )}
      {p.advice === null ? null : <span class="advice">. {sentence(p.advice)}.</span>}
    </li>
  );
}

const SEVERITY_WORDS: Record<Problem["severity"], string> = {
  note: "Note",
  warning: "Warning",
  error: "Error",
};
/** The gravest first. */
function rank(problem: Problem): number {
  return ["error", "warning", "note"].indexOf(problem.severity);
}

const REMARKS_MAX = 50;
const NONE: Problem[] = [];

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1).replace(/\.$/, "");
}
