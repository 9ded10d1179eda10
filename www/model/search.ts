/** What a typed word can mean: a table, a transaction, a time, a partition, an event, a command. */
import type { PartitionInfo } from "../../pkg/types.js";
import type { Command, Entry } from "./command.js";
import { clockOrNot, count, day, isoUs, parseIso } from "./format.js";
import type { History } from "./history.js";
import { KIND_WORDS, kindOf, KINDS } from "./kinds.js";
import type { State } from "./state.js";
import { historyNow, tableNow } from "./state.js";

export interface Found {
  group: "Table" | "Go to" | "Event" | "Partition" | "Command";
  title: string;
  command: Command;
  keys?: readonly string[];
}

const FOUND_MAX = 40;
const EVENTS_MAX = 12;

export function search(
  text: string,
  state: State,
  partitions: PartitionInfo[],
  commands: readonly Entry[],
): Found[] {
  const query = text.trim().toLowerCase();
  const found = [
    ...moments(query, state),
    ...tables(query, state),
    ...parts(query, partitions),
    ...events(query, historyNow(state)),
    ...commands
      .filter((c) => c.command.do !== "escape" && c.id !== "search" && matches(c.title, query))
      .map((c): Found => ({ group: "Command", title: c.title, command: c.command, keys: c.keys })),
  ];
  return found.slice(0, FOUND_MAX);
}

function moments(query: string, state: State): Found[] {
  const last = tableNow(state)?.txnCount ?? 0;
  const txn = /^(?:txn\s*)?([\d\s\u202f]{1,15})$/.exec(query);
  const number = txn ? Number((txn[1] ?? "").replace(/\D/g, "")) : Number.NaN;
  if (Number.isFinite(number) && query !== "") {
    return [
      {
        group: "Go to",
        title: `txn ${count(Math.min(number, last))} of ${count(last)}`,
        command: { do: "toTxn", txn: number },
      },
    ];
  }
  const us = timeOf(query, state);
  return us === null ? [] : [{ group: "Go to", title: isoUs(us), command: { do: "toTime", us } }];
}

/** A whole time, or a time of the day on which the playhead stands. */
function timeOf(query: string, state: State): number | null {
  const whole = parseIso(query.toUpperCase());
  if (whole !== null) return whole;
  const time = /^(\d{1,2}):(\d\d)(:\d\d(\.\d+)?)?$/.exec(query);
  const at = state.us ?? historyNow(state)?.times[0];
  if (!time || at === undefined) return null;
  return parseIso(`${day(at)}T${(time[1] ?? "").padStart(2, "0")}:${time[2] ?? "00"}${time[3] ?? ":00"}`);
}

function tables(query: string, state: State): Found[] {
  return (state.overview?.tables ?? [])
    .filter((t) => matches(t.name, query))
    .slice(0, query === "" ? 8 : 20)
    .map((t) => ({ group: "Table", title: t.name, command: { do: "table", dir: t.dir } }));
}

function parts(query: string, partitions: PartitionInfo[]): Found[] {
  if (query === "") return [];
  return partitions
    .filter((p) => matches(p.name, query))
    .slice(0, 8)
    .map((p) => ({ group: "Partition", title: p.name, command: { do: "select", partition: p.name } }));
}

function events(query: string, history: History | null): Found[] {
  if (query.length < 2 || !history) return [];
  const kinds = new Set(
    KINDS.flatMap((kind, code) => (code > 1 && matches(KIND_WORDS[kind], query) ? [code] : [])),
  );
  const found: Found[] = [];
  for (let i = 0; i < history.kind.length && found.length < EVENTS_MAX && kinds.size > 0; i++) {
    if (!kinds.has(history.kind[i] ?? 0)) continue;
    const title = `${KIND_WORDS[kindOf(history.kind[i])]}, txn ${count(i + 1)}, ${clockOrNot(history.commitUs[i])}`;
    found.push({ group: "Event", title, command: { do: "toTxn", txn: i + 1 } });
  }
  return found;
}

/** Every word of the query begins a word of the name, or is in it if it is long. */
function matches(name: string, query: string): boolean {
  const low = name.toLowerCase();
  return query.split(/\s+/).every((word) => low.includes(word));
}
