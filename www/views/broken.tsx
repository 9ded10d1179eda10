/** When a database can't be opened, or the engine has died: what is wrong, and what to do. */
import { useEffect, useState } from "preact/hooks";
import type { Diagnosis } from "../engine/doctor.js";
import { curlProbe, diagnose, recipes } from "../engine/doctor.js";
import { count } from "../model/format.js";
import { formatLink } from "../model/link.js";
import { linkOf } from "../model/state.js";
import type { Condition } from "../model/shown.js";
import type { Stage } from "../stage.js";
import { CopyButton } from "./bits.js";
import { useStage } from "./hooks.js";

declare const __VERSION__: string;

export function Broken({ condition }: { condition: Extract<Condition, { is: "broken" }> }) {
  const stage = useStage();
  const { error, opening } = condition;
  const url = opening.source.kind === "url" ? opening.source.url : null;
  return (
    <main class="trouble">
      <p class="wordmark">Understudy</p>
      <h1>{opening.title} can’t be opened</h1>
      <p class="trouble-what" role="alert">
        {error.message}
        {error.status === undefined ? "" : ` (HTTP ${error.status})`}
      </p>
      {error.url === undefined ? null : <p class="mono breakable">{error.url}</p>}
      {url !== null && (error.kind === "network" || error.kind === "missing") ? (
        <Doctor source={url} />
      ) : null}
      <div class="trouble-ways">
        {error.kind === "usage" ? null : (
          <button type="button" class="button primary" onClick={() => void stage.open(opening)}>
            Try again
          </button>
        )}
        <a class="button" href={location.pathname}>
          Open the recording that comes with the page
        </a>
        <CopyButton text={() => report(stage, error)} label="Copy a report" />
      </div>
      <p class="quiet">You can also drop a QuestDB db folder anywhere here.</p>
    </main>
  );
}

/** Says which header is missing, and what to tell the store. */
function Doctor({ source }: { source: string }) {
  const [diagnosis, set] = useState<Diagnosis | null>(null);
  useEffect(() => {
    let current = true;
    diagnose(source, location.href).then(
      (d) => current && set(d),
      () => undefined,
    );
    return () => {
      current = false;
    };
  }, [source]);
  if (!diagnosis) return <p role="status">Looking into it</p>;
  const cors = diagnosis.missing.length > 0;
  return (
    <section class="doctor" aria-label="Diagnosis">
      <p role="status">
        <b>{diagnosis.verdict}</b>
      </p>
      <ul class="findings">
        {diagnosis.findings.map((f) => (
          <li key={f.what} class={f.ok === true ? "good" : f.ok === null ? "fair" : "bad"}>
            <b>{f.ok === true ? "Yes" : f.ok === null ? "Partly" : "No"}</b> <span>{f.what}</span>{" "}
            <span class="quiet breakable">{f.detail}</span>
          </li>
        ))}
      </ul>
      {cors ? (
        <>
          <p>
            Missing: <code>{diagnosis.missing.join(", ")}</code>. Give the store this rule; for another page’s
            address <code>understudy generate cors</code> prints it.
          </p>
          {recipes(location.origin).map((r) => (
            <details key={r.store}>
              <summary>{r.store}</summary>
              <p class="quiet breakable">{r.how}</p>
              <pre tabIndex={0}>{r.text}</pre>
              <CopyButton text={() => r.text} label="Copy" />
            </details>
          ))}
        </>
      ) : null}
      <details>
        <summary>Try it in a terminal</summary>
        <pre tabIndex={0}>{curlProbe(source, location.origin)}</pre>
        <CopyButton text={() => curlProbe(source, location.origin)} label="Copy" />
      </details>
    </section>
  );
}

export function Crashed({ condition }: { condition: Extract<Condition, { is: "crashed" }> }) {
  const stage = useStage();
  const { error, recovered, txn } = condition;
  const text = report(stage, error);
  return (
    <main class="trouble">
      <p class="wordmark">Understudy</p>
      <h1>The engine stopped</h1>
      <p class="trouble-what" role="alert">
        {error.message}
      </p>
      <p role="status">
        {recovered
          ? `It has started again. Nothing is lost: the history is read anew, up to txn ${count(txn)}.`
          : "This is a fault of Understudy, not of your data. A report helps to mend it."}
      </p>
      <div class="trouble-ways">
        <button type="button" class="button primary" onClick={() => void stage.resume(false)}>
          Go on at txn {count(txn)}
        </button>
        <button type="button" class="button" onClick={() => void stage.resume(true)}>
          Go to the beginning
        </button>
        <CopyButton text={() => text} label="Copy the report" />
      </div>
      <textarea readOnly rows={14} aria-label="Report" value={text} />
    </main>
  );
}

/** Everything that helps to find a fault; no row of the user's data is in it. */
function report(
  stage: Stage,
  error: { message: string; stack?: string; kind: string; file?: string; offset?: number },
): string {
  const { opening, state } = stage;
  return [
    `understudy ${__VERSION__}`,
    `browser: ${navigator.userAgent}`,
    `page: ${location.origin}${location.pathname}`,
    `source: ${opening.source.kind === "url" ? opening.source.url : `folder of ${opening.source.files.size} files`}`,
    `view: ${formatLink(linkOf(state))}`,
    `memory: ${opening.memory ?? "default"}`,
    `error: ${error.kind}: ${error.message}`,
    ...(error.file === undefined ? [] : [`at: ${error.file} offset ${error.offset ?? "?"}`]),
    ...(error.stack === undefined ? [] : ["stack:", error.stack]),
    "last commands:",
    ...stage.lately.map((line) => `  ${line}`),
  ].join("\n");
}
