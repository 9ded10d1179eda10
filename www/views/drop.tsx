/** Dropping a folder on the page: says beforehand what will happen. */
import { useEffect, useState } from "preact/hooks";
import type { Gathered } from "../engine/files.js";
import { gatherDrop } from "../engine/files.js";
import type { Stage } from "../stage.js";
import { useStage } from "./hooks.js";

/** Opens a folder's files; the link says that it takes the folder to restore this view. */
export function openGathered(stage: Stage, gathered: Gathered): void {
  const query = new URLSearchParams(location.search);
  query.delete("src");
  query.set("dropped", gathered.source.name);
  history.pushState(null, "", `?${query.toString()}`);
  void stage.open({
    source: gathered.source,
    title: gathered.source.name,
    bundled: false,
    second: null,
    memory: stage.opening.memory,
  });
}

export function DropTarget() {
  const stage = useStage();
  const [over, setOver] = useState(false);
  const [trouble, setTrouble] = useState<string | null>(null);
  useEffect(() => {
    let depth = 0;
    const carriesFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") === true;
    const onEnter = (event: DragEvent) => {
      if (!carriesFiles(event)) return;
      depth++;
      setTrouble(null);
      setOver(true);
    };
    const onLeave = () => {
      depth = Math.max(0, depth - 1);
      if (depth === 0) setOver(false);
    };
    const onOver = (event: DragEvent) => {
      if (carriesFiles(event)) event.preventDefault();
    };
    const onDrop = (event: DragEvent) => {
      depth = 0;
      setOver(false);
      if (!carriesFiles(event) || !event.dataTransfer) return;
      event.preventDefault();
      gatherDrop(event.dataTransfer.items).then(
        (gathered) => openGathered(stage, gathered),
        (error: unknown) => setTrouble(error instanceof Error ? error.message : String(error)),
      );
    };
    addEventListener("dragenter", onEnter);
    addEventListener("dragleave", onLeave);
    addEventListener("dragover", onOver);
    addEventListener("drop", onDrop);
    return () => {
      removeEventListener("dragenter", onEnter);
      removeEventListener("dragleave", onLeave);
      removeEventListener("dragover", onOver);
      removeEventListener("drop", onDrop);
    };
  }, [stage]);
  if (trouble !== null) {
    return (
      <p class="bar bar-bad drop-trouble" role="alert">
        {trouble}{" "}
        <button type="button" class="linklike" onClick={() => setTrouble(null)}>
          Close
        </button>
      </p>
    );
  }
  return over ? (
    <div class="drop" aria-hidden="true">
      <p>
        <b>Let go to replay this folder</b>
        <span>It is read in this tab, as it is needed. Nothing is sent anywhere, nothing is changed.</span>
      </p>
    </div>
  ) : null;
}
