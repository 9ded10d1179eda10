/** Partitions as each instance stores them: a strip of cells in its lane, and a table of all of one table's. */
import type { Moment } from "../../model/cluster/moment.js";
import { type Form, FORM_WORDS, type Part } from "../../model/cluster/stored.js";
import { count, counted, size } from "../../model/format.js";
import { useDispatch, useSnapshot } from "../hooks.js";

/** Cells in a strip at most, the newest ones. */
const CELLS_MAX = 60;
/** Lines of the table at most: those that differ, then the newest. */
const LINES_MAX = 200;

/** Letters, so that colour is never needed to tell forms apart. */
export const FORM_SIGNS: Record<Form, string> = {
  native: "N",
  converting: "C",
  parquet: "P",
  remote: "R",
  dropped: "×",
  unknown: "?",
};
const HASH_WORDS: Record<Part["hash"], string> = {
  equal: "equal to others’",
  differs: "differs from others’",
  unknown: "nobody to compare with",
};
const HASH_SIGNS: Record<Part["hash"], string> = { equal: "=", differs: "≠", unknown: "" };

/** The partitions of one table on one instance. */
export function Strip({ table, parts }: { table: string; parts: Part[] }) {
  if (parts.length === 0) return null;
  const shown = parts.slice(-CELLS_MAX);
  const differing = parts.filter((part) => part.hash === "differs").length;
  const words = `${table}: ${counted(parts.length, "partition")}, ${formsOf(parts)}; ${differing === 0 ? "none differs" : `${count(differing)} differ`}`;
  return (
    <span class="strip" role="img" aria-label={words} title={words}>
      {parts.length > shown.length ? <span class="quiet">+{count(parts.length - shown.length)} </span> : null}
      {shown.map((part) => (
        <i key={part.name} class={`part part-${part.form} part-is-${part.hash}`} title={partWords(part)}>
          {FORM_SIGNS[part.form]}
          {part.hash === "differs" ? "≠" : ""}
        </i>
      ))}
    </span>
  );
}

function formsOf(parts: Part[]): string {
  const forms = new Map<Form, number>();
  for (const { form } of parts) forms.set(form, (forms.get(form) ?? 0) + 1);
  return [...forms].map(([form, n]) => `${count(n)} ${FORM_WORDS[form]}`).join(", ");
}

function partWords(part: Part): string {
  const digest = part.digest === null ? "digest not known" : `digest ${part.digest}`;
  return `${part.name}: ${FORM_WORDS[part.form]}, ${counted(part.rows, "row")}, ${size(part.bytes)}, ${digest}, ${HASH_WORDS[part.hash]}, since txn ${count(part.since)}`;
}

/** A line for each partition of the table on show, a column for each instance. */
export function StoredPartitions({ moment }: { moment: Moment }) {
  const dispatch = useDispatch();
  const dir = useSnapshot((s) => s.state.table);
  const name = useSnapshot((s) => s.shown.table?.name ?? "the table");
  const lanes = moment.lanes.map((lane) => {
    const parts = lane.cells.find((cell) => cell.dir === dir)?.parts ?? [];
    return { lane, parts: new Map(parts.map((part) => [part.name, part])) };
  });
  const names = [...new Set(lanes.flatMap(({ parts }) => [...parts.keys()]))].sort();
  if (names.length === 0) return null;
  const differs = (name: string) => lanes.some(({ parts }) => parts.get(name)?.hash === "differs");
  const odd = names.filter(differs);
  const others = names.filter((name) => !differs(name));
  const shown = [...odd, ...others.slice(Math.max(0, others.length - LINES_MAX))].slice(0, LINES_MAX);
  return (
    <table class="plain stored">
      <caption>
        Partitions of {name} as each instance stores them (N native, P Parquet, R remote, × dropped; = equal,
        ≠ not equal at the same transaction)
      </caption>
      <thead>
        <tr>
          <th scope="col">Partition</th>
          {lanes.map(({ lane }) => (
            <th scope="col" key={lane.node}>
              {lane.name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {shown.map((name) => (
          <tr key={name}>
            <th scope="row">
              <button
                type="button"
                class="linklike"
                onClick={() => dispatch({ do: "select", partition: name })}
              >
                {name}
              </button>
            </th>
            {lanes.map(({ lane, parts }) => (
              <td key={lane.node}>
                <PartWords part={parts.get(name)} />
              </td>
            ))}
          </tr>
        ))}
      </tbody>
      {names.length > shown.length ? (
        <tfoot>
          <tr>
            <td colSpan={lanes.length + 1}>
              {counted(names.length - shown.length, "more partition")} not listed
            </td>
          </tr>
        </tfoot>
      ) : null}
    </table>
  );
}

function PartWords({ part }: { part: Part | undefined }) {
  if (!part) return <span class="quiet">nothing told</span>;
  return (
    <span title={partWords(part)}>
      <i class={`part part-${part.form} part-is-${part.hash}`} aria-hidden="true">
        {FORM_SIGNS[part.form]}
      </i>{" "}
      {FORM_WORDS[part.form]}
      {part.form === "dropped" ? null : (
        <>
          {" "}
          <span class="quiet">
            {counted(part.rows, "row")}, {size(part.bytes)}
          </span>{" "}
          <b class={part.hash === "differs" ? "mark-differs" : "mark-equal"}>
            <span aria-hidden="true">{HASH_SIGNS[part.hash]}</span>
            <span class="sr">{HASH_WORDS[part.hash]}</span>
          </b>{" "}
          <span class="mono">{part.digest?.slice(0, 8) ?? ""}</span>
        </>
      )}
    </span>
  );
}
