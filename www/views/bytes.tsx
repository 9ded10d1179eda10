/** A transaction down to its bytes: decoded fields over a hex dump. */
import { useEffect, useMemo, useState } from "preact/hooks";
import type { ByteField, BytesView } from "../../pkg/types.js";
import { detailOf } from "../engine/client.js";
import { count, counted } from "../model/format.js";
import { useSnapshot, useStage } from "./hooks.js";
import { useVirtual } from "./virtual.js";

const LINE = 16;
const HEX_LINES = 24;
const FIELD_HEIGHT = 26;

export function Bytes() {
  const stage = useStage();
  const dir = useSnapshot((s) => s.shown.table?.dir ?? null);
  const txn = useSnapshot((s) => s.shown.table?.seqTxn ?? 0);
  const [view, setView] = useState<BytesView | string | null>(null);
  useEffect(() => {
    if (dir === null || txn === 0) return setView(null);
    let current = true;
    stage.engine.call("bytes", [dir, txn]).then(
      (bytes) => current && setView(bytes),
      (error: unknown) => current && setView(detailOf(error).message),
    );
    return () => {
      current = false;
    };
  }, [dir, txn, stage]);
  if (txn === 0) return <p class="empty">No transaction, no bytes: step forward.</p>;
  if (view === null) return <p class="empty">Reading bytes</p>;
  if (typeof view === "string") return <p class="empty">The bytes can’t be shown: {view}</p>;
  return <BytesOf key={`${dir}:${view.seqTxn}`} view={view} />;
}

function BytesOf({ view }: { view: BytesView }) {
  const [chosen, choose] = useState(0);
  const field = view.fields[chosen];
  return (
    <div class="bytes">
      <Fields view={view} chosen={chosen} choose={choose} />
      {field ? <Hex view={view} field={field} choose={choose} /> : <p class="empty">Nothing was decoded.</p>}
    </div>
  );
}

/** The decoded fields, in order of files and offsets. */
function Fields({
  view,
  chosen,
  choose,
}: {
  view: BytesView;
  chosen: number;
  choose: (index: number) => void;
}) {
  const virtual = useVirtual(view.fields.length, FIELD_HEIGHT, 0);
  const move = (by: number) => {
    const next = Math.max(0, Math.min(view.fields.length - 1, chosen + by));
    choose(next);
    if (next < virtual.top) virtual.reveal(next);
    else if (next >= virtual.top + virtual.lines - 1) virtual.reveal(Math.max(0, next - virtual.lines + 2));
  };
  const onKey = (event: KeyboardEvent) => {
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    move(by);
  };
  const lines = [];
  for (let i = virtual.first; i < virtual.first + virtual.count; i++) {
    const field = view.fields[i];
    if (!field) continue;
    lines.push(
      <div
        key={i}
        id={`field-${i}`}
        role="option"
        aria-selected={i === chosen}
        class={view.fields[i - 1]?.file === field.file || i === 0 ? "field" : "field field-first"}
        title={view.files[field.file]?.path}
        style={{ paddingLeft: `${8 + Math.min(field.depth, 8) * 14}px` }}
        onClick={() => choose(i)}
      >
        <span class="field-name">{field.name}</span>
        <span class="field-value">{field.value}</span>
        <span class="field-at">{hexOf(field.offset, 4)}</span>
      </div>,
    );
  }
  return (
    <div
      class="fields"
      ref={virtual.scroller}
      role="listbox"
      tabIndex={0}
      data-keys="own"
      aria-label={`Decoded fields${view.truncated ? ", not all of them" : ""}`}
      aria-activedescendant={`field-${chosen}`}
      onScroll={virtual.onScroll}
      onKeyDown={onKey}
    >
      <div class="grid-all" style={{ height: `${virtual.height}px` }} role="presentation">
        <div style={{ top: `${virtual.offset}px` }} class="fields-shown" role="presentation">
          {lines}
        </div>
      </div>
    </div>
  );
}

