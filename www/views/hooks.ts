/** How views read the stage. */
import type { RefObject } from "preact";
import { createContext } from "preact";
import { useContext, useEffect, useRef, useState } from "preact/hooks";
import type { Command } from "../model/command.js";
import type { Snapshot } from "../model/shown.js";
import type { Stage } from "../stage.js";

export const StageContext = createContext<Stage | null>(null);

export function useStage(): Stage {
  const stage = useContext(StageContext);
  if (!stage) throw new Error("no stage");
  return stage;
}

/** Part of the stage; the view is drawn again only when that part is another. */
export function useSnapshot<T>(select: (snapshot: Snapshot) => T): T {
  const stage = useStage();
  const [, redraw] = useState(0);
  const value = select(stage);
  const latest = useRef(value);
  latest.current = value;
  const chosen = useRef(select);
  chosen.current = select;
  useEffect(() => {
    const check = () => {
      if (!Object.is(chosen.current(stage), latest.current)) redraw((n) => n + 1);
    };
    check();
    return stage.subscribe(check);
  }, [stage]);
  return value;
}

export function useDispatch(): (command: Command) => void {
  return useStage().dispatch;
}

/** Width and height of an element, kept up to date. */
export function useSize<E extends HTMLElement = HTMLDivElement>(): [
  RefObject<E | null>,
  { width: number; height: number },
] {
  const ref = useRef<E>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    const observer = new ResizeObserver(() => {
      setSize({ width: element.clientWidth, height: element.clientHeight });
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [ref, size];
}

/** Changes when the theme does. */
export function useTheme(): string {
  const read = () =>
    `${document.documentElement.dataset["theme"] ?? ""}${matchMedia("(prefers-color-scheme: dark)").matches}`;
  const [theme, set] = useState(read);
  useEffect(() => {
    const update = () => set(read());
    const media = matchMedia("(prefers-color-scheme: dark)");
    const observer = new MutationObserver(update);
    observer.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    media.addEventListener("change", update);
    return () => {
      observer.disconnect();
      media.removeEventListener("change", update);
    };
  }, []);
  return theme;
}
