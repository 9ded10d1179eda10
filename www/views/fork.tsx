/** Says how a fork of the moment on show comes along. */
import { useSnapshot, useStage } from "./hooks.js";

export function ForkBar() {
  const stage = useStage();
  const fork = useSnapshot((s) => s.shown.fork);
  if (!fork) return null;
  if (!fork.error) {
    return (
      <p class="bar" role="status">
        Reading the rows of this moment for the fork …
      </p>
    );
  }
  return (
    <p class="bar bar-bad" role="alert">
      Nothing could be forked here: {fork.error.message}.{" "}
      <button type="button" class="button small" onClick={() => stage.tell({ fork: null })}>
        <span class="button-words">Close</span>
      </button>
    </p>
  );
}
