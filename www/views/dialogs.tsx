/** Help, what is real, and the opening of other databases. */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { ReadFile } from "../../pkg/types.js";
import { gatherPick } from "../engine/files.js";
import { directoryUrl } from "../engine/source.js";
import { COMMANDS, GROUPS } from "../model/command.js";
import { count, counted, mebibytes, size } from "../model/format.js";
import { Fact } from "./bits.js";
import { useDispatch, useSnapshot, useStage } from "./hooks.js";
import { Palette } from "./palette.js";
import { Recorded } from "./recorded.js";
import { KeyTable, Sheet } from "./sheet.js";
import { openGathered } from "./drop.js";

export function Dialogs() {
  const dialog = useSnapshot((s) => s.state.dialog);
  switch (dialog) {
    case "help":
      return <Help />;
    case "real":
      return <Real />;
    case "open":
      return <Open />;
    case "palette":
      return <Palette />;
    case null:
      return null;
  }
}

/** A modal dialog of the stage's. */
export function Modal(props: { title: string; class?: string; bare?: boolean; children: ComponentChildren }) {
  const dispatch = useDispatch();
  return <Sheet {...props} close={() => dispatch({ do: "dialog", dialog: null })} />;
}

function Help() {
  return (
    <Modal title="Keys">
      <div class="help">
        <KeyTable groups={GROUPS} entries={COMMANDS} />
        <section>
          <h3>Pointer</h3>
          <p>Drag on the timeline to scrub. Wheel or pinch to zoom. Shift and drag to choose a range.</p>
        </section>
      </div>
    </Modal>
  );
}

function Real() {
  const stage = useStage();
  const fetched = useSnapshot((s) => s.shown.fetched);
  const { source, bundled } = useSnapshot((s) => s.opening);
  const isBucket = useSnapshot((s) => Boolean(s.shown.cluster));
  useEffect(() => {
    stage.account();
  }, [stage]);
  return (
    <Modal title="What is real here">
      <p>
        Everything. The bytes were written by a real QuestDB; the engine that applies them runs in this tab
        and is the one that the <code>understudy</code> command runs. Nothing was computed beforehand. What is
        only modelled is said below.
      </p>
      <dl class="facts facts-wide">
        <Fact name="Source">
          {source.kind === "url" ? (
            <span class="mono breakable">{source.url}</span>
          ) : (
            `the folder ${source.name}, read from your disk; nothing leaves this tab`
          )}
          {bundled ? <span class="quiet"> a recording that comes with the page</span> : null}
        </Fact>
        {fetched ? (
          <>
            <Fact name="Read">
              {size(fetched.bytes)} of {counted(fetched.files, "file")}, in{" "}
              {counted(fetched.requests, "request")}
              {fetched.retries > 0 ? `, ${counted(fetched.retries, "retry", "retries")}` : ""}
            </Fact>
            <Fact name="Parts of files">
              {fetched.rangesHonoured === null
                ? "not asked for yet"
                : fetched.rangesHonoured
                  ? "the server gives them: only what is needed is fetched"
                  : "the server does not give them: whole files are fetched"}
            </Fact>
            <Fact name="Memory">
              {mebibytes(fetched.memoryUsed)} of {mebibytes(fetched.memoryLimit)} that this tab may use for
              rows
              <meter min={0} max={fetched.memoryLimit} value={fetched.memoryUsed} aria-label="Memory used" />
            </Fact>
            <Fact name="Let go">
              {fetched.letGo.length === 0
                ? "nothing"
                : `${count(fetched.letGo.length)}: ${fetched.letGo.slice(0, 20).join(", ")}`}
            </Fact>
          </>
        ) : null}
        <ReadFiles />
        {bundled ? <Recorded /> : null}
        <Fact name="Modelled">
          {isBucket
            ? "cost and lag in the Cluster tab, which say so (lags of instances are by their own clocks); "
            : ""}
          in the Storage tab the instances that you add: their clocks, how long work takes them, and their
          bucket. What decides, and the Parquet files, are real. Nothing else
        </Fact>
        <Fact name="Digest">
          computed from the rows that the engine holds at this moment, never read from a file
        </Fact>
      </dl>
    </Modal>
  );
}

