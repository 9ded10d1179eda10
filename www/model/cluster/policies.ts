/** Storage policies as the instances' journals tell of them. Pure. */
import type { Cluster } from "../../../pkg/types.js";

export interface PolicyTold {
  policy: string;
  status: string;
  /** The TTL that wins over it. */
  ttl: string | null;
}

export interface PolicyStepTold {
  atUs: number;
  instance: string;
  partition: string | null;
  text: string;
}

/** The table's policy as a primary told of it last, up to a time. */
export function policyAt(cluster: Cluster, dir: string, us: number): PolicyTold | null {
  let last: { atUs: number; told: PolicyTold | null } = { atUs: -Infinity, told: null };
  for (const { entries } of cluster.instances) {
    for (const entry of entries) {
      if (entry.what !== "policies" || entry.at_us > us || entry.at_us < last.atUs) continue;
      const found = entry.tables[dir];
      const told = found ? { policy: found.policy, status: found.status, ttl: found.ttl ?? null } : null;
      last = { atUs: entry.at_us, told };
    }
  }
  return last.told;
}

/** What instances did about it up to a time, the newest first. */
export function stepsAt(cluster: Cluster, dir: string, us: number, most: number): PolicyStepTold[] {
  const steps = cluster.instances.flatMap(({ name, entries }) =>
    entries.flatMap((entry): PolicyStepTold[] => {
      if (entry.what !== "policy_step" || entry.table !== dir || entry.at_us > us) return [];
      const { partition = null, step, task = "", text } = entry;
      const words = `${task} ${step.replace(/_/g, " ")}`.trim();
      return [
        {
          atUs: entry.at_us,
          instance: name,
          partition,
          text: text === undefined ? words : `${words}: ${text}`,
        },
      ];
    }),
  );
  return steps.sort((a, b) => b.atUs - a.atUs).slice(0, most);
}
