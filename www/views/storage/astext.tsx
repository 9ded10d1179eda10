/** All of it in words: a line for each partition, a column for each instance. */
import type { LabTold } from "../../../pkg/types.js";
import { count, size } from "../../model/format.js";
import { FORM_NAMES, LINE_NAMES, moment } from "../../model/lab/words.js";

const LINES_MAX = 500;

export function LabAsText({ told }: { told: LabTold }) {
  const first = Math.max(0, told.partitions.length - LINES_MAX);
  return (
    <details class="lab-text">
      <summary>The same as text</summary>
      <ul>
        {told.instances.map((lane) => (
          <li key={lane.name}>
            {lane.name}, clock {moment(lane.clockUs)}:{" "}
            {lane.lines
              .map((us, i) => (us === null ? null : `${LINE_NAMES[i]} of what ended by ${moment(us)}`))
              .filter((words) => words !== null)
              .join("; ") || "no lines"}
          </li>
        ))}
      </ul>
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">Partition</th>
            {told.instances.map((lane, i) => (
              <th scope="col" key={i}>
                {lane.name}
              </th>
            ))}
            <th scope="col">The same</th>
          </tr>
        </thead>
        <tbody>
          {told.partitions.slice(first).map(({ name }, at) => (
            <tr key={name}>
              <th scope="row" class="mono">
                {name}
              </th>
              {told.instances.map((lane, i) => {
                const brick = lane.bricks[first + at];
                return (
                  <td key={i}>
                    {brick
                      ? `${FORM_NAMES[brick.form]}, ${count(brick.rows)} rows, ${size(brick.bytes)}`
                      : "never there"}
                  </td>
                );
              })}
              <td>{told.differing.includes(name) ? "no" : "yes"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}
