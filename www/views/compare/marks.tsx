/** Marks of what is the same and what is not. */
import type { Mark } from "../../model/compare.js";

const MARK_WORDS: Record<Mark, string> = {
  equal: "equal",
  differs: "differs",
  left: "only this side",
  right: "only other side",
  unknown: "not known",
};
/** Shapes differ, so that colour is never needed. */
export const MARK_SIGNS: Record<Mark, string> = {
  equal: "=",
  differs: "≠",
  left: "◧",
  right: "◨",
  unknown: "?",
};
export function MarkWord({ mark }: { mark: Mark }) {
  return (
    <span class={`mark mark-${mark}`}>
      <span aria-hidden="true">{MARK_SIGNS[mark]}</span> {MARK_WORDS[mark]}
    </span>
  );
}

/** One value where both sides have the same, else both of them. */
export function Both(props: { left: string | null; right: string | null; numeric?: boolean }) {
  const [left, right] = [props.left ?? "none", props.right ?? "none"];
  return (
    <td class={props.numeric ? "num" : "mono"}>
      {left}
      {left === right ? null : (
        <>
          {" "}
          <span aria-hidden="true">|</span>
          <span class="sr"> on this side, on the other </span> <b>{right}</b>
        </>
      )}
    </td>
  );
}
