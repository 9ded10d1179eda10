import assert from "node:assert/strict";
import test from "node:test";
import { directoryUrl, memoryOf, near, openingOf } from "../engine/source.js";
import { clock, count, isoUs, parseIso, size, span, spoken } from "../model/format.js";
import type { Link } from "../model/link.js";
import { formatLink, parseLink } from "../model/link.js";

const LINK: Link = {
  table: "trades~7",
  at: { txn: 1234 },
  selected: "2026-08-01T14",
  speed: 4,
  axis: "txn",
  tab: "bytes",
  with: null,
  lab: null,
  op: null,
};

test("a link is read as it was written", () => {
  const text = formatLink(LINK);
  assert.equal(text, "#table=trades~7&t=txn:1234&sel=2026-08-01T14&speed=4&tab=bytes");
  assert.deepEqual(parseLink(text), { ...LINK, axis: null });
  const time: Link = { ...LINK, at: { us: 1_785_585_784_120_456 }, axis: "time" };
  assert.deepEqual(parseLink(formatLink(time)), time);
});

test("a link holds both sides", () => {
  for (const beside of [{ txn: 7 }, { us: 1_785_585_784_120_456 }, "same", "off"] as const) {
    const link = { ...LINK, with: beside };
    assert.deepEqual(parseLink(formatLink(link)).with, beside);
  }
  assert.equal(formatLink({ ...LINK, with: { txn: 7 } }).endsWith("&with=txn:7"), true);
  const pair = openingOf("?src=a/&src=b&from=3&from=4", "http://x/");
  assert.deepEqual(pair.source, { kind: "url", url: "http://x/a/", from: 3 });
  assert.deepEqual(pair.second?.source, { kind: "url", url: "http://x/b/", from: 4 });
  assert.equal(openingOf("?src=a/", "http://x/").second, null);
});

test("a link says where in a long log to begin", () => {
  const opening = openingOf("?src=a/", "http://x/");
  const url = { kind: "url", url: "http://x/a/" };
  assert.deepEqual(near(opening, "#t=txn:7&op=34").source, { ...url, near: { op: 34 } });
  const time = near(opening, "#t=time:1970-01-01T00:00:01Z").source;
  assert.deepEqual(time, { ...url, near: { us: 1_000_000 } });
  assert.equal(near(opening, "#t=txn:7"), opening);
  assert.equal(formatLink({ ...LINK, op: 34 }).endsWith("&op=34"), true);
});

test("table and partition may be chosen at once", () => {
  const link = parseLink("#t=txn:1234&sel=trades/2026-08-01&speed=4");
  assert.deepEqual([link.table, link.selected], ["trades", "2026-08-01"]);
  const both = parseLink("#table=trades~7&sel=trades/2026-08-01");
  assert.deepEqual([both.table, both.selected], ["trades~7", "2026-08-01"]);
});

test("names of any kind survive the link", () => {
  for (const table of [
    "<img src=x onerror=alert(1)>~3",
    "a&b=c#d~4",
    "имя таблицы~5",
    "50%~6",
    "a+b~7",
    "a b~8",
  ]) {
    assert.equal(parseLink(formatLink({ ...LINK, table })).table, table);
  }
});

test("nonsense in a link is left out", () => {
  assert.deepEqual(parseLink("#t=txn:-3&speed=1e9&axis=z&tab=none&table="), {
    table: null,
    at: null,
    selected: null,
    speed: null,
    axis: null,
    tab: null,
    with: null,
    lab: null,
    op: null,
  });
  assert.equal(parseLink("#t=time:2026-13-01").at, null);
  assert.deepEqual(parseLink("#t=17").at, { txn: 17 });
});

test("times keep their microseconds", () => {
  const us = parseIso("2026-08-01T12:03:04.120456Z");
  assert.equal(us, 1_785_585_784_120_456);
  assert.equal(isoUs(us), "2026-08-01T12:03:04.120456Z");
  assert.equal(clock(us), "12:03:04.120");
  assert.equal(parseIso("2026-08-01T14:03:04.120456+02:00"), us);
  assert.equal(parseIso("2026-08-01"), Date.UTC(2026, 7, 1) * 1000);
  assert.equal(isoUs(parseIso("1969-12-31T23:59:59.999999Z") ?? 0), "1969-12-31T23:59:59.999999Z");
  for (const bad of ["", "12:00", "2026-02-30", "2026-08-01T25:00", "x2026-08-01"])
    assert.equal(parseIso(bad), null, bad);
});

test("numbers read as people write them", () => {
  assert.equal(count(1_234_567), "1\u202f234\u202f567");
  assert.equal(count(-1000), "-1\u202f000");
  assert.equal(size(999_600), "1.0 MB");
  assert.equal(size(12), "12 B");
  assert.equal(span(200_000_000), "3 min 20 s");
  assert.equal(spoken(1234, 9876, 1_785_585_784_120_456), "txn 1\u202f234 of 9\u202f876, 12:03:04.120");
});

test("the address says what to open", () => {
  const base = "https://host.example/app/";
  assert.deepEqual(openingOf("", base).source, {
    kind: "url",
    url: "https://host.example/app/recordings/trading-day/db/",
  });
  assert.equal(openingOf("", base).bundled, true);
  const other = openingOf("?src=https://b.example/x/db%3Fsig=1&memory=256", base);
  assert.deepEqual(other.source, { kind: "url", url: "https://b.example/x/db/?sig=1" });
  assert.equal(other.bundled, false);
  assert.equal(other.memory, 256 * 1024 * 1024);
  assert.throws(() => openingOf("?src=http://", base));
  assert.throws(() => openingOf("?dropped=db", base), /drop it/);
});

test("memory has a floor and units", () => {
  assert.equal(memoryOf("1G"), 1024 ** 3);
  assert.equal(memoryOf("1"), null);
  assert.equal(memoryOf("lots"), null);
  assert.equal(directoryUrl("db", "http://h/x/"), "http://h/x/db/");
});
