/** Buttons of the lab: each makes a command, and says its key. */
import { keyWords } from "../../model/command.js";
import { keysOf, LAB_COMMANDS, type LabCommand } from "../../model/failover/command.js";
import { orderWords } from "../../model/failover/words.js";
import type { Order } from "../../model/failover/told.js";
import { Icon, type IconName } from "../bits.js";
import { useLabDispatch } from "./hooks.js";

/** A button of an entry of the command table. */
export function Press(props: {
  id: string;
  icon?: IconName;
  /** In place of the entry's own words. */
  label?: string;
  worded?: boolean;
  pressed?: boolean;
  disabled?: boolean;
  class?: string;
  command?: LabCommand;
}) {
  const dispatch = useLabDispatch();
  const entry = LAB_COMMANDS.find((known) => known.id === props.id);
  const label = props.label ?? entry?.title ?? props.id;
  const key = keysOf(props.id)[0];
  const command = props.command ?? entry?.command;
  return (
    <button
      type="button"
      class={`button ${props.class ?? ""}`}
      aria-label={props.worded ? undefined : label}
      aria-keyshortcuts={key === undefined ? undefined : keyWords(key).join("+")}
      aria-pressed={props.pressed}
      disabled={props.disabled}
      title={key === undefined ? label : `${entry?.title ?? label} (${keyWords(key).join("+")})`}
      onClick={() => command && dispatch(command)}
    >
      {props.icon ? <Icon name={props.icon} /> : null}
      {props.worded ? <span class="button-words">{label}</span> : null}
    </button>
  );
}

/** A button that gives the cluster a command. */
export function Give({ order, label, primary }: { order: Order; label?: string; primary?: boolean }) {
  const dispatch = useLabDispatch();
  return (
    <button
      type="button"
      class={`button small ${primary ? "primary" : ""}`}
      data-order={order.do}
      onClick={() => dispatch({ do: "give", order })}
    >
      <span class="button-words">{label ?? orderWords(order)}</span>
    </button>
  );
}
