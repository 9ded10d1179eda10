/** The dial: what a shorter lag costs. */
import { useState } from "preact/hooks";
import type { Cluster } from "../../../pkg/types.js";
import type { Dial } from "../../model/cluster/cost.js";
import { costOf, observed, PRICES, REQUEST_MS } from "../../model/cluster/cost.js";
import { count, counted, millis, size, span } from "../../model/format.js";
import { Fact } from "../bits.js";
import { useSnapshot } from "../hooks.js";

const STEPS_MS = [50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000] as const;
const DAY_US = 86_400_000_000;

export function CostDial({ cluster, replicas }: { cluster: Cluster; replicas: number }) {
  const tables = useSnapshot((s) => s.state.overview?.tables.length ?? 1);
  const [ship, setShip] = useState(4);
  const [poll, setPoll] = useState(4);
  const [busy, setBusy] = useState(100);
  const [days, setDays] = useState(30);
  const seen = observed(cluster);
  const bytesADay = seen.spanUs > 0 ? (seen.bytes / seen.spanUs) * DAY_US : seen.bytes;
  const dial: Dial = {
    shipMs: STEPS_MS[ship] ?? 1000,
    pollMs: STEPS_MS[poll] ?? 1000,
    replicas,
    tables,
    busy: busy / 100,
    bytesADay: bytesADay * (busy / 100),
    days,
  };
  const cost = costOf(dial);
  return (
    <section class="cost" aria-labelledby="cost-title">
      <h3 id="cost-title">Cost and lag (modelled)</h3>
      <p class="quiet">
        Observed: {counted(seen.packs, "pack")}, {size(seen.bytes)}
        {seen.intervalUs === null ? "" : `, half of them within ${span(seen.intervalUs)} of the one before`}.
        The dial reckons with {counted(replicas, "replica")}, {counted(tables, "table")} in shared packs, S3’s
        list prices (${(PRICES.put * 1000).toFixed(4)} for 1,000 puts, ${(PRICES.get * 1000).toFixed(4)} for
        1,000 gets, ${PRICES.gigabyteMonth} for a gigabyte a month) and {REQUEST_MS} ms for a request.
      </p>
      <div class="dials">
        <Slider
          label="A pack every"
          words={millis(dial.shipMs)}
          max={STEPS_MS.length - 1}
          value={ship}
          set={setShip}
        />
        <Slider
          label="Replicas ask every"
          words={millis(dial.pollMs)}
          max={STEPS_MS.length - 1}
          value={poll}
          set={setPoll}
        />
        <Slider
          label="Written to"
          words={`${busy} % of the time`}
          min={1}
          max={100}
          value={busy}
          set={setBusy}
        />
        <Slider label="Log kept" words={counted(days, "day")} min={1} max={365} value={days} set={setDays} />
      </div>
      <dl class="facts facts-wide">
        <Fact name="Lag">
          {millis(cost.lagMs)} on average, {millis(cost.lagMaxMs)} at worst while nothing fails
        </Fact>
        <Fact name="Requests">
          {count(Math.round(cost.puts))} puts and {count(Math.round(cost.gets))} gets a month:{" "}
          {dollars(cost.requests)}
        </Fact>
        <Fact name="Storage">{dollars(cost.storage)} a month</Fact>
        <Fact name="In all">
          <b>{dollars(cost.all)}</b> a month, {dollars(cost.each)} for each table
        </Fact>
      </dl>
    </section>
  );
}

function Slider(props: {
  label: string;
  words: string;
  min?: number;
  max: number;
  value: number;
  set: (value: number) => void;
}) {
  return (
    <label class="dial">
      <span>
        {props.label} <b>{props.words}</b>
      </span>
      <input
        type="range"
        min={props.min ?? 0}
        max={props.max}
        value={props.value}
        data-keys="own"
        aria-valuetext={props.words}
        onInput={(event) => props.set(Number(event.currentTarget.value))}
      />
    </label>
  );
}

function dollars(value: number): string {
  return value > 0 && value < 0.01 ? "less than $0.01" : `$${value.toFixed(2)}`;
}
