/**
 * The same replay as `cargo bench --bench replay`, by the built module in node, beside what that printed:
 * `node benches/replay/node.mjs NATIVE.txt`. Fails if any digest differs.
 */
import { openAsBlob, readdirSync, readFileSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { load, Replay } from "../../pkg/index.js";

const RUNS = 5;

const native = readFileSync(process.argv[2], "utf8")
  .split("\n")
  .map((line) => line.split("\t"))
  .filter((fields) => fields.length === 6);

await load(await readFile(new URL("../../pkg/understudy_bg.wasm", import.meta.url)));
let differ = false;
console.log(["recording", "part", "native ms", "wasm ms", "ratio"].join("\t"));
for (const [dir, rows, fetch, decode, apply, digests] of native) {
  const runs = [];
  for (let i = 0; i < RUNS; i++) runs.push(await run(dir));
  const best = (part) => Math.min(...runs.map((run) => run[part]));
  const print = (part, before, now) =>
    console.log([`${dir} (${rows} rows)`, part, before.toFixed(1), now.toFixed(1), `${(now / before).toFixed(2)}x`].join("\t"));
  print("fetch", Number(fetch), best("fetch"));
  print("decode", Number(decode), best("decode"));
  print("apply", Number(apply), best("apply"));
  print("decode + apply", Number(decode) + Number(apply), best("decode") + best("apply"));
  if (runs.some((run) => run.digests !== digests)) {
    differ = true;
    console.error(`digests differ in ${dir}:\n native ${digests}\n wasm   ${runs[0].digests}`);
  }
}
if (differ) process.exit(1);

async function run(dir) {
  const files = new Map();
  for (const name of readdirSync(dir, { recursive: true })) {
    const path = join(dir, name);
    if (statSync(path).isFile()) files.set(relative(dir, path).split(sep).join("/"), await openAsBlob(path));
  }
  const replay = await Replay.open({ kind: "files", name: dir, files });
  const total = { fetch: 0, decode: 0, apply: 0, digests: "" };
  const digests = [];
  for (const table of replay.overview().tables.filter((table) => table.kind !== "plain")) {
    const state = await replay.seek(table.dir, table.txnCount);
    for (const part of ["fetch", "decode", "apply"]) total[part] += state.spent[part];
    digests.push(`${table.dir}=${state.digest}`);
  }
  replay.close();
  total.digests = digests.join(",");
  return total;
}
