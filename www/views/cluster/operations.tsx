/** What was put into the bucket, in order: packs and seals, each with what it did. */
import { useState } from "preact/hooks";
import type { Cluster, LogObject, TableNews } from "../../../pkg/types.js";
import type { Command } from "../../model/command.js";
import { clock, count, counted, isoUs, size } from "../../model/format.js";
import { upperBound } from "../../model/history.js";
import { useDispatch, useSnapshot } from "../hooks.js";

/** Lines in sight around the moment. */
const LINES = 24;

export function Operations({ cluster, us }: { cluster: Cluster; us: number }) {
  const dispatch = useDispatch();
  const current = useSnapshot((s) => s.state.table);
  const names = useSnapshot((s) => s.state.overview);
  const [shift, setShift] = useState(0);
  const { objects } = cluster;
  const here = upperBound(timesOf(cluster), us) - 1;
  const first = Math.max(0, Math.min(objects.length - LINES, here - LINES / 2 + shift));
  const nameOf = (dir: string) => names?.tables.find((t) => t.dir === dir)?.name ?? dir;
  return (
    <section class="operations" aria-label="Store operations">
      <div class="section-head">
        <h3>Store operations</h3>
        <span>
          <button type="button" class="button" disabled={first === 0} onClick={() => setShift(shift - LINES)}>
            Earlier
          </button>
          <button type="button" class="button" disabled={shift === 0} onClick={() => setShift(0)}>
            At the playhead
          </button>
          <button
            type="button"
            class="button"
            disabled={first + LINES >= objects.length}
            onClick={() => setShift(shift + LINES)}
          >
            Later
          </button>
        </span>
      </div>
      <table class="plain">
        <thead>
          <tr>
            <th scope="col" class="num">
              Number
            </th>
            <th scope="col">Put (UTC)</th>
            <th scope="col">What</th>
            <th scope="col" class="num">
              Bytes
            </th>
          </tr>
        </thead>
        <tbody>
          {objects.slice(first, first + LINES).map((object, i) => (
            <tr
              key={object.n}
              class={first + i === here ? "changed" : ""}
              aria-current={first + i === here ? "true" : undefined}
            >
              <th scope="row" class="num">
                <button
                  type="button"
                  class="linklike"
                  onClick={() => {
                    setShift(0);
                    dispatch(commandOf(object, current));
                  }}
                >
                  {count(object.n)}
                </button>
              </th>
              <td class="mono" title={isoUs(object.committedUs)}>
                {clock(object.committedUs)}
              </td>
              <td>{whatOf(object, nameOf)}</td>
              <td class="num">
                {size(object.bytes)}
                {object.blobs > 0 ? ` + ${size(object.blobBytes)} in ${counted(object.blobs, "blob")}` : ""}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** To what it brought of the table on show, or to its time. */
function commandOf(object: LogObject, current: string | null): Command {
  const mine = object.tables.findLast((news) => news.dir === current && news.what === "transactions");
  return mine && "last" in mine ? { do: "toTxn", txn: mine.last } : { do: "toTime", us: object.committedUs };
}

function whatOf(object: LogObject, nameOf: (dir: string) => string): string {
  if (object.seal !== null) return `Seal: term ${object.term} ends, writer ${object.seal} goes on`;
  const all = object.tables.map((news) => `${nameOf(news.dir)} ${newsWords(news)}`);
  if (object.handover !== null) all.push(`handover to ${object.handover}`);
  return all.length === 0 ? "nothing: the primary is there" : all.join("; ");
}

function newsWords(news: TableNews): string {
  switch (news.what) {
    case "transactions":
      return news.first === news.last
        ? `txn ${count(news.first)}`
        : `txn ${count(news.first)} to ${count(news.last)}`;
    case "created":
      return "created";
    case "renamed":
      return `renamed to ${news.to}`;
    case "dropped":
      return "dropped";
    case "base":
      return `from a copy as of txn ${count(news.last)}: ${news.why}`;
    case "digests":
      return counted(news.digests.length, "digest");
  }
}

const times = new WeakMap<LogObject[], Float64Array>();

/** When each object was put, never going back. */
function timesOf({ objects }: Cluster): Float64Array {
  let made = times.get(objects);
  if (!made) {
    let latest = -Infinity;
    made = Float64Array.from(objects, (object) => (latest = Math.max(latest, object.committedUs)));
    times.set(objects, made);
  }
  return made;
}
