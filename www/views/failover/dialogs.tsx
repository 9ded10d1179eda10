/** Keys, search, lessons, what is real, and scenarios to choose, export and import. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { keyWords } from "../../model/command.js";
import { LAB_COMMANDS, LAB_GROUPS } from "../../model/failover/command.js";
import { canonical, namedScenario, nameOf, readScenario, SCENARIOS } from "../../model/failover/scenario.js";
import { orderWords, seconds } from "../../model/failover/words.js";
import type { Scenario } from "../../model/failover/told.js";
import { beginLesson, lessonList, type Listed } from "../../lessons.js";
import { KeyTable, Sheet } from "../sheet.js";
import { useLab, useLabDispatch, useLabValue } from "./hooks.js";

export function LabDialogs() {
  const dialog = useLabValue((lab) => lab.state.dialog);
  switch (dialog) {
    case "help":
      return <Help />;
    case "palette":
      return <Palette />;
    case "lessons":
      return <Lessons />;
    case "about":
      return <About />;
    case "scenario":
      return <Scenarios />;
    case null:
      return null;
  }
}

function useClose(): () => void {
  const dispatch = useLabDispatch();
  return () => dispatch({ do: "dialog", dialog: null });
}

function Help() {
  return (
    <Sheet title="Keys" close={useClose()}>
      <div class="help">
        <KeyTable groups={LAB_GROUPS} entries={LAB_COMMANDS} />
        <section>
          <h3>Pointer</h3>
          <p>Click or tap an instance for its menu. Click a lane to go to that moment.</p>
        </section>
      </div>
    </Sheet>
  );
}

interface Found {
  group: string;
  title: string;
  keys?: readonly string[];
  run: () => void;
}

function Palette() {
  const lab = useLab();
  const close = useClose();
  const [query, setQuery] = useState("");
  const [chosen, choose] = useState(0);
  const lessons = useLessons();
  const found = useMemo(() => {
    const commands = LAB_COMMANDS.filter(({ id }) => id !== "escape" && id !== "search").map(
      ({ title, keys, command }): Found => ({
        group: "Command",
        title,
        keys,
        run: () => lab.dispatch(command),
      }),
    );
    const taught = lessons.map(({ name, title }): Found => ({
      group: "Lesson",
      title,
      run: () => void beginLesson(lab, name),
    }));
    const words = query.trim().toLowerCase().split(/\s+/);
    return [...commands, ...taught].filter(({ title }) =>
      words.every((word) => title.toLowerCase().includes(word)),
    );
  }, [query, lessons, lab]);
  const run = (hit: Found | undefined) => {
    if (!hit) return;
    close();
    hit.run();
  };
  const onKey = (event: KeyboardEvent) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by !== undefined) choose(Math.max(0, Math.min(found.length - 1, chosen + by)));
    else if (event.key === "Enter") run(found[chosen]);
    else return;
    event.preventDefault();
  };
  return (
    <Sheet title="Search" class="palette" bare close={close}>
      <input
        type="text"
        class="palette-input"
        role="combobox"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={found.length > 0 ? `found-${chosen}` : undefined}
        aria-label="Search commands and lessons"
        placeholder="kill, promote, lesson …"
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
          <li
            key={`${hit.group}${hit.title}`}
            id={`found-${i}`}
            role="option"
            aria-selected={i === chosen}
            class="hit"
            ref={(element) => (i === chosen ? element?.scrollIntoView({ block: "nearest" }) : undefined)}
            onClick={() => run(hit)}
          >
            <span class="hit-group">{hit.group}</span>
            <span>{hit.title}</span>
            <span class="hit-keys">
              {hit.keys?.slice(0, 1).map((key) => keyWords(key).map((word) => <kbd key={word}>{word}</kbd>))}
            </span>
          </li>
        ))}
      </ul>
      {found.length === 0 ? <p class="empty">Nothing by that name.</p> : null}
    </Sheet>
  );
}

function useLessons(): Listed[] {
  const [listed, set] = useState<Listed[]>([]);
  useEffect(() => {
    lessonList().then(set, () => undefined);
  }, []);
  return listed;
}

function Lessons() {
  const lab = useLab();
  const lessons = useLessons();
  return (
    <Sheet title="Lessons" close={useClose()}>
      <ol class="fo-lessons">
        {lessons.map(({ name, title, about }) => (
          <li key={name}>
            <button
              type="button"
              class="button"
              data-lesson={name}
              onClick={() => void beginLesson(lab, name)}
            >
              <span class="button-words">{title}</span>
            </button>
            <p class="quiet">{about}</p>
          </li>
        ))}
      </ol>
      {lessons.length === 0 ? <p role="status">Reading the list of lessons …</p> : null}
    </Sheet>
  );
}

function About() {
  return (
    <Sheet title="What is real here" close={useClose()}>
      <p>
        <b>Real:</b> the nodes, the clients, the log and the tables. Roles, promotion, terms, the fence,
        acknowledgement, store-and-forward, packs, snapshots and rewinding are the same Rust code that the{" "}
        <code>understudy</code> command runs. Rows are parsed, committed, shipped, applied and compared for
        real.
      </p>
      <p>
        <b>Modelled:</b> time, the network, the bucket’s answers and delays, disks, and processes that die. A
        seed decides all luck: the same seed and the same commands give the same run on any machine, bit for
        bit.
      </p>
      <p>
        <b>Forked:</b> where a run goes on from a moment of a real history, it begins with the rows of that
        moment; they are compared with the replay’s by their digest. Clients then make rows like these, and a
        column <code>lab_row</code> to tell them apart.
      </p>
      <p>
        <b>Not here:</b> the server of QuestDB itself. A foreign primary that writes past the log’s rules
        can’t be fenced by it. <code>docs/lab.md</code> says more.
      </p>
    </Sheet>
  );
}

function Scenarios() {
  const lab = useLab();
  const dispatch = useLabDispatch();
  const close = useClose();
  const { scenario, seed } = useLabValue((it) => it.state);
  const [trouble, setTrouble] = useState<string | null>(null);
  const begin = (chosen: Scenario, from: number, again = false) => {
    close();
    dispatch({ do: "begin", scenario: chosen, seed: from, again });
  };
  const pick = async (file: File | undefined) => {
    if (!file) return;
    try {
      const read = readFile(await file.text());
      begin(read.scenario, read.seed ?? seed);
    } catch (error) {
      setTrouble(error instanceof Error ? error.message : String(error));
    }
  };
  const script = scenario.script ?? [];
  return (
    <Sheet title="Scenario" close={close}>
      <ul class="fo-lessons">
        {SCENARIOS.map(({ name, title, about }) => (
          <li key={name}>
            <button
              type="button"
              class="button"
              aria-pressed={nameOf({ ...scenario, script: [] }) === name}
              onClick={() => begin(namedScenario(name) ?? {}, seed)}
            >
              <span class="button-words">{title}</span>
            </button>
            <p class="quiet">{about}</p>
          </li>
        ))}
      </ul>
      <Seed seed={seed} choose={(next) => begin({ ...scenario, script: [] }, next, true)} />
      <p>{script.length === 0 ? "No commands so far." : "Commands so far, in the link and in the file:"}</p>
      <ol class="fo-script">
        {script.map((order, i) => (
          <li key={i}>
            <span class="mono">{seconds(order.at_us)}</span> {orderWords(order)}
          </li>
        ))}
      </ol>
      <div class="fo-menu">
        <button type="button" class="button small primary" onClick={() => save(lab.whole, seed, lab.us)}>
          <span class="button-words">Export as a file</span>
        </button>
        <label class="button small">
          <span class="button-words">Import a file</span>
          <input
            type="file"
            class="sr"
            accept=".json,application/json"
            onChange={(event) => void pick(event.currentTarget.files?.[0])}
          />
        </label>
      </div>
      {trouble === null ? null : (
        <p class="bar bar-bad" role="alert">
          {trouble}
        </p>
      )}
    </Sheet>
  );
}

function Seed({ seed, choose }: { seed: number; choose: (seed: number) => void }) {
  return (
    <label class="fo-choice">
      <span>Seed</span>
      <input
        type="number"
        min={0}
        step={1}
        value={seed}
        onChange={(event) => {
          const next = Number(event.currentTarget.value);
          if (Number.isSafeInteger(next) && next >= 0) choose(next);
        }}
      />
    </label>
  );
}

/** What an exported file holds: a scenario as `understudy simulate` reads it, or that with its seed. */
function readFile(text: string): { scenario: Scenario; seed: number | null } {
  const value = JSON.parse(text) as { scenario?: unknown; seed?: unknown };
  if (value.scenario === undefined) return { scenario: readScenario(text), seed: null };
  const seed = typeof value.seed === "number" && Number.isSafeInteger(value.seed) ? value.seed : null;
  return { scenario: readScenario(JSON.stringify(value.scenario)), seed };
}

function save(scenario: Scenario, seed: number, us: number): void {
  const file = new Blob([`${canonical({ understudy_lab: 1, scenario, seed, us })}\n`], {
    type: "application/json",
  });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = `understudy-lab-${seed}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
