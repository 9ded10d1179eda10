/** The stand-in engine in a worker, for `www/build.mjs --double`. */
import type { Request } from "../../worker/protocol.js";
import { Double } from "./engine.js";

const double = new Double();

onmessage = async (event: MessageEvent<Request>) => {
  const { id, method, args } = event.data;
  try {
    const source = method === "open" ? args[0] : null;
    if (source?.kind === "url" && !source.url.includes("/recordings/")) {
      postMessage({ id, error: { kind: "network", message: "the stand-in reads nothing", url: source.url } });
      return;
    }
    const ok =
      method === "open"
        ? await double.open((progress) => postMessage({ id, progress }))
        : (double[method as "state"] as (...all: unknown[]) => unknown).apply(double, args);
    postMessage({ id, ok });
  } catch (error) {
    postMessage({ id, error: { kind: "usage", message: String(error) } });
  }
};
