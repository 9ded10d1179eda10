/** Has older journals read when the playhead goes to where they tell of. */
import { clusterTime } from "./model/cluster/time.js";
import type { Stage } from "./stage.js";

export function bindJournals(stage: Stage): void {
  let reading = false;
  stage.subscribe(() => {
    const { cluster } = stage.shown;
    if (reading || !cluster || stage.condition.is !== "ready") return;
    const us = clusterTime(stage);
    if (typeof us !== "number" || !cluster.instances.some(({ since }) => since !== null && us < since))
      return;
    reading = true;
    stage.engine
      .call("journals", [us])
      .then(
        (cluster) => cluster && stage.tell({ cluster }),
        // What can't be read stays not known; the next move asks again.
        () => undefined,
      )
      .finally(() => (reading = false));
  });
}
