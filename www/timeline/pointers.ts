/** Mouse, pen and fingers over the timeline: scrub, choose a range, pinch, wheel. */
import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

export interface Gestures {
  /** `done` when the finger has left. */
  scrub: (x: number, y: number, done: boolean) => void;
  select: (from: number, to: number) => void;
  zoom: (factor: number, x: number) => void;
  pan: (dx: number) => void;
  /** null when the pointer has left. */
  hover: (x: number | null, y: number) => void;
}

const RANGE_PX_MIN = 6;
const WHEEL_ZOOM = 0.0022;

/** Returns the range being chosen (Shift and drag), in px. */
export function usePointers(
  box: RefObject<HTMLElement | null>,
  gestures: Gestures,
): { from: number; to: number } | null {
  const latest = useRef(gestures);
  latest.current = gestures;
  const [range, setRange] = useState<{ from: number; to: number } | null>(null);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    return listen(element, () => latest.current, setRange);
  }, [box]);
  return range;
}

type Point = { x: number; y: number };

function listen(
  element: HTMLElement,
  now: () => Gestures,
  setRange: (range: { from: number; to: number } | null) => void,
): () => void {
  const down = new Map<number, Point>();
  let rangeFrom: number | null = null;
  let pinch: { distance: number; middle: number } | null = null;

  const place = (event: MouseEvent): Point => {
    const box = element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const onDown = (event: PointerEvent) => {
    if (event.button !== 0) return;
    const at = place(event);
    element.setPointerCapture(event.pointerId);
    down.set(event.pointerId, at);
    if (down.size === 2) pinch = pinchOf(down);
    else if (event.shiftKey) rangeFrom = at.x;
    else now().scrub(at.x, at.y, false);
  };
  const onMove = (event: PointerEvent) => {
    const at = place(event);
    if (!down.has(event.pointerId))
      return event.pointerType === "mouse" ? now().hover(at.x, at.y) : undefined;
    down.set(event.pointerId, at);
    if (pinch && down.size === 2) {
      const next = pinchOf(down);
      if (pinch.distance > 0 && next.distance > 0) now().zoom(next.distance / pinch.distance, next.middle);
      now().pan(next.middle - pinch.middle);
      pinch = next;
    } else if (rangeFrom !== null) {
      setRange({ from: Math.min(rangeFrom, at.x), to: Math.max(rangeFrom, at.x) });
    } else if (!pinch) {
      now().scrub(at.x, at.y, false);
      now().hover(at.x, at.y);
    }
  };
  const onUp = (event: PointerEvent) => {
    if (!down.delete(event.pointerId)) return;
    const at = place(event);
    if (rangeFrom !== null) {
      if (Math.abs(at.x - rangeFrom) >= RANGE_PX_MIN)
        now().select(Math.min(rangeFrom, at.x), Math.max(rangeFrom, at.x));
      rangeFrom = null;
      setRange(null);
    } else if (pinch) {
      if (down.size === 0) pinch = null;
    } else {
      now().scrub(at.x, at.y, true);
    }
    if (event.pointerType !== "mouse") now().hover(null, 0);
  };
  const onCancel = (event: PointerEvent) => {
    down.delete(event.pointerId);
    rangeFrom = null;
    pinch = null;
    setRange(null);
  };
  const onWheel = (event: WheelEvent) => {
    event.preventDefault();
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) return now().pan(-event.deltaX);
    const pixels = event.deltaMode === 1 ? event.deltaY * 33 : event.deltaY;
    now().zoom(Math.exp(-pixels * WHEEL_ZOOM), place(event).x);
  };
  const onLeave = () => now().hover(null, 0);

  element.addEventListener("pointerdown", onDown);
  element.addEventListener("pointermove", onMove);
  element.addEventListener("pointerup", onUp);
  element.addEventListener("pointercancel", onCancel);
  element.addEventListener("pointerleave", onLeave);
  element.addEventListener("wheel", onWheel, { passive: false });
  return () => {
    element.removeEventListener("pointerdown", onDown);
    element.removeEventListener("pointermove", onMove);
    element.removeEventListener("pointerup", onUp);
    element.removeEventListener("pointercancel", onCancel);
    element.removeEventListener("pointerleave", onLeave);
    element.removeEventListener("wheel", onWheel);
  };
}

function pinchOf(down: Map<number, Point>): { distance: number; middle: number } {
  const [a, b] = [...down.values()];
  if (!a || !b) return { distance: 0, middle: 0 };
  return { distance: Math.hypot(a.x - b.x, a.y - b.y), middle: (a.x + b.x) / 2 };
}
