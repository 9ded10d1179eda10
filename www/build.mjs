/**
 * Builds the page into dist/: `node www/build.mjs [--serve] [--double]`.
 *
 * The first paint (index.html, theme, shell styles, main script) is kept apart from the rest, which
 * main.ts loads while the worker already fetches the module. All addresses are relative, so that
 * dist/ works below any path of a plain static host.
 *
 * `--double` builds into dist-dev/ with the stand-in engine of www/test, for work on views; it is never shipped.
 */
import { createHash } from "node:crypto";
import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";

const FIRST_PAINT_BYTES_MAX = 50 * 1024;
const INDEX = "understudy-index.json";
const CACHE = "cache.json";
/** Modules that are fetched where they are wanted: what their glue is, and where both are listed. */
const LATER = [
  { module: "understudy_parquet", glue: "pkg/parquet.js", list: "parquet.json", define: "__PARQUET_LIST__" },
  { module: "understudy_sim", glue: "pkg/sim.js", list: "sim.json", define: "__SIM_LIST__" },
];

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const double = process.argv.includes("--double");
const out = join(root, double ? "dist-dev" : "dist");
const assets = join(out, "assets");

const common = {
  absWorkingDir: root,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  outdir: assets,
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  metafile: true,
  legalComments: "none",
  logLevel: "warning",
};

if (process.argv.includes("--later")) await addLater();
else await build();
if (process.argv.includes("--serve")) await serve();

async function build() {
  const started = performance.now();
  await rm(out, { recursive: true, force: true });
  await mkdir(assets, { recursive: true });
  const worker = await buildWorker();
  const css = await esbuild.build({ ...common, entryPoints: ["www/styles/shell.css", "www/styles/app.css"] });
  const theme = await esbuild.build({ ...common, format: "iife", entryPoints: ["www/theme.ts"] });
  const main = await esbuild.build({
    ...common,
    entryPoints: ["www/main.ts"],
    splitting: true,
    jsx: "automatic",
    jsxImportSource: "preact",
    define: {
      __WORKER_FILE__: JSON.stringify(worker),
      __APP_CSS__: JSON.stringify(outputOf(css, "www/styles/app.css")),
      __VERSION__: JSON.stringify(await version()),
    },
  });
  const first = {
    "%THEME%": outputOf(theme, "www/theme.ts"),
    "%SHELL_CSS%": outputOf(css, "www/styles/shell.css"),
    "%MAIN%": outputOf(main, "www/main.ts"),
  };
  let html = await readFile(join(root, "index.html"), "utf8");
  for (const [mark, file] of Object.entries(first)) html = html.replace(mark, `assets/${file}`);
  await writeFile(join(out, "index.html"), html);
  if (existsSync(join(root, "www/public"))) await cp(join(root, "www/public"), out, { recursive: true });
  await indexRecordings();
  await listLessons();
  await addLater();
  await buildOffline();
  const early = [first["%THEME%"], first["%SHELL_CSS%"], ...importsOf(main, first["%MAIN%"])];
  await report(["index.html", ...early.map((f) => `assets/${f}`)], started);
}

/** Static hosts can't list: each recording gets what `understudy index` would write. */
async function indexRecordings() {
  const recordings = join(out, "recordings");
  if (!existsSync(recordings)) return;
  for (const name of await readdir(recordings)) {
    const db = join(recordings, name, "db");
    const entries = await readdir(db, { recursive: true, withFileTypes: true });
    const files = entries
      .filter((e) => e.isFile() && e.name !== INDEX)
      .map((e) => join(e.parentPath ?? e.path, e.name));
    const sized = files.sort().map(async (file) => {
      const path = relative(db, file).split(sep).join("/");
      return JSON.stringify({ path, size: (await stat(file)).size });
    });
    const lines = (await Promise.all(sized)).join(",\n");
    await writeFile(join(db, INDEX), `{"understudy_index":1,"files":[\n${lines}\n]}\n`);
  }
}

/** Lessons by name, with what a list shows of them. */
async function listLessons() {
  const folder = join(out, "lessons");
  if (!existsSync(folder)) return;
  const names = (await readdir(folder)).filter((name) => /^\d\d-.*\.json$/.test(name)).sort();
  const listed = names.map(async (file) => {
    const { title, about } = JSON.parse(await readFile(join(folder, file), "utf8"));
    return { name: file.replace(/\.json$/, ""), title, about };
  });
  await writeFile(join(folder, "index.json"), JSON.stringify(await Promise.all(listed)));
}

/** What keeps the page for when there is no network. */
async function buildOffline() {
  if (double) return;
  const index = await readFile(join(out, "index.html"));
  const name = `understudy-${createHash("sha256").update(index).digest("hex").slice(0, 12)}`;
  await esbuild.build({
    ...common,
    format: "iife",
    entryPoints: ["www/sw.ts"],
    outdir: out,
    entryNames: "[name]",
    define: { __CACHE_NAME__: JSON.stringify(name) },
  });
}

