/** The lab as a page: binds driver, address, keys, embedding and views together. */
import { render } from "preact";
import type { Engine } from "../../engine/client.js";
import { embed } from "../../embed.js";
import { Failover } from "../../failover.js";
import { beginLesson, openLink } from "../../lessons.js";
import { entryOfKey } from "../../model/command.js";
import { LAB_COMMANDS } from "../../model/failover/command.js";
import { isLabLink, parseLabLink } from "../../model/failover/link.js";
import { nameOf } from "../../model/failover/scenario.js";
import { size } from "../../model/format.js";
import { keepForOffline } from "../../offline.js";
import { belongsToElement } from "../../playback.js";
import { turnTheme } from "../../theming.js";
import { CopyButton, Icon } from "../bits.js";
import { Beside } from "./beside.js";
import { Controls, Focus } from "./controls.js";
import { LabDialogs } from "./dialogs.js";
import { LabContext, useLab, useLabValue } from "./hooks.js";
import { Lanes } from "./lanes.js";
import { LessonPanel } from "./lesson.js";
import { Log } from "./log.js";
import { Numbers } from "./numbers.js";
import { Press } from "./parts.js";
import { InFlight, Stage } from "./stage.js";
import { Transport } from "./transport.js";

const ADDRESS_MS_MIN = 500;

export function mountLab(engine: Engine): void {
  const link = parseLabLink(location.hash);
  const lab = new Failover(engine, link);
  globalThis.understudyLab = lab;
  bindAddress(lab);
  bindKeys(lab);
  embed(lab);
  keepForOffline();
  if (link.lesson !== null) void beginLesson(lab, link.lesson);
  const root = document.getElementById("app");
  if (!root) throw new Error("no place for the page");
  root.replaceChildren();
  document.title = "Failover lab · Understudy";
  render(
    <LabContext.Provider value={lab}>
      <House />
    </LabContext.Provider>,
    root,
  );
}

/** Writes what is on show while the clock stands, and opens what is put there. */
function bindAddress(lab: Failover): void {
  let written = location.hash;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const write = () => {
    timer = undefined;
    const link = lab.link();
    if (lab.state.playing || lab.behind || lab.told === null || link === written) return;
    written = link;
    history.replaceState(null, "", link);
  };
  lab.subscribe(() => {
    if (!lab.state.playing) timer ??= setTimeout(write, ADDRESS_MS_MIN);
  });
  addEventListener("hashchange", () => {
    if (location.hash === written || !isLabLink(location.hash)) return;
    written = location.hash;
    openLink(lab, parseLabLink(location.hash));
  });
}

function bindKeys(lab: Failover): void {
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || belongsToElement(event)) return;
    if (
      event.key === "Enter" &&
      event.target instanceof HTMLElement &&
      event.target.matches("button, a, summary")
    )
      return;
    const entry = entryOfKey(LAB_COMMANDS, event);
    if (!entry || (lab.state.dialog !== null && entry.command.do !== "escape")) return;
    if (entry.command.do === "continue" && lab.state.lesson === null) return;
    event.preventDefault();
    lab.dispatch(entry.command);
  });
}

function House() {
  const error = useLabValue((lab) => lab.error);
  const loaded = useLabValue((lab) => lab.told !== null);
  return (
    <div class="fo-house">
      <Head />
      <Bars />
      {error || !loaded ? <Opening /> : null}
      {loaded ? (
        <>
          <Controls />
          <main class="fo-scene">
            <div class="fo-center">
              <Stage />
              <InFlight />
              <Focus />
              <Beside />
              <Lanes />
            </div>
            <div class="fo-side">
              <LessonPanel />
              <Numbers />
              <Log />
            </div>
          </main>
          <footer class="fo-pit">
            <Transport />
          </footer>
        </>
      ) : null}
      <Narration />
      <LabDialogs />
    </div>
  );
}

function Head() {
  const name = useLabValue(
    (lab) => nameOf({ ...lab.state.scenario, script: [] }) ?? lab.state.scenario.name ?? "",
  );
  const seed = useLabValue((lab) => lab.state.seed);
  const lab = useLab();
  return (
    <header class="head">
      <p class="wordmark">Understudy</p>
      <p class="head-source">
        <span class="head-kind">Failover lab</span> {name || "a scenario of its own"}, seed {seed}
      </p>
      <nav class="head-tools" aria-label="Page">
        <a class="button" href="#" title="Back to the replay">
          <span class="button-words">Replay</span>
        </a>
        <Press id="lessons" worded label="Lessons" />
        <Press id="scenario" worded label="Scenario" />
        <Press id="about" icon="real" />
        <CopyButton text={() => new URL(lab.link(), location.href).href} label="Share" icon="share" />
        <button
          type="button"
          class="button"
          aria-label="Light or dark"
          title="Light or dark"
          onClick={turnTheme}
        >
          <Icon name="theme" />
        </button>
        <Press id="search" icon="search" label="Search" />
        <Press id="help" icon="help" />
      </nav>
    </header>
  );
}

function Bars() {
  const lab = useLab();
  const trouble = useLabValue((it) => it.trouble);
  const violation = useLabValue((it) => it.violation);
  const over = useLabValue((it) => it.over);
  return (
    <div class="bars">
      {trouble === null ? null : (
        <p class="bar bar-bad" role="alert">
          {trouble}{" "}
          <button type="button" class="button small" onClick={() => lab.complain(null)}>
            <span class="button-words">Close</span>
          </button>
        </p>
      )}
      {violation ? (
        <p class="bar bar-bad" role="alert">
          A rule of the protocol did not hold: {violation.invariant}. {violation.what} This is a fault of the
          program; the link above shows it again.
        </p>
      ) : over ? (
        <p class="bar" role="status">
          The run has come to its end, and all rules held.
        </p>
      ) : null}
    </div>
  );
}

function Opening() {
  const lab = useLab();
  const error = useLabValue((it) => it.error);
  const progress = useLabValue((it) => it.progress);
  const forking = useLabValue((it) => it.state.from !== null && it.forked.fork === null);
  if (error) {
    return (
      <div class="fo-opening">
        <p class="note" role="alert">
          {error.kind === "trap" ? `The simulator has stopped: ${error.message}` : error.message}
        </p>
        <div class="fo-menu">
          <button type="button" class="button primary" onClick={() => lab.retry()}>
            <span class="button-words">Try again</span>
          </button>
          <CopyButton text={() => `${error.message}\n${location.href}`} label="Copy a report" />
        </div>
      </div>
    );
  }
  return (
    <p class="fo-opening" role="status">
      {progress
        ? `Fetching ${forking ? "the rows of the moment" : "the simulator"}: ${size(progress.loadedBytes)} of ${size(progress.totalBytes ?? 0)} …`
        : "Beginning …"}
    </p>
  );
}

/** Says what matters, not more often than it can be heard. */
function Narration() {
  const said = useLabValue((lab) => lab.said);
  return (
    <p class="sr" role="status" aria-label="Narration">
      {said}
    </p>
  );
}
