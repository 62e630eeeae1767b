/** The routes by which browsers get the page. It is for everybody: what it shows it has to ask the services for, as every client does. */
import type { HeaderReader } from "../interceptors/index.js";
import type { HttpAnswer, OpenRoute } from "../transport/http/routes.js";
import type { PageFile, PageFileName } from "./files.js";

const PAGE = "/dashboard";
const PARTS: readonly PageFileName[] = ["app.js", "style.css", "icon.svg"];

/**
 * The page loads nothing from elsewhere, talks to nobody else, and is shown in no other page: whatever an agent says of itself stays
 * text.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** What says the same of every file. A browser keeps it, and asks whether it still is so. */
const HEADERS = {
  "content-security-policy": POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-cache",
  vary: "accept-encoding",
};

export function dashboardRoutes(): readonly OpenRoute[] {
  return [
    { ...fileRoute(PAGE, "index.html"), isHome: true },
    ...PARTS.map((name) => fileRoute(`${PAGE}/${name}`, name)),
  ];
}

function fileRoute(path: string, name: PageFileName): OpenRoute {
  let file: Promise<PageFile> | undefined;
  return {
    kind: "open",
    verbs: ["GET", "HEAD"],
    path,
    async answer(header) {
      // Loaded only now: most servers never see a browser.
      file ??= import("./files.js").then(({ readPageFile }) => readPageFile(name));
      try {
        return fileAnswer(await file, header);
      } catch (failure) {
        // It may be read the next time.
        file = undefined;
        throw failure;
      }
    },
  };
}

/** Whether gzip is among what is accepted, and not with a weight of nothing, which refuses it. */
function takesGzip(accepted: string): boolean {
  return accepted.split(",").some((coding) => /^gzip *(;(?! *q=0(\.0*)? *$).*)?$/i.test(coding.trim()));
}

function fileAnswer({ contentType, plain, gzipped, etag }: PageFile, header: HeaderReader): HttpAnswer {
  const headers = { ...HEADERS, etag };
  if (header.get("if-none-match")?.includes(etag) === true) return { status: 304, body: "", contentType, headers };
  if (!takesGzip(header.get("accept-encoding") ?? "")) return { status: 200, body: plain, contentType, headers };
  return { status: 200, body: gzipped, contentType, headers: { ...headers, "content-encoding": "gzip" } };
}
