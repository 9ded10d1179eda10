/** The sequencer's log as a list: every transaction, the current one marked. */
import { useEffect } from "preact/hooks";
import { clockOrNot, count, isoUs } from "../model/format.js";
import { kindOf } from "../model/kinds.js";
import { historyNow, tableNow } from "../model/state.js";
import { KindMark } from "./bits.js";
import { useDispatch, useSnapshot } from "./hooks.js";
import { useVirtual } from "./virtual.js";

const LINE_HEIGHT = 28;
const HEAD_HEIGHT = 30;

export function Log() {
  const dispatch = useDispatch();
  const history = useSnapshot((s) => historyNow(s.state));
  const txn = useSnapshot((s) => s.state.txn);
  const purged = useSnapshot((s) => tableNow(s.state)?.purged ?? NONE);
  const isBucket = useSnapshot((s) => Boolean(s.shown.cluster));
  const virtual = useVirtual(history?.kind.length ?? 0, LINE_HEIGHT, HEAD_HEIGHT);
  useEffect(() => {
    const line = txn - 1;
    const { lines } = virtual;
    if (line < virtual.top || line >= virtual.top + lines)
      virtual.reveal(Math.max(0, line - Math.floor(lines / 2)));
  }, [txn, history]);
  if (!history) return <p class="empty">Reading the log</p>;
  const lines = [];
  for (let i = virtual.first; i < virtual.first + virtual.count; i++) {
    const rows = history.rows[i] ?? -1;
    const us = history.commitUs[i] ?? Number.NaN;
    const kind = kindOf(history.kind[i]);
    const gone = purged.some(([from, to]) => i + 1 >= from && i + 1 <= to);
    lines.push(
      <tr
        key={i}
        class={i + 1 === txn ? "current" : ""}
        aria-rowindex={i + 2}
        aria-current={i + 1 === txn ? "true" : undefined}
      >
        <th scope="row" class="num">
          <button type="button" class="linklike" onClick={() => dispatch({ do: "toTxn", txn: i + 1 })}>
            {count(i + 1)}
          </button>
        </th>
        <td class="mono" title={isoUs(us)}>
          {clockOrNot(us)}
        </td>
        <td>
          <KindMark
            kind={kind}
            worded
            {...(kind === "unknown" && gone ? { words: isBucket ? "in the copy" : "rows purged" } : {})}
          />
        </td>
        <td class="num">{rows < 0 ? <span class="quiet">–</span> : count(rows)}</td>
      </tr>,
    );
  }
  return (
    <div
      class="grid grid-log"
      ref={virtual.scroller}
      tabIndex={0}
      role="region"
      data-keys="own"
      aria-label="The log"
      onScroll={virtual.onScroll}
    >
      <div class="grid-all" style={{ height: `${virtual.height + HEAD_HEIGHT}px` }}>
        <table aria-rowcount={history.kind.length + 1} style={{ top: `${virtual.offset}px` }}>
          <thead>
            <tr aria-rowindex={1}>
              <th scope="col" class="num">
                Txn
              </th>
              <th scope="col">Committed (UTC)</th>
              <th scope="col">What</th>
              <th scope="col" class="num">
                Rows
              </th>
            </tr>
          </thead>
          <tbody>{lines}</tbody>
        </table>
      </div>
    </div>
  );
}

const NONE: [number, number][] = [];
