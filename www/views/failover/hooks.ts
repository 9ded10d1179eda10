/** How the lab's views read its driver. */
import { createContext } from "preact";
import { useContext, useEffect, useRef, useState } from "preact/hooks";
import type { Failover } from "../../failover.js";
import type { LabCommand } from "../../model/failover/command.js";
import type { Told } from "../../model/failover/told.js";

export const LabContext = createContext<Failover | null>(null);

/** Numbers and lanes are drawn no more often than this while the clock runs. */
const SLOW_MS = 120;

export function useLab(): Failover {
  const lab = useContext(LabContext);
  if (!lab) throw new Error("no lab");
  return lab;
}

/** Part of the lab; the view is drawn again only when that part is another. `slow`: now and then while the clock runs. */
export function useLabValue<T>(select: (lab: Failover) => T, slow = false): T {
  const lab = useLab();
  const [, redraw] = useState(0);
  const value = select(lab);
  const latest = useRef(value);
  latest.current = value;
  const chosen = useRef(select);
  chosen.current = select;
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const check = () => {
      timer = undefined;
      if (!Object.is(chosen.current(lab), latest.current)) redraw((n) => n + 1);
    };
    const changed = () => {
      if (!slow || !lab.state.playing) check();
      else timer ??= setTimeout(check, SLOW_MS);
    };
    check();
    const stop = lab.subscribe(changed);
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [lab, slow]);
  return value;
}

export function useTold(slow = false): Told | null {
  return useLabValue((lab) => lab.told, slow);
}

export function useLabDispatch(): (command: LabCommand) => void {
  return useLab().dispatch;
}
