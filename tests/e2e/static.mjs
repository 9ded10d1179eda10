/** A plain static server: what a bucket or GitHub Pages does, with knobs for what they do wrong. */
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as wait } from "node:timers/promises";
import { gzipSync } from "node:zlib";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".wasm": "application/wasm",
  ".json": "application/json",
  ".svg": "image/svg+xml",
};

/** What hosts such as GitHub Pages compress. */
const COMPRESSED = new Set([".html", ".js", ".css", ".wasm", ".json", ".svg"]);
const PACE_BYTES = 8192;

/**
 * @typedef {object} Options
 * @property {number} [port]
 * @property {string} [host]
 * @property {string} [base] path below which `dir` is served, with slashes at both ends
 * @property {boolean} [cors] whether pages of other origins may read
 * @property {boolean} [ranges] whether parts of files are given
 * @property {number} [refuse] the status that every request gets
 * @property {boolean} [gzip] whether to compress what hosts compress
 * @property {number} [bytesPerSecond] all answers together go no faster
 */

/**
 * Serves `dir`; resolves to its address.
 * @param {string} dir
 * @param {Options} [options]
 * @returns {Promise<string>}
 */
export async function serveStatic(dir, options = {}) {
  return (await startStatic(dir, options)).url;
}

/**
 * @param {string} dir
 * @param {Options} [options]
 * @returns {Promise<{url: string, close: () => Promise<void>}>}
 */
export async function startStatic(dir, options = {}) {
  const {
    port = 0,
    host = "127.0.0.1",
    cors = true,
    ranges = true,
    base = "/",
    gzip = false,
    refuse = 0,
  } = options;
  const pace = options.bytesPerSecond ? pacer(options.bytesPerSecond) : null;
  const server = createServer((request, response) => {
    answer(dir, { cors, ranges, base, gzip, pace, refuse }, request, response).catch(() => {
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

async function answer(dir, { cors, ranges, base, gzip, pace, refuse }, request, response) {
  // A page that goes away, or a directory that is removed under its feet, ends this answer alone.
  const send = (stream) =>
    pipeline([stream, ...(pace ? [pace()] : []), response]).catch(() => response.destroy());
  if (cors) {
    response.setHeader("Access-Control-Allow-Origin", "*");
    response.setHeader("Access-Control-Allow-Headers", "Range, If-Match");
    response.setHeader("Access-Control-Expose-Headers", "Content-Range, ETag, Accept-Ranges, Content-Length");
  }
  if (refuse) return response.writeHead(refuse).end();
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
  if (!asked && gzip && COMPRESSED.has(extname(file)) && request.method === "GET") {
    const body = gzipSync(await readFile(file));
    response.writeHead(200, { ...head, "Content-Encoding": "gzip", "Content-Length": body.length });
    return send(Readable.from([body]));
  }
  if (!asked) {
    response.writeHead(200, { ...head, "Content-Length": about.size });
    return request.method === "HEAD" ? response.end() : send(createReadStream(file));
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
  send(createReadStream(file, { start, end }));
}

/** Makes streams that share one link of this speed. */
function pacer(bytesPerSecond) {
  let freeAtMs = 0;
  return () =>
    new Transform({
      async transform(chunk, _encoding, done) {
        for (let at = 0; at < chunk.length; at += PACE_BYTES) {
          const part = chunk.subarray(at, at + PACE_BYTES);
          freeAtMs = Math.max(freeAtMs, performance.now()) + (part.length / bytesPerSecond) * 1000;
          const early = freeAtMs - performance.now();
          if (early > 4) await wait(early);
          this.push(part);
        }
        done();
      },
    });
}
