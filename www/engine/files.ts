/** Dropped and picked folders as a `Source`. */
import type { Source } from "../../pkg/types.js";

export interface Gathered {
  source: Extract<Source, { kind: "files" }>;
  bytes: number;
}

/** A folder that holds no database, or too many files. Said to the user as it is. */
export class NotADatabase extends Error {}

const FILES_MAX = 500_000;

/** Walks everything that was dropped. Must be called before the event ends. */
export async function gatherDrop(items: DataTransferItemList): Promise<Gathered> {
  const roots = [...items].map((item) => item.webkitGetAsEntry()).filter((e) => e !== null);
  const files = new Map<string, Blob>();
  for (const entry of roots) await walk(entry, "", files);
  return relativeToDb(files);
}

/** What `<input webkitdirectory>` gave. */
export function gatherPick(list: FileList): Gathered {
  const files = new Map<string, Blob>();
  for (const file of list) files.set(file.webkitRelativePath || file.name, file);
  return relativeToDb(files);
}

/**
 * Makes paths relative to the `db` directory: the shallowest one that holds a table registry
 * (`tables.d.N`). Its parents and neighbours are left out.
 */
export function relativeToDb(files: Map<string, Blob>): Gathered {
  let root: string | null = null;
  for (const path of files.keys()) {
    const at = /^(.*\/)?tables\.d\.\d+$/.exec(path);
    if (!at) continue;
    const dir = at[1] ?? "";
    if (root === null || dir.split("/").length < root.split("/").length) root = dir;
  }
  if (root === null) {
    throw new NotADatabase(
      files.size === 0
        ? "no files came with that drop; drop the folder itself"
        : `no table registry (tables.d.0) among ${files.size} files; drop QuestDB’s db folder, or the folder above it`,
    );
  }
  const inside = new Map<string, Blob>();
  let bytes = 0;
  for (const [path, file] of files) {
    if (!path.startsWith(root)) continue;
    inside.set(path.slice(root.length), file);
    bytes += file.size;
  }
  const name = root.replace(/\/$/, "") || "db";
  return { source: { kind: "files", name, files: inside }, bytes };
}

async function walk(entry: FileSystemEntry, prefix: string, into: Map<string, Blob>): Promise<void> {
  if (into.size > FILES_MAX) throw new NotADatabase(`more than ${FILES_MAX} files; drop the db folder alone`);
  const path = prefix + entry.name;
  if (entry.isFile) {
    const file = await new Promise<File>((done, fail) => (entry as FileSystemFileEntry).file(done, fail));
    into.set(path, file);
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  // A reader gives a hundred entries at a time, and an empty list at the end.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((done, fail) => reader.readEntries(done, fail));
    if (some.length === 0) return;
    for (const child of some) await walk(child, `${path}/`, into);
  }
}
