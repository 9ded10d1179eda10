/** Which part of a long list is in sight, for lists too long for the browser's own scroll height. */
import type { RefObject } from "preact";
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

/** Browsers cap an element's height; longer lists scroll in proportion. */
const HEIGHT_MAX = 8_000_000;
const OVERSCAN = 6;

export interface Virtual {
  scroller: RefObject<HTMLDivElement | null>;
  /** First line drawn, and how many. */
  first: number;
  count: number;
  /** First line in sight, and how many fit. */
  top: number;
  lines: number;
  /** Height of everything, and where the drawn lines begin, in px. */
  height: number;
  offset: number;
  onScroll: () => void;
  /** Scrolls so that `line` is the first one below the head. */
  reveal: (line: number) => void;
}

/** Where a line was put: in a squeezed list one pixel stands for many lines. */
export interface Revealed {
  scrollTop: number;
  line: number;
}

/** The line that was put there, as long as nobody has scrolled away since. */
export function standsAt(revealed: Revealed | null, scrollTop: number): number | null {
  return revealed && Math.abs(revealed.scrollTop - scrollTop) < 1 ? revealed.line : null;
}

export function useVirtual(total: number, lineHeight: number, headHeight: number): Virtual {
  const scroller = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [lines, setLines] = useState(20);
  const real = total * lineHeight;
  const height = Math.min(real, HEIGHT_MAX);
  const revealed = useRef<Revealed | null>(null);
  const room = Math.max(1, real - lines * lineHeight);
  const scrollRoom = Math.max(1, height - lines * lineHeight);
  const squeezed = real > HEIGHT_MAX;

  const lineAt = useCallback(
    (scrollTop: number) => Math.floor((squeezed ? (scrollTop / scrollRoom) * room : scrollTop) / lineHeight),
    [squeezed, scrollRoom, room, lineHeight],
  );

  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const measure = () => setLines(Math.max(4, Math.floor((element.clientHeight - headHeight) / lineHeight)));
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    measure();
    return () => observer.disconnect();
  }, [lineHeight, headHeight]);

  const onScroll = () => {
    const element = scroller.current;
    if (!element) return;
    const { scrollTop } = element;
    setTop(standsAt(revealed.current, scrollTop) ?? lineAt(scrollTop));
  };

  const reveal = (line: number) => {
    const element = scroller.current;
    if (!element) return;
    const pixels = line * lineHeight;
    element.scrollTop = squeezed ? (pixels / room) * scrollRoom : pixels;
    // What the browser made of it, rounded and kept within the list's height.
    revealed.current = { scrollTop: element.scrollTop, line };
    setTop(line);
  };

  const shownTop = Math.max(0, Math.min(top, total - lines));
  const first = Math.max(0, shownTop - OVERSCAN);
  const count = Math.min(total - first, lines + 2 * OVERSCAN);
  const under = squeezed
    ? (shownTop * lineHeight * scrollRoom) / room - (shownTop - first) * lineHeight
    : first * lineHeight;
  const offset = Math.max(0, Math.min(under, Math.max(0, height - count * lineHeight)));

  useLayoutEffect(() => {
    if (top > total) setTop(Math.max(0, total - lines));
  }, [top, total, lines]);

  return { scroller, first, count, top: shownTop, lines, height, offset, onScroll, reveal };
}
