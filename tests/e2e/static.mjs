/** A plain static server: what a bucket or GitHub Pages does, with knobs for what they do wrong. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".wasm": "application/wasm",
  ".json": "application/json",
  ".svg": "image/svg+xml",
};

/**
 * Serves `dir`; resolves to its address.
 * @param {string} dir
 * @param {{port?: number, host?: string, cors?: boolean, ranges?: boolean, base?: string}} [options]
 * @returns {Promise<string>}
 */
export async function serveStatic(dir, options = {}) {
  return (await startStatic(dir, options)).url;
}

/**
 * @param {string} dir
 * @param {{port?: number, host?: string, cors?: boolean, ranges?: boolean, base?: string}} [options]
 * @returns {Promise<{url: string, close: () => Promise<void>}>}
 */
export async function startStatic(dir, options = {}) {
  const { port = 0, host = "127.0.0.1", cors = true, ranges = true, base = "/" } = options;
  const server = createServer((request, response) => {
    answer(dir, { cors, ranges, base }, request, response).catch(() => {
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });
  await new Promise((done, fail) => server.once("error", fail).listen(port, host, () => done(undefined)));
  const address = server.address();
  const at = typeof address === "object" && address ? address.port : port;
  const close = () =>
    /** @type {Promise<void>} */ (
      new Promise((done) => {
        server.closeAllConnections();
        server.close(() => done());
      })
    );
  return { url: `http://${host}:${at}${base}`, close };
}

async function answer(dir, { cors, ranges, base }, request, response) {
  if (cors) {
    response.setHeader("Access-Control-Allow-Origin", "*");
    response.setHeader("Access-Control-Allow-Headers", "Range, If-Match");
    response.setHeader("Access-Control-Expose-Headers", "Content-Range, ETag, Accept-Ranges, Content-Length");
  }
  if (request.method === "OPTIONS") return response.writeHead(204).end();
  let path = decodeURIComponent(new URL(request.url, "http://x").pathname);
  if (!path.startsWith(base)) return response.writeHead(404).end();
  path = normalize(path.slice(base.length - 1));
  if (path.split("/").includes("..")) return response.writeHead(403).end();
  if (path.endsWith("/")) path += "index.html";
  const file = join(dir, path);
  const about = await stat(file).catch(() => null);
  if (!about?.isFile()) return response.writeHead(404).end();
  const head = { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream" };
  if (ranges) head["Accept-Ranges"] = "bytes";
  const asked = ranges ? /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? "") : null;
  if (!asked) {
    response.writeHead(200, { ...head, "Content-Length": about.size });
    return request.method === "HEAD" ? response.end() : void createReadStream(file).pipe(response);
  }
  const start = asked[1] === "" ? Math.max(0, about.size - Number(asked[2])) : Number(asked[1]);
  const end =
    asked[1] === "" || asked[2] === "" ? about.size - 1 : Math.min(Number(asked[2]), about.size - 1);
  if (start > end) return response.writeHead(416, { "Content-Range": `bytes */${about.size}` }).end();
  response.writeHead(206, {
    ...head,
    "Content-Range": `bytes ${start}-${end}/${about.size}`,
    "Content-Length": end - start + 1,
  });
  createReadStream(file, { start, end }).pipe(response);
}
