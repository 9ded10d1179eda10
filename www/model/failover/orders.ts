/** What a command asks of the cluster, by who is primary and whom the focus is on. Pure. */
import type { LabCommand } from "./command.js";
import { type End, nodeEnd, type Order, primaryOf, type Scenario, successorOf, type Told } from "./told.js";

/** What the resolving looks at. */
export interface Around {
  told: Told;
  focus: End | null;
  durable: boolean;
  stored: boolean;
}

/** The order that a command means; null if it means none, or there is nobody to give it to. */
export function orderOf(command: LabCommand, { told, focus, durable, stored }: Around): Order | null {
  const primary = primaryOf(told);
  switch (command.do) {
    case "give":
      return command.order;
    case "killPrimary":
      return primary ? { do: "kill", node: primary.node } : null;
    case "cutPrimary":
      return primary ? { do: "partition", ends: [nodeEnd(primary.node)] } : null;
    case "pausePrimary":
      return primary ? { do: "pause", node: primary.node } : null;
    case "promote": {
      const node = chosen(told, focus) ?? successorOf(told)?.node;
      if (node === undefined) return null;
      return command.planned ? { do: "promote", node, planned: true } : { do: "promote", node };
    }
    case "toggleDurable":
      return { do: "durable", on: !durable };
    case "toggleStored":
      return { do: "store-and-forward", on: !stored };
    default:
      return null;
  }
}

/** The node in focus, unless it is primary already. */
function chosen(told: Told, focus: End | null): number | null {
  const node = told.nodes.find((one) => nodeEnd(one.node) === focus);
  return node && node.role !== "primary" ? node.node : null;
}

/** Whether a switch is on at a time: as the scenario begins, and as it was set since. */
export function isOn(
  what: "durable" | "store-and-forward",
  scenario: Scenario | null,
  script: readonly Order[],
): boolean {
  const { client } = scenario ?? {};
  const begun = (what === "durable" ? client?.durable : client?.on_disk) ?? true;
  return script.reduce((on, order) => (order.do === what ? order.on : on), begun);
}
