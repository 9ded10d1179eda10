/**
 * The same replay as `cargo bench --bench replay`, by the built module in node: `node benches/replay/node.mjs [DB...]`.
 * Both take turns, since a machine's speed changes, and the best time of each counts. Fails if any digest differs.
 */
import { execFileSync } from "node:child_process";
import { openAsBlob, readdirSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { load, Replay } from "../../pkg/index.js";

const ROUNDS = 4;
const RUNS = 3; // of the module in a round
const PARTS = ["fetch", "decode", "apply"];

await load(await readFile(new URL("../../pkg/understudy_bg.wasm", import.meta.url)));
const natively = [];
const here = [];
for (let round = 0; round < ROUNDS; round++) {
  const now = native(process.argv.slice(2));
  natively.push(...now);
  for (const { dir } of now) {
    for (let i = 0; i < RUNS; i++) here.push({ dir, ...(await run(dir)) });
  }
}

let differ = false;
console.log(["recording", "part", "native ms", "wasm ms", "ratio"].join("\t"));
for (const dir of new Set(natively.map((run) => run.dir))) {
  const of = (runs) => runs.filter((run) => run.dir === dir);
  const [{ rows, digests }] = of(natively);
  const best = (runs, part) => Math.min(...of(runs).map((run) => run[part]));
  const print = (name, parts) => {
    const [before, now] = [natively, here].map((runs) => parts.reduce((sum, part) => sum + best(runs, part), 0));
    const ratio = `${(now / before).toFixed(2)}x`;
    console.log([`${dir} (${rows} rows)`, name, before.toFixed(1), now.toFixed(1), ratio].join("\t"));
  };
  for (const part of PARTS) print(part, [part]);
  print("decode + apply", ["decode", "apply"]);
  for (const other of of(here).filter((run) => run.digests !== digests)) {
    differ = true;
    console.error(`digests differ in ${dir}:\n native ${digests}\n wasm   ${other.digests}`);
  }
}
if (differ) process.exit(1);

/** What the native benchmark prints of each directory. */
function native(dirs) {
  const words = ["bench", "--quiet", "--no-default-features", "--bench", "replay", "--", ...dirs];
  const lines = execFileSync("cargo", words, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }).split("\n");
  const fields = lines.map((line) => line.split("\t")).filter((fields) => fields.length === 6);
  return fields.map(([dir, rows, fetch, decode, apply, digests]) => {
    return { dir, rows, fetch: Number(fetch), decode: Number(decode), apply: Number(apply), digests };
  });
}

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
