/** What happened, the newest first. */
import type { LabTold } from "../../../pkg/types.js";
import { count } from "../../model/format.js";
import { moment } from "../../model/lab/words.js";

const LINES_MAX = 100;

export function LabEvents({ told }: { told: LabTold }) {
  const events = told.events.slice(-LINES_MAX).reverse();
  return (
    <details class="lab-events" open>
      <summary>What happened: {count(told.happened)} things</summary>
      <div class="lab-scroll lab-list" tabIndex={0} role="group" data-keys="own" aria-label="What happened">
        <table class="plain">
          <thead>
            <tr>
              <th scope="col">When</th>
              <th scope="col">Instance</th>
              <th scope="col">Partition</th>
              <th scope="col">What</th>
            </tr>
          </thead>
          <tbody>
            {events.map((event, i) => (
              <tr key={told.happened - i}>
                <td class="mono">{moment(event.atUs)}</td>
                <td>{event.instance === null ? "all" : told.instances[event.instance]?.name}</td>
                <td class="mono">{event.partition ?? ""}</td>
                <td>{event.text}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
