/** Search: tables, transactions, times, partitions, events and commands from one field. */
import { useMemo, useState } from "preact/hooks";
import type { Command } from "../model/command.js";
import { COMMANDS, keyWords } from "../model/command.js";
import type { Found } from "../model/search.js";
import { search } from "../model/search.js";
import { Modal } from "./dialogs.js";
import { useDispatch, useSnapshot, useStage } from "./hooks.js";

export function Palette() {
  const stage = useStage();
  const dispatch = useDispatch();
  const [query, setQuery] = useState("");
  const [chosen, choose] = useState(0);
  const partitions = useSnapshot((s) => s.shown.table?.partitions);
  const found = useMemo(
    () => search(query, stage.state, partitions ?? [], COMMANDS),
    [query, partitions, stage],
  );
  const run = (command: Command) => {
    dispatch({ do: "dialog", dialog: null });
    dispatch(command);
  };
  const onKey = (event: KeyboardEvent) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by !== undefined) {
      event.preventDefault();
      choose(Math.max(0, Math.min(found.length - 1, chosen + by)));
    } else if (event.key === "Enter") {
      event.preventDefault();
      const hit = found[chosen];
      if (hit) run(hit.command);
    }
  };
  return (
    <Modal title="Search" class="palette" bare>
      <input
        type="text"
        class="palette-input"
        role="combobox"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={found.length > 0 ? `found-${chosen}` : undefined}
        aria-label="Search tables, transactions, times and commands"
        placeholder="A table, 1234, 12:03:04, truncate …"
        autocomplete="off"
        value={query}
        onInput={(event) => {
          setQuery(event.currentTarget.value);
          choose(0);
        }}
        onKeyDown={onKey}
        ref={(element) => element?.focus()}
      />
      <ul id="palette-list" class="palette-list" role="listbox" aria-label="Found">
        {found.map((hit, i) => (
          <Hit key={`${hit.group}${hit.title}`} hit={hit} index={i} chosen={i === chosen} run={run} />
        ))}
      </ul>
      {found.length === 0 ? <p class="empty">Nothing by that name.</p> : null}
    </Modal>
  );
}

function Hit(props: { hit: Found; index: number; chosen: boolean; run: (command: Command) => void }) {
  const { hit, index, chosen } = props;
  return (
    <li
      id={`found-${index}`}
      role="option"
      aria-selected={chosen}
      class="hit"
      ref={(element) => (chosen ? element?.scrollIntoView({ block: "nearest" }) : undefined)}
      onClick={() => props.run(hit.command)}
    >
      <span class="hit-group">{hit.group}</span>
      <span>{hit.title}</span>
      <span class="hit-keys">
        {hit.keys?.slice(0, 1).map((key) => keyWords(key).map((word) => <kbd key={word}>{word}</kbd>))}
      </span>
    </li>
  );
}
