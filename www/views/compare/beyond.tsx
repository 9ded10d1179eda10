/** Beyond the table's two states: where they began to differ, and the other tables. */
import { markKey } from "../../compare.js";
import { firstLogDifference } from "../../model/compare.js";
import { count, counted } from "../../model/format.js";
import type { TableMark } from "../../model/shown.js";
import { historyNow } from "../../model/state.js";
import { useDispatch, useSnapshot, useStage } from "../hooks.js";
import { Both, MarkWord } from "./marks.js";

/** Where the sides began to differ, as far as it is known. */
export function First() {
  const stage = useStage();
  const dispatch = useDispatch();
  const other = useSnapshot((s) => s.shown.other);
  const left = useSnapshot((s) => historyNow(s.state));
  if (!other?.second || !other.table) return null;
  const logs = left && other.history ? firstLogDifference(left, other.history) : null;
  const { found } = other;
  const go = (txn: number) => (
    <button type="button" class="linklike" onClick={() => dispatch({ do: "toTxn", txn })}>
      txn {count(txn)}
    </button>
  );
  return (
    <p class="first-difference">
      {logs === null ? "The logs tell the same of every transaction that both have. " : null}
      {logs === null ? null : <>The logs differ first at {go(logs)}. </>}
      {found?.is === "found" ? (
        <b>
          First differing content: {go(found.txn)}
          {found.partitions.length > 0 ? `, in ${found.partitions.slice(0, 5).join(", ")}` : ""}; up to txn{" "}
          {count(found.txn - 1)} equal.
        </b>
      ) : found?.is === "none" ? (
        `Equal after txn ${count(found.upTo)}.`
      ) : found?.is === "before" ? (
        `They differ after txn ${count(found.txn)} already, the first state that both can show.`
      ) : found?.is === "failed" ? (
        `The search stopped: ${found.message}.`
      ) : found?.is === "searching" ? (
        <span role="status">Looking for the first difference up to txn {count(found.upTo)} …</span>
      ) : (
        <button type="button" class="button small" onClick={() => void stage.comparison?.find()}>
          Find the first differing txn
        </button>
      )}
    </p>
  );
}

/** The other tables: compared when asked, as each has to be replayed twice. */
export function AllTables() {
  const stage = useStage();
  const marks = useSnapshot((s) => s.shown.other?.marks ?? null);
  const key = useSnapshot((s) => markKey(s.shown.table, s.shown.other));
  const tables = useSnapshot((s) => s.state.overview?.tables.length ?? 0);
  const ready = useSnapshot((s) => Boolean(s.shown.other?.table));
  if (!ready) return null;
  const fresh = marks !== null && marks.key === key;
  return (
    <>
      {fresh ? (
        <TableMarks tables={marks.tables} />
      ) : (
        <p>
          <button type="button" class="button small" onClick={() => void stage.comparison?.all()}>
            Compare all {counted(tables, "table")}
          </button>
        </p>
      )}
    </>
  );
}

function TableMarks({ tables }: { tables: TableMark[] }) {
  const dispatch = useDispatch();
  const differing = tables.filter(({ mark }) => mark !== "equal" && mark !== "unknown").length;
  return (
    <table class="plain table-marks">
      <caption>
        All tables: {differing === 0 ? "none differs" : `${counted(differing, "table")} not the same`}
      </caption>
      <thead>
        <tr>
          <th scope="col">Table</th>
          <th scope="col">Content</th>
          <th scope="col" class="num">
            After txn
          </th>
        </tr>
      </thead>
      <tbody>
        {tables.map(({ dir, name, left, right, mark }) => (
          <tr key={dir} class={`pair-${mark}`}>
            <th scope="row">
              {mark === "right" ? (
                name
              ) : (
                <button type="button" class="linklike" onClick={() => dispatch({ do: "table", dir })}>
                  {name}
                </button>
              )}
            </th>
            <td>
              <MarkWord mark={mark} />
            </td>
            <Both
              left={left === null ? null : count(left)}
              right={right === null ? null : count(right)}
              numeric
            />
          </tr>
        ))}
      </tbody>
    </table>
  );
}
