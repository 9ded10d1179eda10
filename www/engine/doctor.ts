/**
 * Finds out why a server can't be read from this page. A browser tells scripts nothing but "failed", so the
 * doctor asks in several ways and compares the answers.
 */

export interface Finding {
  ok: boolean | null;
  what: string;
  detail: string;
}

export interface Diagnosis {
  findings: Finding[];
  /** The response headers that are missing. */
  missing: string[];
  verdict: string;
}

/** The first file of a database that every server must have. */
const PROBE = "tables.d.0";
const INDEX = "understudy-index.json";
/** The one object that every cluster's bucket has. */
const CLUSTER = "cluster.json";
const TIMEOUT_MS = 10_000;

/** An https page may not read http, except from this machine. */
export function isMixed(page: URL, source: URL): boolean {
  const local = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(source.hostname);
  return page.protocol === "https:" && source.protocol === "http:" && !local;
}

export async function diagnose(source: string, page: string): Promise<Diagnosis> {
  const from = new URL(page);
  const to = new URL(source, page);
  if (isMixed(from, to)) {
    const detail =
      "This page came over https, and browsers refuse to let such a page read http: it is called mixed content. " +
      "Serve the database over https, or run `understudy serve DIR` and open the address that it prints.";
    return {
      findings: [{ ok: false, what: "https page, http source", detail }],
      missing: [],
      verdict: detail,
    };
  }
  const findings: Finding[] = [];
  const probe = at(to, PROBE);
  const reach = await tryFetch(probe, { mode: "no-cors", cache: "no-store" });
  findings.push({
    ok: reach !== null,
    what: "The server answers",
    detail:
      reach === null
        ? `nothing answered at ${to.host}: is the name right, is the server up, is it blocked?`
        : to.host,
  });
  if (reach === null)
    return { findings, missing: [], verdict: `${to.host} can’t be reached from this browser.` };
  return examine(probe, [at(to, INDEX), at(to, CLUSTER)], from, findings);
}

/** `others` are looked at where the probe is not there. */
async function examine(probe: string, others: string[], page: URL, findings: Finding[]): Promise<Diagnosis> {
  const missing: string[] = [];
  const plain = await tryFetch(probe, { cache: "no-store" });
  findings.push({
    ok: plain !== null,
    what: "It lets this page read (CORS)",
    detail:
      plain === null
        ? `no Access-Control-Allow-Origin header that allows ${page.origin}`
        : (plain.headers.get("Access-Control-Allow-Origin") ?? "same origin, none needed"),
  });
  if (plain === null) {
    missing.push("Access-Control-Allow-Origin");
    return {
      findings,
      missing,
      verdict: "The server answers, but does not allow this page to read: its CORS rules need a line for it.",
    };
  }
  let found = plain.ok ? probe : null;
  let refused = plain.status === 403 || plain.status === 401;
  for (const other of found === null ? others : []) {
    const answer = await tryFetch(other, { cache: "no-store" });
    if (answer?.ok) found ??= other;
    refused ||= answer?.status === 403 || answer?.status === 401;
  }
  const there = found !== null;
  findings.push({
    ok: there,
    what: "There is a QuestDB database, or a cluster’s bucket",
    detail: there
      ? (found ?? "")
      : `${probe} gave ${plain.status}; the address must be that of the db directory, or of the bucket’s root (the one with ${CLUSTER})`,
  });
  const part = await tryFetch(found ?? probe, {
    headers: { Range: "bytes=0-7" },
    cache: "no-store",
  });
  const ranged = part?.status === 206;
  findings.push({
    ok: part === null ? false : ranged ? true : null,
    what: "It gives parts of files (Range)",
    detail:
      part === null
        ? "a request with a Range header is refused"
        : ranged
          ? "yes"
          : "no: whole files are fetched, which is slower",
  });
  if (part === null) missing.push("Access-Control-Allow-Headers: Range");
  const exposed = ranged && part.headers.get("Content-Range") !== null;
  if (ranged && !exposed) missing.push("Access-Control-Expose-Headers: Content-Range");
  if (ranged)
    findings.push({
      ok: exposed ? true : null,
      what: "Content-Range can be read",
      detail: exposed ? "yes" : "not exposed",
    });
  const verdict = !there
    ? refused
      ? "The server refuses to show what is at this address: it is private, or the path is wrong."
      : "The server can be read, but there is no database at this address."
    : missing.length > 0
      ? "The server can be read in part; the headers below are missing."
      : "The server can be read: the fault lies elsewhere.";
  return { findings, missing, verdict };
}

function at(directory: URL, file: string): string {
  const url = new URL(directory);
  url.pathname = url.pathname.replace(/\/?$/, "/") + file;
  return url.href;
}

async function tryFetch(url: string, init: RequestInit): Promise<Response | null> {
  try {
    return await fetch(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch {
    return null;
  }
}

const ALLOWED = ["Range", "If-Match"];
const EXPOSED = ["Content-Range", "ETag", "Last-Modified", "Accept-Ranges", "Content-Length"];
const AGE_SECONDS = 3600;

/** The rule that lets a page read, as each store wants it. */
export function recipes(origin: string): { store: string; text: string; how: string }[] {
  const s3 = [
    {
      AllowedOrigins: [origin],
      AllowedMethods: ["GET", "HEAD"],
      AllowedHeaders: ALLOWED,
      ExposeHeaders: EXPOSED,
      MaxAgeSeconds: AGE_SECONDS,
    },
  ];
  const gcs = [
    {
      origin: [origin],
      method: ["GET", "HEAD"],
      responseHeader: [...ALLOWED, ...EXPOSED],
      maxAgeSeconds: AGE_SECONDS,
    },
  ];
  const azure = {
    corsRules: [
      {
        allowedOrigins: [origin],
        allowedMethods: ["GET", "HEAD", "OPTIONS"],
        allowedHeaders: ALLOWED,
        exposedHeaders: EXPOSED,
        maxAgeInSeconds: AGE_SECONDS,
      },
    ],
  };
  const print = (value: unknown) => JSON.stringify(value, null, 2);
  return [
    {
      store: "Amazon S3",
      text: print({ CORSRules: s3 }),
      how: "aws s3api put-bucket-cors --bucket BUCKET --cors-configuration file://cors.json",
    },
    {
      store: "Google Cloud Storage",
      text: print(gcs),
      how: "gcloud storage buckets update gs://BUCKET --cors-file=cors.json",
    },
    {
      store: "Azure Blob Storage",
      text: print({ properties: { cors: azure } }),
      how:
        `az storage cors add --services b --origins '${origin}' --methods GET HEAD OPTIONS ` +
        `--allowed-headers '${ALLOWED.join(",")}' --exposed-headers '${EXPOSED.join(",")}' --max-age ${AGE_SECONDS}`,
    },
  ];
}

/** What the browser asks, to be tried in a terminal. */
export function curlProbe(source: string, origin: string): string {
  const url = at(new URL(source, origin), PROBE);
  return [
    `curl -i -X OPTIONS '${shellSafe(url)}' \\`,
    `  -H 'Origin: ${shellSafe(origin)}' \\`,
    `  -H 'Access-Control-Request-Method: GET' \\`,
    `  -H 'Access-Control-Request-Headers: range'`,
  ].join("\n");
}

function shellSafe(text: string): string {
  return text.replaceAll("'", "%27");
}