/** The files that are kept: what the page begins with, and the rest. */
async function writeCacheList() {
  const entries = await readdir(out, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((e) => e.isFile())
    .map((e) =>
      relative(out, join(e.parentPath ?? e.path, e.name))
        .split(sep)
        .join("/"),
    )
    .filter((file) => !["sw.js", CACHE].includes(file))
    .sort();
  const isShell = (file) => file === "index.html" || /^assets\/.*\.(js|css)$/.test(file);
  // Recordings come last: they are many.
  const isMany = (file) => file.startsWith("recordings/");
  const rest = files.filter((file) => !isShell(file));
  const listed = {
    shell: files.filter(isShell),
    rest: [...rest.filter((file) => !isMany(file)), ...rest.filter(isMany)],
  };
  await writeFile(join(out, CACHE), JSON.stringify(listed));
}

/** The worker's script and the modules beside it. */
async function buildWorker() {
  if (double) {
    const made = await esbuild.build({ ...common, entryPoints: ["www/test/double/worker.ts"] });
    return outputOf(made, "www/test/double/worker.ts");
  }
  const engine = await copyModule("understudy");
  const ledger = await copyModule("understudy_ledger");
  const made = await esbuild.build({
    ...common,
    entryPoints: ["www/worker/worker.ts"],
    define: {
      __WASM_FILE__: JSON.stringify(engine.file),
      __WASM_BYTES__: String(engine.bytes),
      __LEDGER_FILE__: JSON.stringify(ledger.file),
      __LEDGER_BYTES__: String(ledger.bytes),
      ...Object.fromEntries(LATER.map(({ define, list }) => [define, JSON.stringify(`../${list}`)])),
    },
  });
  return outputOf(made, "www/worker/worker.ts");
}

/**
 * The modules that are built behind the page, so that nothing of the page can name them: each with its glue, and a list of both.
 * Without one the page says so when it is wanted.
 */
async function addLater() {
  if (double) return;
  for (const { module, glue, list } of LATER) {
    if (!existsSync(join(root, `pkg/${module}_bg.wasm`))) continue;
    const { file, bytes } = await copyModule(module);
    const made = await esbuild.build({ ...common, entryPoints: [glue] });
    await writeFile(join(out, list), JSON.stringify({ script: outputOf(made, glue), wasm: file, bytes }));
  }
  await writeCacheList();
}

async function copyModule(name) {
  const wasm = join(root, `pkg/${name}_bg.wasm`);
  if (!existsSync(wasm)) {
    console.error(`pkg/${name}_bg.wasm is missing: build the modules first (make wasm)`);
    process.exit(1);
  }
  const bytes = await readFile(wasm);
  const file = `${name.replace("_", "-")}-${createHash("sha256").update(bytes).digest("hex").slice(0, 8)}.wasm`;
  await writeFile(join(assets, file), bytes);
  return { file, bytes: bytes.length };
}

function outputOf(result, entry) {
  for (const [file, about] of Object.entries(result.metafile.outputs)) {
    if (about.entryPoint === entry) return basename(file);
  }
  throw new Error(`${entry} was not built`);
}

/** A built script and all that it imports at once (not what it loads later). */
function importsOf(result, file, seen = new Set()) {
  if (seen.has(file)) return seen;
  seen.add(file);
  const about = Object.entries(result.metafile.outputs).find(([name]) => basename(name) === file)?.[1];
  for (const used of about?.imports ?? []) {
    if (used.kind === "import-statement") importsOf(result, basename(used.path), seen);
  }
  return seen;
}

async function version() {
  const cargo = await readFile(join(root, "Cargo.toml"), "utf8");
  return /^version = "(.+)"/m.exec(cargo)?.[1] ?? "unknown";
}

async function report(files, started) {
  let raw = 0;
  for (const file of files) raw += (await stat(join(out, file))).size;
  const all = await Promise.all(files.map((f) => readFile(join(out, f))));
  const gz = all.reduce((sum, b) => sum + gzipSync(b).length, 0);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(
    `page built in ${seconds} s; first paint ${raw} bytes (${gz} gzip), limit ${FIRST_PAINT_BYTES_MAX}`,
  );
  if (raw > FIRST_PAINT_BYTES_MAX) {
    console.error("the first paint is over its limit");
    process.exit(1);
  }
}

async function serve() {
  const { serveStatic } = await import("../tests/e2e/static.mjs");
  const { watch } = await import("node:fs");
  const url = await serveStatic(out, { port: 9011 });
  console.log(`serving ${url}`);
  let timer;
  watch(join(root, "www"), { recursive: true }, () => {
    clearTimeout(timer);
    timer = setTimeout(() => build().catch((e) => console.error(e.message)), 100);
  });
}
