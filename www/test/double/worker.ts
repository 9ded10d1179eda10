/** The stand-in engine in a worker, for `www/build.mjs --double`. */
import type { Request } from "../../worker/protocol.js";
import { Double } from "./engine.js";

const double = new Double();

onmessage = async (event: MessageEvent<Request>) => {
  const { id, method, args } = event.data;
  try {
    const ok =
      method === "open"
        ? await double.open((progress) => postMessage({ id, progress }))
        : (double[method as "state"] as (...all: unknown[]) => unknown).apply(double, args);
    postMessage({ id, ok });
  } catch (error) {
    postMessage({ id, error: { kind: "usage", message: String(error) } });
  }
};
