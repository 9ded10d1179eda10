/** What the run's requests would cost in a month, at list prices. Pure. */
import { PRICES } from "../cluster/cost.js";
import type { Told } from "./told.js";

const MONTH_US = 30 * 86_400 * 1e6;

export interface Bill {
  puts: number;
  gets: number;
  dollars: number;
}

/** Requests of a month that is all like the run so far; null while there is nothing to reckon with. */
export function monthOf({ requests }: Told, us: number): Bill | null {
  if (us < 1e6) return null;
  const times = MONTH_US / us;
  const [puts, gets] = [requests.puts * times, requests.gets * times];
  return { puts, gets, dollars: puts * PRICES.put + gets * PRICES.get };
}

/** Acknowledged, and in no history: yet, or for good. */
export function atRisk({ rows }: Told): number {
  return Math.max(0, rows.acknowledged - rows.in_history);
}
