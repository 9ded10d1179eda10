/** Why the chosen brick is as it is, what comes next, and its rows as the instance reads them. */
import { useEffect, useState } from "preact/hooks";
import type { LabTold, RowsText } from "../../../pkg/types.js";
import { detailOf } from "../../engine/client.js";
import { count } from "../../model/format.js";
import type { Brick } from "../../model/lab/lab.js";
import { brickWords, nextWords } from "../../model/lab/words.js";
import { Fingerprint } from "../bits.js";
import { useSnapshot, useStage } from "../hooks.js";

const ROWS = 5;

export function WhyPanel({ told }: { told: LabTold }) {
  const brick = useSnapshot((s) => s.state.lab?.brick ?? null);
  const why = useSnapshot((s) => s.shown.lab?.why ?? null);
  if (!brick) return <p class="quiet">Choose a brick to see why it is as it is.</p>;
  const lane = told.instances[brick.instance];
  const place = told.partitions.findIndex(({ name }) => name === brick.partition);
  const shown = lane?.bricks[place];
  if (!lane || !shown) return <p class="quiet">There is no partition {brick.partition} at this moment.</p>;
  return (
    <section class="lab-why" aria-label="Why">
      <h3>
        {lane.name}, {brickWords(brick.partition, shown)}
      </h3>
      {why ? (
        <p>
          <b>{sentence(why.because)}</b> {nextWords(why, told.nowUs)}{" "}
          <span class="quiet">
            Changed last by txn {count(why.version)}
            {why.remote === null ? "" : `; the bucket has it as of txn ${count(why.remote)}`}.
          </span>
        </p>
      ) : null}
      {shown.digest === null ? null : (
        <p>
          <Fingerprint digest={shown.digest} /> <span class="mono">{shown.digest}</span>
        </p>
      )}
      <RowsOf brick={brick} form={shown.stands} key={`${brick.instance} ${brick.partition} ${told.nowUs}`} />
    </section>
  );
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}

const READ_WORDS = {
  native: "Read its rows",
  parquet: "Read its rows from the Parquet file",
  remote: "Read its rows from the bucket’s file",
  dropped: null,
};

function RowsOf({ brick, form }: { brick: Brick; form: keyof typeof READ_WORDS }) {
  const stage = useStage();
  const [asked, ask] = useState(false);
  const [rows, take] = useState<RowsText | { error: string } | null>(null);
  useEffect(() => {
    if (!asked) return;
    stage.lab?.rows(brick.instance, brick.partition, ROWS).then(take, (error: unknown) => {
      take({ error: detailOf(error).message });
    });
  }, [asked, brick, stage]);
  const words = READ_WORDS[form];
  if (words === null) return null;
  if (!asked)
    return (
      <button type="button" class="button" onClick={() => ask(true)}>
        <span class="button-words">{words}</span>
      </button>
    );
  if (rows === null) return <p class="quiet">Reading …</p>;
  if ("error" in rows) return <p class="note">{rows.error}</p>;
  return (
    <table class="plain lab-rows">
      <caption>
        The first {rows.rows.length} of {count(rows.total)} rows
      </caption>
      <thead>
        <tr>
          {rows.columns.map(({ name }) => (
            <th scope="col" key={name}>
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.rows.map((row, i) => (
          <tr key={i}>
            {row.map((cell, j) => (
              <td key={j} class="mono">
                {cell ?? "null"}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
