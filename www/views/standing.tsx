/** What is not as it should be with the table on show: diverged, suspended, dropped, unreadable. */
import type { Problem } from "../../pkg/types.js";
import { count } from "../model/format.js";
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
  const mine = problems.filter((p) => p.table === null || p.table === table);
  if (mine.length === 0) return null;
  return (
    <details class="problems">
      <summary>
        {mine.length === 1 ? "1 remark" : `${mine.length} remarks`} on what was read
        {mine.some((p) => p.severity === "error") ? " (errors)" : ""}
      </summary>
      <ul>
        {mine.slice(0, 50).map((p) => (
          <li key={`${p.file}:${p.offset}:${p.message}`}>
            <b class={`severity severity-${p.severity}`}>{p.severity}</b> {p.message}
            {p.file === null ? null : (
              <span class="mono quiet">
                {" "}
                {p.file}
                {p.offset === null ? "" : ` @ ${count(p.offset)}`}
              </span>
            )}
            {p.advice === null ? null : <span class="advice"> {p.advice}</span>}
          </li>
        ))}
      </ul>
    </details>
  );
}

const NONE: Problem[] = [];
