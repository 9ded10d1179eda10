/** Small parts used all over. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Command } from "../model/command.js";
import type { Kind } from "../model/kinds.js";
import { KIND_MARKS, KIND_WORDS } from "../model/kinds.js";
import { useDispatch } from "./hooks.js";

const ICONS = {
  play: "M4 2.5 13 8 4 13.5Z",
  pause: "M3.5 2.5H6.5V13.5H3.5ZM9.5 2.5H12.5V13.5H9.5Z",
  reverse: "M12 2.5 3 8 12 13.5Z",
  next: "M5 3 10.5 8 5 13 3.8 11.8 7.9 8 3.8 4.2ZM11 3H12.6V13H11Z",
  previous: "M11 3 5.5 8 11 13 12.2 11.8 8.1 8 12.2 4.2ZM5 3H3.4V13H5Z",
  nextEvent: "M1.5 3.5 6.5 8 1.5 12.5ZM11 4 15 8 11 12 7 8Z",
  previousEvent: "M14.5 3.5 9.5 8 14.5 12.5ZM5 4 1 8 5 12 9 8Z",
  start: "M2.5 2.5H4.5V13.5H2.5ZM13 2.5V13.5L5.5 8Z",
  end: "M13.5 2.5H11.5V13.5H13.5ZM3 2.5V13.5L10.5 8Z",
  live: "M8 5.6A2.4 2.4 0 1 0 8 10.4 2.4 2.4 0 1 0 8 5.6ZM3.6 2.5 4.7 3.6A6.2 6.2 0 0 0 4.7 12.4L3.6 13.5A7.8 7.8 0 0 1 3.6 2.5ZM12.4 2.5A7.8 7.8 0 0 1 12.4 13.5L11.3 12.4A6.2 6.2 0 0 0 11.3 3.6Z",
  search:
    "M7 1.5A5.5 5.5 0 1 0 10.3 11.4L13.9 15 15 13.9 11.4 10.3A5.5 5.5 0 0 0 7 1.5ZM7 3A4 4 0 1 1 7 11 4 4 0 1 1 7 3Z",
  share: "M8 1 12 5 10.9 6.1 8.8 4V10H7.2V4L5.1 6.1 4 5ZM2.5 8H4V13.5H12V8H13.5V15H2.5Z",
  open: "M1.5 3H6.2L7.7 4.5H14.5V13H1.5ZM3 6V11.5H13V6Z",
  real: "M8 1 14 3.5V8C14 11.5 11.5 14 8 15 4.5 14 2 11.5 2 8V3.5ZM7.2 10.8 11.6 6.4 10.5 5.3 7.2 8.6 5.6 7 4.5 8.1Z",
  help: "M8 1A7 7 0 1 0 8 15 7 7 0 1 0 8 1ZM7.2 11.2H8.8V12.6H7.2ZM5.3 6.2C5.3 4.5 6.5 3.5 8.1 3.5 9.6 3.5 10.8 4.5 10.8 6 10.8 7.9 8.8 8 8.8 9.9H7.2C7.2 7.3 9.2 7.4 9.2 6.1 9.2 5.4 8.7 5 8 5 7.3 5 6.9 5.4 6.9 6.2Z",
  theme: "M8 1A7 7 0 1 0 8 15 7 7 0 1 0 8 1ZM8 2.6V13.4A5.4 5.4 0 1 1 8 2.6Z",
  close: "M3.4 2.3 8 6.9 12.6 2.3 13.7 3.4 9.1 8 13.7 12.6 12.6 13.7 8 9.1 3.4 13.7 2.3 12.6 6.9 8 2.3 3.4Z",
  fit: "M1.5 5V1.5H5V3H3V5ZM11 1.5H14.5V5H13V3H11ZM1.5 11H3V13H5V14.5H1.5ZM13 11H14.5V14.5H11V13H13Z",
  plus: "M7.2 2.5H8.8V7.2H13.5V8.8H8.8V13.5H7.2V8.8H2.5V7.2H7.2Z",
  fork: "M2 7.2H6.4L10.6 3H13V4.6H11.3L8.3 7.6 11.3 11.4H13V13H10.5L6.7 8.8H2Z",
  minus: "M2.5 7.2H13.5V8.8H2.5Z",
} as const;

export type IconName = keyof typeof ICONS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={ICONS[name]} />
    </svg>
  );
}

/** A button that makes a command. */
export function CommandButton(props: {
  command: Command;
  label: string;
  icon: IconName;
  /** Shows the label beside the icon. */
  worded?: boolean;
  class?: string;
  pressed?: boolean;
  keys?: string;
}) {
  const dispatch = useDispatch();
  return (
    <button
      type="button"
      class={`button ${props.class ?? ""}`}
      aria-label={props.worded ? undefined : props.label}
      aria-keyshortcuts={props.keys}
      aria-pressed={props.pressed}
      title={props.keys ? `${props.label} (${props.keys})` : props.label}
      onClick={() => dispatch(props.command)}
    >
      <Icon name={props.icon} />
      {props.worded ? <span class="button-words">{props.label}</span> : null}
    </button>
  );
}

/** The mark of a kind of transaction; the words are read out. */
export function KindMark({ kind, worded = false, words }: { kind: Kind; worded?: boolean; words?: string }) {
  return (
    <span class={`kind k-${kind}`}>
      <svg viewBox="0 0 12 12" class="kind-mark" role={worded ? undefined : "img"} aria-hidden={worded}>
        {worded ? null : <title>{KIND_WORDS[kind]}</title>}
        <path d={KIND_MARKS[kind]} />
      </svg>
      {worded ? <span>{words ?? KIND_WORDS[kind]}</span> : null}
    </span>
  );
}

export function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Thirty-two bars as high as the digest's digits: equal rows look equal at a glance. */
export function Fingerprint({ digest }: { digest: string }) {
  const bars = Array.from(digest.slice(0, 32), (digit) => Number.parseInt(digit, 16));
  const path = bars
    .map((n, i) => (Number.isNaN(n) ? "" : `M${i * 3} ${16 - n}V16.5H${i * 3 + 2}V${16 - n}Z`))
    .join("");
  return (
    <svg class="fingerprint" viewBox="0 0 96 17" preserveAspectRatio="none" aria-hidden="true">
      <path d={path} />
    </svg>
  );
}

/** Copies text; says whether that worked. */
export function CopyButton({ text, label, icon }: { text: () => string; label: string; icon?: IconName }) {
  const [said, say] = useState<string | null>(null);
  const copy = () => {
    navigator.clipboard.writeText(text()).then(
      () => say("Copied"),
      () => say("The browser refused; select and copy it"),
    );
    setTimeout(() => say(null), 2500);
  };
  return (
    <button type="button" class="button" title={said ?? label} onClick={copy}>
      {icon ? <Icon name={icon} /> : null}
      <span class="button-words" aria-live="polite">
        {said ?? label}
      </span>
    </button>
  );
}
