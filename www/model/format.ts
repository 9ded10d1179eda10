/** Numbers, sizes and times as text. Times are UTC, as QuestDB prints them. */

const GROUP = "\u202f";

/** 1234567 -> "1 234 567", with narrow no-break spaces. */
export function count(n: number): string {
  const digits = Math.abs(Math.trunc(n)).toString();
  return (n < 0 ? "-" : "") + digits.replace(/\B(?=(\d{3})+$)/g, GROUP);
}

/** "1 row", "2 rows". */
export function counted(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** Bytes in decimal units, as networks count them. */
export function size(bytes: number): string {
  if (bytes < 1000) return `${Math.round(bytes)} B`;
  const units = ["KB", "MB", "GB", "TB"];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit] ?? ""}`;
}

/** Memory in binary units. */
export function mebibytes(bytes: number): string {
  const value = bytes / (1024 * 1024);
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} MiB`;
}

/** Microseconds since the epoch -> "2026-08-01T12:03:04.120456Z" (zero micros are left out). */
export function isoUs(us: number): string {
  if (!Number.isFinite(us)) return "";
  const ms = Math.floor(us / 1000);
  const micros = Math.round(us - ms * 1000);
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return "";
  const text = date.toISOString();
  return micros === 0 ? text : `${text.slice(0, -1)}${String(micros).padStart(3, "0")}Z`;
}

/** The time of day: "12:03:04.120". */
export function clock(us: number): string {
  return isoUs(us).slice(11, 23);
}

/** The same, in words where there is no time. */
export function clockOrNot(us: number | undefined): string {
  return us !== undefined && Number.isFinite(us) ? clock(us) : "not known";
}

/** The day: "2026-08-01". */
export function day(us: number): string {
  return isoUs(us).slice(0, 10);
}

/** Reads what `isoUs` writes, to the microsecond; a missing zone means UTC. Null when it is no time. */
export function parseIso(text: string): number | null {
  const match =
    /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?(Z|[+-]\d\d:?\d\d)?$/.exec(
      text.trim(),
    );
  if (!match) return null;
  const [, y, mo, d, h = "0", mi = "0", s = "0", frac = "", zone = "Z"] = match;
  const ms = Date.UTC(Number(y), Number(mo) - 1, Number(d), Number(h), Number(mi), Number(s));
  const date = new Date(ms);
  if (Number.isNaN(ms) || date.getUTCMonth() !== Number(mo) - 1 || Number(h) > 23) return null;
  const offset = zone === "Z" ? 0 : zoneMinutes(zone);
  return (ms - offset * 60_000) * 1000 + Number(frac.padEnd(6, "0").slice(0, 6));
}

function zoneMinutes(zone: string): number {
  const digits = zone.slice(1).replace(":", "");
  const minutes = Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2));
  return zone.startsWith("-") ? -minutes : minutes;
}

/** A span of time for people: "340 ms", "12.4 s", "3 min 20 s", "2 d 4 h". */
export function span(us: number): string {
  const ms = us / 1000;
  if (ms < 1) return `${Math.round(us)} µs`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = ms / 1000;
  if (s < 60) return `${s < 10 ? s.toFixed(1) : Math.round(s)} s`;
  const min = Math.floor(s / 60);
  if (min < 60) return `${min} min ${Math.round(s % 60)} s`;
  const h = Math.floor(min / 60);
  if (h < 48) return `${h} h ${min % 60} min`;
  return `${Math.floor(h / 24)} d ${h % 24} h`;
}

/** Milliseconds spent: "0.4 ms", "12 ms". */
export function millis(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}

/** What a screen reader says of a place on the timeline. */
export function spoken(txn: number, txnCount: number, us: number | null): string {
  return `txn ${count(txn)} of ${count(txnCount)}${us === null ? "" : `, ${clock(us)}`}`;
}
