/** What a browser gets: the page and its parts, as the build has put them beside this file. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gzip } from "node:zlib";

/** A file as it is sent. */
export interface PageFile {
  readonly contentType: string;
  readonly plain: Buffer;
  readonly gzipped: Buffer;
  /** With its quotes, as it stands in a header. */
  readonly etag: string;
}

const CONTENT_TYPES = {
  "index.html": "text/html; charset=utf-8",
  "app.js": "text/javascript; charset=utf-8",
  "style.css": "text/css; charset=utf-8",
  "icon.svg": "image/svg+xml",
} as const;

export type PageFileName = keyof typeof CONTENT_TYPES;

const compress = promisify(gzip);

/** @throws the system's error when it cannot be read */
export async function readPageFile(name: PageFileName): Promise<PageFile> {
  const plain = await readFile(new URL(`./page/${name}`, import.meta.url));
  const digest = createHash("sha256").update(plain).digest("base64url").slice(0, 22);
  return { contentType: CONTENT_TYPES[name], plain, gzipped: await compress(plain), etag: `"${digest}"` };
}
