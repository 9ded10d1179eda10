/** A fork of a real history: what really happened behind the moment, beside what happens here. */
import { useMemo } from "preact/hooks";
import {
  allWritten,
  FORK_US,
  type Fork,
  type RealTable,
  spanShown,
  writtenBy,
} from "../../model/failover/fork.js";
import type { TableTold } from "../../model/failover/told.js";
import { seconds } from "../../model/failover/words.js";
import { count, counted, span } from "../../model/format.js";
import { useLab, useLabValue, useTold } from "./hooks.js";

const WIDTH = 600;
const HEIGHT = 96;

type Line = readonly (readonly [us: number, written: number])[];

export function Beside() {
  const lab = useLab();
  const told = useTold(true);
  const fork = useLabValue((it) => it.forked.fork);
  const us = useLabValue((it) => it.us, true);
  if (!fork || !told?.tables) return null;
  const elapsed = Math.max(0, us - FORK_US);
  return (
    <section class="fo-beside" aria-label="Two branches">
      <div class="section-head">
        <h2>Two branches</h2>
        <a class="button small" href={`#${fork.from}`}>
          <span class="button-words">To the moment in the replay</span>
        </a>
      </div>
      <p>
        {fork.begin.of}.{" "}
        {us < FORK_US
          ? `The real history ends at ${seconds(FORK_US, 0)} of the run; before that a cluster is founded over its rows.`
          : `${seconds(elapsed, 1)} later:`}
      </p>
      <Both fork={fork} elapsed={elapsed} />
      <table class="plain fo-table">
        <caption>Rows written from the moment on</caption>
        <thead>
          <tr>
            <th scope="col">Table</th>
            <th scope="col" class="num">
              At the moment
            </th>
            <th scope="col" class="num">
              Really by then
            </th>
            <th scope="col" class="num">
              Really in all
            </th>
            <th scope="col" class="num">
              Here
            </th>
          </tr>
        </thead>
        <tbody>
          {told.tables.map((table, i) => {
            const real = fork.real[i];
            return real ? (
              <Row
                key={table.name}
                table={table}
                real={real}
                elapsed={elapsed}
                same={lab.forked.same.get(table.name)}
              />
            ) : null;
          })}
        </tbody>
      </table>
      {fork.rate > 0 ? (
        <p class="quiet">
          {counted(Math.round(fork.rate), "row")} a second were written before the moment; clients make about
          as many, like the newest rows of these tables.
        </p>
      ) : null}
      {fork.cut.map((words) => (
        <p key={words} class="quiet">
          {words}.
        </p>
      ))}
    </section>
  );
}

function Row(props: { table: TableTold; real: RealTable; elapsed: number; same: boolean | undefined }) {
  const { table, real, elapsed, same } = props;
  const gone = table.began - table.rows;
  const then = writtenBy(real.points, elapsed);
  const words = [
    ...(same === true ? ["the very rows of the replay, by their digest"] : []),
    ...(same === false && gone > 0 && table.written === 0
      ? [`${counted(gone, "row")} less: upsert keys that were set later than these were written`]
      : same === false
        ? ["not all values are those of the replay: its digest is another"]
        : []),
    ...real.cut,
  ];
  return (
    <tr data-table={table.name} data-same={same}>
      <th scope="row">
        {table.name}
        {words.length > 0 ? <span class="fo-same">{words.join("; ")}</span> : null}
      </th>
      <td class="num" data-began={table.began}>
        {count(table.began)}
      </td>
      <td class="num" data-really={then}>
        {count(then)}
      </td>
      <td class="num" data-end-written={real.written} title={counted(real.last - real.txn, "transaction")}>
        {count(real.written)}
      </td>
      <td class="num" data-written={table.written}>
        {count(table.written)}
      </td>
    </tr>
  );
}

/** Rows over time: the real branch, this run, and runs that were left. */
function Both({ fork, elapsed }: { fork: Fork; elapsed: number }) {
  const chronicle = useLabValue((lab) => lab.chronicle);
  const branches = useLabValue((lab) => lab.state.branches);
  const real = useMemo(() => allWritten(fork.real), [fork]);
  const shown = spanShown(elapsed);
  const here = since(chronicle.growth);
  const left = branches.map((branch) => since(branch.chronicle.growth));
  const most = Math.max(1, writtenBy(real, shown), ...[here, ...left].map((line) => line.at(-1)?.[1] ?? 0));
  const draw = (line: Line, until: number, steps = false) => pathOf(line, { shown, most, until, steps });
  const then = writtenBy(real, elapsed);
  const now = here.at(-1)?.[1] ?? 0;
  const words = `${span(elapsed)} after the moment ${counted(then, "row")} were really written, and ${count(now)} here`;
  return (
    <figure class="fo-both">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={words}>
        {left.map((line, i) => (
          <path key={i} class="fo-both-left" d={draw(line, line.at(-1)?.[0] ?? 0)} />
        ))}
        <path class="fo-both-real" d={draw(real, shown, true)} />
        <path class="fo-both-here" d={draw(here, elapsed)} />
        <line x1={(elapsed / shown) * WIDTH} x2={(elapsed / shown) * WIDTH} y1={0} y2={HEIGHT} />
      </svg>
      <figcaption>
        <span class="fo-key-real">really</span> <span class="fo-key-here">here</span>{" "}
        {left.length > 0 ? <span class="fo-key-left">runs that were left</span> : null}
        <span class="quiet">
          {" "}
          Rows written in {span(shown)}, up to {count(most)}
        </span>
      </figcaption>
    </figure>
  );
}

function since(growth: Line): Line {
  return growth.map(([us, written]) => [us - FORK_US, written] as const).filter(([us]) => us >= 0);
}

/** Of the real branch each commit is known; of a run how it stood when it was looked at. */
function pathOf(line: Line, view: { shown: number; most: number; until: number; steps: boolean }): string {
  const { shown, most, until, steps } = view;
  const x = (us: number) => ((Math.min(us, shown) / shown) * WIDTH).toFixed(1);
  const y = (written: number) => (HEIGHT - 2 - (written / most) * (HEIGHT - 6)).toFixed(1);
  let d = `M0 ${y(0)}`;
  for (const [us, written] of line) {
    if (us > Math.min(shown, until)) break;
    d += steps ? `H${x(us)}V${y(written)}` : `L${x(us)} ${y(written)}`;
  }
  return `${d}H${x(until)}`;
}
