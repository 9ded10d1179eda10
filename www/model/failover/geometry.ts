/** Where the stage's figures stand, and where what travels is at a moment. Pure. */
import { nodeState } from "./words.js";
import { clientEnd, type End, type Flight, nodeEnd, type Told } from "./told.js";

export interface Place {
  x: number;
  y: number;
}

export interface Geometry {
  width: number;
  height: number;
  places: ReadonlyMap<End, Place>;
}

const WIDTH = 1000;
const ROW = 76;
const TOP = 60;

/** Clients on the left, nodes in the middle, the bucket on the right; on a narrow stage from top to bottom. */
export function geometryOf(told: Told, narrow: boolean): Geometry {
  const places = new Map<End, Place>();
  const [clients, nodes] = [told.clients.length, told.nodes.length];
  const most = Math.max(clients, nodes, 3);
  if (narrow) {
    const spread = (i: number, n: number) => (WIDTH / 2) * ((2 * i + 1) / n);
    told.clients.forEach((one, i) =>
      places.set(clientEnd(one.client), { x: spread(i, clients) / 2.6, y: 60 }),
    );
    told.nodes.forEach((one, i) => places.set(nodeEnd(one.node), { x: spread(i, nodes) / 2.6, y: 230 }));
    places.set("bucket", { x: WIDTH / 5.2, y: 400 });
    return { width: WIDTH / 2.6, height: 470, places };
  }
  const height = 2 * TOP + ROW * (most - 1);
  const column = (x: number, n: number) => (i: number) => ({
    x,
    y: height / 2 + (i - (n - 1) / 2) * ROW,
  });
  told.clients.forEach((one, i) => places.set(clientEnd(one.client), column(130, clients)(i)));
  told.nodes.forEach((one, i) => places.set(nodeEnd(one.node), column(490, nodes)(i)));
  places.set("bucket", { x: 860, y: height / 2 });
  return { width: WIDTH, height, places };
}

export interface Travelling extends Place {
  flight: Flight;
  /** How far it is, 0 to 1. */
  part: number;
}

/** Where all that travels is at `us`: from the model's own times of sending and arrival. */
export function travelling(geometry: Geometry, flights: readonly Flight[], us: number): Travelling[] {
  const found: Travelling[] = [];
  for (const flight of flights) {
    const [from, to] = [geometry.places.get(flight.from), geometry.places.get(flight.to)];
    if (!from || !to) continue;
    const part = partOf(flight, us);
    found.push({ flight, part, x: from.x + (to.x - from.x) * part, y: from.y + (to.y - from.y) * part });
  }
  return found;
}

export function partOf({ sent_us: sent, arrives_us: arrives }: Flight, us: number): number {
  if (arrives <= sent) return 1;
  return Math.max(0, Math.min(1, (us - sent) / (arrives - sent)));
}

/** Whether a fault in force lies between two ends. */
export function isCut(told: Told, from: End, to: End): boolean {
  return told.troubles.some(
    ({ fault, ends }) =>
      (fault === "partition" || fault === "black-hole") && ends.includes(from) !== ends.includes(to),
  );
}

/** The lines of the stage: who talks to whom. */
export function linesOf(told: Told): { from: End; to: End; cut: boolean; live: boolean }[] {
  const toBucket = told.nodes.map((node) => ({
    from: nodeEnd(node.node),
    to: "bucket",
    cut: isCut(told, nodeEnd(node.node), "bucket"),
    live: nodeState(node) !== "down",
  }));
  const toNodes = told.clients
    .filter((client) => client.node !== null)
    .map((client) => {
      const [from, to] = [clientEnd(client.client), nodeEnd(client.node ?? 0)];
      return { from, to, cut: isCut(told, from, to), live: true };
    });
  return [...toNodes, ...toBucket];
}
