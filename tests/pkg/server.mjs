/** Static servers of several characters, over files in memory. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { join, relative, sep } from "node:path";

/** All files below a folder: path with `/` -> bytes. */
export function filesBelow(folder) {
  const files = new Map();
  for (const name of readdirSync(folder, { recursive: true })) {
    const path = join(folder, name);
    if (statSync(path).isFile()) files.set(relative(folder, path).split(sep).join("/"), readFileSync(path));
  }
  return files;
}

/** What `understudy index` writes. */
export function indexOf(files) {
  const entries = [...files].map(([path, bytes]) => ({ path, size: bytes.length }));
  return Buffer.from(JSON.stringify({ understudy_index: 1, files: entries }));
}

/**
 * Serves `files` below `/db/`. Options: `ranges` (default true) honours Range; `interfere(request, response)`
 * may answer by itself and return true; `tellsSize` (default true) sends Content-Range with the total.
 */
export async function serve(files, { ranges = true, tellsSize = true, interfere = () => false } = {}) {
  const seen = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname).replace(/^\/db\//, "");
    seen.push({ path, method: request.method, range: request.headers.range });
    if (interfere({ path, request, count: seen.filter((past) => past.path === path).length }, response)) return;
    const bytes = files.get(path);
    if (!bytes) return response.writeHead(404).end("no such file");
    const asked = ranges ? /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") : null;
    if (!asked) return response.writeHead(200, { "Content-Length": bytes.length }).end(bytes);
    const total = tellsSize ? bytes.length : "*";
    const first = Number(asked[1]);
    if (first >= bytes.length) return response.writeHead(416, { "Content-Range": `bytes */${total}` }).end();
    const last = Math.min(Number(asked[2]), bytes.length - 1);
    response.writeHead(206, { "Content-Range": `bytes ${first}-${last}/${total}`, "Content-Length": last - first + 1 });
    response.end(bytes.subarray(first, last + 1));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const close = () => {
    server.closeAllConnections();
    return new Promise((done) => server.close(done));
  };
  return { url: `http://127.0.0.1:${server.address().port}/db/`, seen, close };
}