/** The bytes around a field, each coloured by the field that it belongs to. */
function Hex({
  view,
  field,
  choose,
}: {
  view: BytesView;
  field: ByteField;
  choose: (index: number) => void;
}) {
  const stage = useStage();
  const file = view.files[field.file];
  const from = Math.max(0, Math.floor(field.offset / LINE) * LINE - LINE * 2);
  const [loaded, setLoaded] = useState<{ key: string; bytes: Uint8Array } | string | null>(null);
  const key = `${field.file}:${from}`;
  useEffect(() => {
    if (!file) return;
    let current = true;
    stage.engine.call("raw", [file.path, from, LINE * HEX_LINES]).then(
      (bytes) => current && setLoaded({ key, bytes }),
      (error: unknown) => current && setLoaded(detailOf(error).message),
    );
    return () => {
      current = false;
    };
  }, [file, from, key, stage]);
  const bytes = typeof loaded === "object" && loaded ? loaded.bytes : null;
  const shownFrom = typeof loaded === "object" && loaded ? Number(loaded.key.split(":")[1]) : from;
  const owners = useMemo(
    () => ownersOf(view.fields, field.file, shownFrom, bytes?.length ?? 0),
    [view, field.file, shownFrom, bytes],
  );
  if (!file) return null;
  return (
    <div class="hex" role="region" aria-label="Bytes" tabIndex={0} data-keys="own">
      <p class="hex-file">
        <span class="mono">{file.path}</span> <span class="quiet">{file.role}</span>
      </p>
      <p class="hex-about">
        <b>{field.name}</b> = <span class="mono">{field.value}</span>{" "}
        <span class="quiet">
          {counted(field.length, "byte")} at offset {count(field.offset)}
        </span>
      </p>
      {typeof loaded === "string" ? <p class="empty">{loaded}</p> : null}
      {bytes ? <Dump bytes={bytes} from={shownFrom} field={field} owners={owners} choose={choose} /> : null}
    </div>
  );
}

function Dump(props: {
  bytes: Uint8Array;
  from: number;
  field: ByteField;
  owners: Int32Array;
  choose: (index: number) => void;
}) {
  const { bytes, from, field, owners } = props;
  const lines = [];
  for (let at = 0; at < bytes.length; at += LINE) {
    const cells = [];
    let text = "";
    for (let i = at; i < Math.min(at + LINE, bytes.length); i++) {
      const byte = bytes[i] ?? 0;
      const offset = from + i;
      const chosen = offset >= field.offset && offset < field.offset + field.length;
      const owner = owners[i] ?? -1;
      cells.push(
        <span
          key={i}
          class={`byte ${chosen ? "byte-chosen" : owner >= 0 ? `byte-${owner % 4}` : ""}`}
          onClick={owner >= 0 ? () => props.choose(owner) : undefined}
        >
          {byte.toString(16).padStart(2, "0")}
        </span>,
      );
      text += byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·";
    }
    lines.push(
      <div key={at} class="hex-line">
        <span class="hex-at">{hexOf(from + at, 8)}</span>
        <span class="hex-bytes">{cells}</span>
        <span class="hex-text">{text}</span>
      </div>,
    );
  }
  return <div class="dump">{lines}</div>;
}

/** For each byte the innermost field that holds it, or -1. */
export function ownersOf(fields: ByteField[], file: number, from: number, length: number): Int32Array {
  const owners = new Int32Array(length).fill(-1);
  const depths = new Int32Array(length).fill(-1);
  fields.forEach((field, index) => {
    if (field.file !== file) return;
    const start = Math.max(0, field.offset - from);
    const end = Math.min(length, field.offset + field.length - from);
    for (let i = start; i < end; i++) {
      if (field.depth < (depths[i] ?? -1)) continue;
      depths[i] = field.depth;
      owners[i] = index;
    }
  });
  return owners;
}

function hexOf(n: number, digits: number): string {
  return n.toString(16).padStart(digits, "0");
}
