/** What is known of the recording that comes with the page. */
import { useEffect, useState } from "preact/hooks";
import { BUNDLED } from "../engine/source.js";
import { count, counted } from "../model/format.js";
import { Fact } from "./bits.js";
import { useSnapshot } from "./hooks.js";

/** What the server itself said of its tables when the recording was made, beside what the replay has. */
interface Recording {
  questdb: string;
  description: string;
  tables: { name: string; seqTxn: number; rows: number }[];
}

export function Recorded() {
  const [recording, set] = useState<Recording | null>(null);
  const table = useSnapshot((s) => s.shown.table);
  useEffect(() => {
    fetch(new URL(`${BUNDLED}recording.json`, document.baseURI))
      .then((response) => response.json() as Promise<Recording>)
      .then(set, () => undefined);
  }, []);
  if (!recording) return null;
  const answer = recording.tables.find((t) => t.name === table?.name && t.seqTxn === table.seqTxn);
  return (
    <>
      <Fact name="Recorded">
        from QuestDB {recording.questdb}. {recording.description}
      </Fact>
      <Fact name="The server’s answer">
        {answer && table
          ? `${counted(answer.rows, "row")} in ${answer.name} at txn ${count(answer.seqTxn)}; the replay has ${count(table.rows)}`
          : `known for the end of each table’s log: ${recording.tables.map((t) => `${t.name} ${counted(t.rows, "row")}`).join(", ")}`}
      </Fact>
    </>
  );
}
