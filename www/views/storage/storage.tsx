/** Storage policies tried out on instances of one table: the real state machine and the real conversion, on a clock of its own. */
import { counted, size } from "../../model/format.js";
import { moment, verdictOf } from "../../model/lab/words.js";
import { tableNow } from "../../model/state.js";
import type { LabTold } from "../../../pkg/types.js";
import { useMoment } from "../cluster/moment.js";
import { useDispatch, useSnapshot, useStage } from "../hooks.js";
import { LabAsText } from "./astext.js";
import { LabClock } from "./clock.js";
import { LabEvents } from "./events.js";
import { LabLanes } from "./lanes.js";
import { PolicyEditor } from "./policy.js";
import { RealLanes } from "./real.js";
import { WhyPanel } from "./why.js";

export function StorageTab() {
  const lab = useSnapshot((s) => s.state.lab);
  const shown = useSnapshot((s) => s.shown.lab);
  const cluster = useMoment();
  return (
    <div
      class="scroll cluster storage"
      tabIndex={0}
      role="region"
      data-keys="own"
      aria-label="Storage policies"
    >
      {lab === null ? <Begin /> : null}
      {lab !== null && shown?.error ? <Failed message={shown.error.message} /> : null}
      {lab !== null && !shown?.told && !shown?.error ? <Loading /> : null}
      {lab !== null && shown?.told ? <Lab told={shown.told} /> : null}
      {cluster ? <RealLanes moment={cluster} /> : null}
    </div>
  );
}

function Begin() {
  const dispatch = useDispatch();
  const info = useSnapshot((s) => tableNow(s.state));
  const txn = useSnapshot((s) => s.state.txn);
  if (!info) return null;
  return (
    <section class="lab-begin">
      <p>
        See what a storage policy does to <b>{info.name}</b>: instances with clocks, schedules and speeds of
        their own convert its partitions to Parquet, put them into a bucket and drop them. The state machine
        and the files are the real ones; the clock is not, so that months go by in seconds. Transactions
        behind this one arrive in the time of their rows.
      </p>
      <button type="button" class="button" onClick={() => dispatch({ do: "lab", lab: { do: "begin" } })}>
        <span class="button-words">Begin after txn {txn}</span>
      </button>
    </section>
  );
}

function Loading() {
  const progress = useSnapshot((s) => s.shown.lab?.progress ?? null);
  return (
    <p role="status">
      {progress && progress.phase === "module"
        ? `Fetching the module with Parquet: ${size(progress.loadedBytes)} of ${size(progress.totalBytes ?? 0)}`
        : "Opening the table once more"}{" "}
      …
    </p>
  );
}

function Failed({ message }: { message: string }) {
  const stage = useStage();
  return (
    <p class="note" role="alert">
      {message}{" "}
      <button type="button" class="button" onClick={() => stage.lab?.retry()}>
        <span class="button-words">Try again</span>
      </button>
    </p>
  );
}

function Lab({ told }: { told: LabTold }) {
  return (
    <>
      <Which />
      <Verdict told={told} />
      <LabClock told={told} />
      <PolicyEditor told={told} />
      <LabLanes told={told} />
      <WhyPanel told={told} />
      <Account told={told} />
      <LabEvents told={told} />
      <LabAsText told={told} />
    </>
  );
}

/** Of which table, and how to begin elsewhere. */
function Which() {
  const dispatch = useDispatch();
  const lab = useSnapshot((s) => s.state.lab);
  const name = useSnapshot((s) => s.state.overview?.tables.find((t) => t.dir === lab?.table)?.name);
  const here = useSnapshot((s) => tableNow(s.state)?.name);
  const txn = useSnapshot((s) => s.state.txn);
  if (!lab) return null;
  const elsewhere = name !== here || lab.from !== txn;
  return (
    <div class="lab-which">
      <h3>
        {name ?? lab.table} from txn {lab.from} on
      </h3>
      {elsewhere ? (
        <button type="button" class="button" onClick={() => dispatch({ do: "lab", lab: { do: "begin" } })}>
          <span class="button-words">
            Begin anew with {here} after txn {txn}
          </span>
        </button>
      ) : null}
      <button type="button" class="button" onClick={() => dispatch({ do: "lab", lab: { do: "end" } })}>
        <span class="button-words">End</span>
      </button>
    </div>
  );
}

function Verdict({ told }: { told: LabTold }) {
  const { word, text } = verdictOf(told);
  const playing = useSnapshot((s) => s.state.lab?.playing === true);
  const names = told.differing.slice(0, 6).join(", ");
  const more = told.differing.length > 6 ? ` and ${told.differing.length - 6} more` : "";
  return (
    <p class="cluster-verdict">
      <b class={`verdict verdict-${word}`} data-verdict={word} role={playing ? undefined : "status"}>
        {text}
      </b>{" "}
      <span class="quiet">
        {word === "converged"
          ? `: ${counted(told.instances.length, "instance")} ${told.instances.length === 1 ? "has" : "have"} the same rows in the same form.`
          : `in rows or form: ${names}${more}.`}
      </span>
    </p>
  );
}

function Account({ told }: { told: LabTold }) {
  const { conversions: done, bucket } = told;
  const newest = told.newestUs === null ? "no rows yet" : `the newest row is of ${moment(told.newestUs)}`;
  const rate =
    done.ms > 0 ? `, ${counted(Math.round(done.rows / (done.ms / 1000)), "row")} a second here` : "";
  return (
    <p class="quiet">
      Txn {told.seqTxn} of {told.txnCount} has arrived, {newest}. {counted(done.files, "partition")} converted
      in this tab: {size(done.nativeBytes)} became {size(done.fileBytes)}
      {rate}. In the bucket: {counted(bucket.files, "file")}, {size(bucket.bytes)}
      {bucket.spared > 0 ? `; ${counted(bucket.spared, "put")} found the file there` : ""}.
      {told.stopped === null ? "" : ` The log ends here: ${told.stopped}.`}
    </p>
  );
}
