/** The page itself: binds stage, address, keys and views together. */
import { render } from "preact";
import { useEffect } from "preact/hooks";
import { bindAddress } from "./address.js";
import { Comparison } from "./compare.js";
import { detailOf } from "./engine/client.js";
import type { Start } from "./main.js";
import { bindFork } from "./forking.js";
import { bindJournals } from "./journals.js";
import { LabDriver } from "./lab.js";
import { bindLive } from "./live.js";
import { size } from "./model/format.js";
import { parseLink } from "./model/link.js";
import { keepForOffline } from "./offline.js";
import { bindKeys, bindPlayback } from "./playback.js";
import type { Condition } from "./model/shown.js";
import { withNow } from "./model/state.js";
import { Stage } from "./stage.js";
import { turnTheme } from "./theming.js";
import { Timeline } from "./timeline/timeline.js";
import { Transport } from "./timeline/transport.js";
import { Compare } from "./views/compare/compare.js";
import { Broken, Crashed } from "./views/broken.js";
import { Dialogs } from "./views/dialogs.js";
import { DropTarget } from "./views/drop.js";
import { ForkBar } from "./views/fork.js";
import { Header } from "./views/header.js";
import { StageContext, useSnapshot } from "./views/hooks.js";
import { Now } from "./views/now.js";
import { Partitions } from "./views/partitions.js";
import { Problems, StandingBar } from "./views/standing.js";
import { Tables } from "./views/tables.js";
import { Tabs } from "./views/tabs.js";

export function mount(start: Start): void {
  const stage = new Stage(start.engine, start.opening);
  globalThis.understudy = stage;
  bindAddress(stage);
  bindPlayback(stage);
  bindLive(stage);
  bindJournals(stage);
  bindFork(stage);
  bindKeys(stage);
  new Comparison(stage, start.another);
  new LabDriver(stage, start.another);
  keepForOffline();
  const catchAll = (error: unknown) => stage.lately.push(`fault of the page: ${detailOf(error).message}`);
  addEventListener("error", (event) => catchAll(event.error ?? event.message));
  addEventListener("unhandledrejection", (event) => catchAll(event.reason));

  const linked = location.hash.length > 1;
  stage.dispatch({ do: "restore", link: parseLink(location.hash) });
  if ("ok" in start.opened) stage.opened(start.opened.ok);
  else stage.failed(start.opening, start.opened.failed);

  const root = document.getElementById("app");
  if (!root) throw new Error("no place for the page");
  root.replaceChildren();
  render(
    <StageContext.Provider value={stage}>
      <App />
    </StageContext.Provider>,
    root,
  );
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  // A link opens paused, and so does everything for those who asked for stillness.
  if (start.opening.bundled && !linked && !still && "ok" in start.opened)
    stage.dispatch({ do: "play", direction: 1 });
}

function App() {
  const condition = useSnapshot((s) => s.condition);
  return (
    <>
      {condition.is === "opening" ? <Opening condition={condition} /> : null}
      {condition.is === "broken" ? <Broken condition={condition} /> : null}
      {condition.is === "crashed" ? <Crashed condition={condition} /> : null}
      {condition.is === "ready" ? <House /> : null}
      <DropTarget />
    </>
  );
}

function House() {
  const name = useSnapshot((s) => s.shown.table?.name ?? null);
  const comparing = useSnapshot((s) => withNow(s.state) !== "off");
  useEffect(() => {
    document.title = name === null ? "Understudy" : `${name} · Understudy`;
  }, [name]);
  return (
    <div class="house">
      <Header onTheme={turnTheme} />
      <div class="bars">
        <StandingBar />
        <Problems />
        <ForkBar />
      </div>
      <Tables />
      <main class="scene">
        <Now />
        <div class="boards">
          {comparing ? <Compare /> : <Partitions />}
          <Tabs />
        </div>
      </main>
      <footer class="pit">
        <Transport />
        <Timeline />
      </footer>
      <Announcer />
      <Dialogs />
    </div>
  );
}

/** Says each transaction to screen readers while nothing is playing. */
function Announcer() {
  const playing = useSnapshot((s) => s.state.playing !== 0);
  const words = useSnapshot(({ shown }) => {
    const txn = shown.table?.transaction;
    return txn ? `txn ${txn.seqTxn}: ${txn.summary}` : "";
  });
  return (
    <p class="sr" role="status">
      {playing ? "" : words}
    </p>
  );
}

function Opening({ condition }: { condition: Extract<Condition, { is: "opening" }> }) {
  const { progress, title } = condition;
  const total = progress?.totalBytes ?? null;
  const percent = progress && total ? Math.floor((100 * progress.loadedBytes) / total) : null;
  return (
    <main class="wings">
      <p class="wordmark">Understudy</p>
      <h1 class="wings-line">Opening {title}</h1>
      <div class="wings-progress">
        <progress max={100} value={percent ?? undefined} aria-label="Opening" />
        <p role="status">{progress?.detail || "Reading the list of tables"}</p>
        <p class="wings-bytes">
          {progress && progress.loadedBytes > 0 ? size(progress.loadedBytes) : ""}
          {total ? ` of ${size(total)}, ${percent} %` : ""}
        </p>
      </div>
    </main>
  );
}