/** Each file that was read, with a checksum to compare with one's own copy. */
function ReadFiles() {
  const stage = useStage();
  const read = useSnapshot((s) => s.shown.fetched?.bytes);
  const [files, set] = useState<ReadFile[]>([]);
  useEffect(() => {
    stage.engine.call("readFiles", []).then(set, () => undefined);
  }, [stage, read]);
  if (files.length === 0) return null;
  const left = files.length - FILES_MAX;
  return (
    <Fact name="Checksums">
      <details>
        <summary>CRC-32 of the files that came whole</summary>
        <div class="scroll" tabIndex={0} role="region" aria-label="Files that were read">
          <table class="plain">
            <thead>
              <tr>
                <th scope="col">File</th>
                <th scope="col" class="num">
                  Read
                </th>
                <th scope="col">CRC-32</th>
              </tr>
            </thead>
            <tbody>
              {files.slice(0, FILES_MAX).map((f) => (
                <tr key={f.path}>
                  <th scope="row" class="mono breakable">
                    {f.path}
                  </th>
                  <td class="num">{size(f.bytes)}</td>
                  <td class="mono">{f.crc32 ?? "in parts"}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        {left > 0 ? <p class="quiet">{counted(left, "more file")} not listed</p> : null}
      </details>
    </Fact>
  );
}

const FILES_MAX = 1000;

function Open() {
  const stage = useStage();
  const dispatch = useDispatch();
  const [trouble, setTrouble] = useState<string | null>(null);
  const submit = (event: SubmitEvent & { currentTarget: HTMLFormElement }) => {
    event.preventDefault();
    const typed = new FormData(event.currentTarget).get("src");
    const { source } = stage.opening;
    const beside = event.submitter?.id === "open-beside" && source.kind === "url";
    try {
      const query = new URLSearchParams(location.search);
      query.delete("dropped");
      const url = directoryUrl(typeof typed === "string" ? typed.trim() : "", document.baseURI);
      query.set("src", beside ? source.url : url);
      if (beside) query.append("src", url);
      location.assign(`?${query.toString()}${beside ? location.hash : ""}`);
    } catch {
      setTrouble("That is not an address.");
    }
  };
  const pick = (event: Event & { currentTarget: HTMLInputElement }) => {
    const { files } = event.currentTarget;
    if (!files || files.length === 0) return;
    try {
      const gathered = gatherPick(files);
      dispatch({ do: "dialog", dialog: null });
      openGathered(stage, gathered);
    } catch (error) {
      setTrouble(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <Modal title="Open a database">
      <form onSubmit={submit} class="open-form">
        <label for="open-src">
          Address of a QuestDB db directory on any static server, or of a cluster’s bucket
        </label>
        <div class="open-line">
          <input
            id="open-src"
            name="src"
            type="text"
            inputMode="url"
            placeholder="https://bucket.example/db/"
            required
          />
          <button type="submit" class="button primary">
            Open
          </button>
          <button
            type="submit"
            class="button"
            id="open-beside"
            disabled={stage.opening.source.kind !== "url"}
          >
            Compare with it
          </button>
        </div>
        <p class="quiet">
          Nothing is listed on the server: run <code>understudy index DIR</code> beside it once, and the page
          knows every file. <code>understudy serve DIR</code> serves one from this machine.
        </p>
      </form>
      <hr />
      <label class="pick">
        <span>Or a db folder on this machine. It is read in this tab and never sent anywhere.</span>
        <input type="file" multiple onChange={pick} ref={(e) => e?.setAttribute("webkitdirectory", "")} />
      </label>
      <p class="quiet">You can also drop a folder anywhere on the page.</p>
      <hr />
      <a class="button" href={location.pathname}>
        Back to the recording that comes with the page
      </a>
      {trouble === null ? null : (
        <p class="bar bar-bad" role="alert">
          {trouble}
        </p>
      )}
    </Modal>
  );
}
