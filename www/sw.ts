/**
 * The page without a network, once it was loaded: what the build has listed is kept, and nothing else is touched, so that a
 * server's own answers are always its own. Files whose names carry a hash come from what is kept; the rest is fetched anew
 * where that is possible.
 */
declare const __CACHE_NAME__: string;
/** The parts of a service worker's scope that are used; the compiler knows either a page's or a worker's. */
declare const self: {
  registration: { scope: string };
  clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(type: string, listener: (event: Lived) => void): void;
};

interface Lived {
  request: Request;
  data: unknown;
  waitUntil(done: Promise<unknown>): void;
  respondWith(answer: Promise<Response>): void;
}

interface Listed {
  /** Kept from the start. */
  shell: string[];
  /** Kept once the shell is: modules, lessons, recordings. */
  rest: string[];
}

const LIST = "cache.json";
const PREFIX = "understudy-";

self.addEventListener("install", (event) => {
  event.waitUntil(install());
});
self.addEventListener("activate", (event) => {
  event.waitUntil(activate());
});
self.addEventListener("fetch", (event) => {
  const path = ours(event.request);
  if (path === null) return;
  event.respondWith(path.startsWith("assets/") ? kept(event.request) : fresh(event.request));
});
self.addEventListener("message", (event) => {
  if (event.data === "keep") event.waitUntil(keepRest());
});

async function install(): Promise<void> {
  const { shell } = await list();
  const cache = await caches.open(__CACHE_NAME__);
  await cache.addAll(
    shell.map((file) => new Request(new URL(file, self.registration.scope), { cache: "no-cache" })),
  );
  await self.skipWaiting();
}

async function activate(): Promise<void> {
  for (const name of await caches.keys()) {
    if (name.startsWith(PREFIX) && name !== __CACHE_NAME__) await caches.delete(name);
  }
  await self.clients.claim();
}

/** What is not needed to begin with, one after the other: the page's own fetches come first. */
async function keepRest(): Promise<void> {
  const { rest } = await list();
  const cache = await caches.open(__CACHE_NAME__);
  for (const file of rest) {
    const url = new URL(file, self.registration.scope);
    if (await cache.match(url)) continue;
    // What can't be had now is fetched when it is wanted.
    await cache.add(url).catch(() => undefined);
  }
}

async function list(): Promise<Listed> {
  const url = new URL(LIST, self.registration.scope);
  const cache = await caches.open(__CACHE_NAME__);
  try {
    const answer = await fetch(url, { cache: "no-cache" });
    if (!answer.ok) throw new Error(String(answer.status));
    await cache.put(url, answer.clone());
    return (await answer.json()) as Listed;
  } catch (error) {
    const before = await cache.match(url);
    if (!before) throw error;
    return (await before.json()) as Listed;
  }
}

/** The file of the page that is asked for; null of everything else. */
function ours({ method, url }: Request): string | null {
  const scope = self.registration.scope;
  if (method !== "GET" || !url.startsWith(scope)) return null;
  const path = url.slice(scope.length).replace(/[?#].*$/, "");
  if (path === "" || /^(index\.html|cache\.json|parquet\.json|sim\.json)$/.test(path))
    return path || "index.html";
  return /^(assets|lessons|recordings)\//.test(path) ? path : null;
}

async function kept(request: Request): Promise<Response> {
  const cache = await caches.open(__CACHE_NAME__);
  const found = await cache.match(request, { ignoreSearch: true });
  if (found) return found;
  const answer = await fetch(request);
  if (answer.ok && answer.status === 200) void cache.put(request, answer.clone());
  return answer;
}

async function fresh(request: Request): Promise<Response> {
  const cache = await caches.open(__CACHE_NAME__);
  // The page itself is the same whatever stands behind its question mark.
  const url = new URL(request.url);
  const key = request.mode === "navigate" ? new URL("index.html", self.registration.scope) : url;
  try {
    const answer = await fetch(request);
    if (answer.status === 200) void cache.put(key, answer.clone());
    return answer;
  } catch (error) {
    const found = await cache.match(key, { ignoreSearch: true });
    if (found) return found;
    throw error;
  }
}

export {};
