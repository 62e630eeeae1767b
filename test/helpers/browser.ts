/** A real browser for the tests of what people see. */
import { spawnSync } from "node:child_process";
import { chromium, type Browser, type Page } from "playwright-core";
import { onTestFinished } from "vitest";
import { requireCommand } from "./system.js";

/** What Chromium is called on various systems. */
const NAMES = ["chromium", "google-chrome", "chromium-browser"] as const;

/** For root, in a container, and without anything that looks for a network. */
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"];

/** Starts a browser; a missing one is installed where that is possible. The caller closes it. */
export function startBrowser(): Promise<Browser> {
  requireCommand("chromium");
  const found = NAMES.map((name) => spawnSync("which", [name], { encoding: "utf8" }).stdout.trim()).find(
    (path) => path !== "",
  );
  if (found === undefined) throw new Error(`none of ${NAMES.join(", ")} is there`);
  return chromium.launch({ executablePath: found, args: FLAGS });
}

/** A tab, and what has gone wrong in it. */
export interface Tab {
  readonly page: Page;
  /** What the page has complained of, and what it asked others than `origin` for. */
  readonly complaints: readonly string[];
}

/**
 * Opens a tab of its own, with nothing of other tabs. It is closed with the test.
 *
 * @param prepare called before anything is loaded
 */
export async function openTab(
  browser: Browser,
  url: string,
  prepare: (page: Page) => Promise<unknown> = () => Promise.resolve(),
): Promise<Tab> {
  const context = await browser.newContext({ viewport: { width: 1200, height: 800 } });
  onTestFinished(() => context.close());
  // Sooner than the test's own limit, which would not say what was waited for.
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const complaints: string[] = [];
  const { origin } = new URL(url);
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    // What is answered with a failure is the page's to deal with; the browser mentions it all the same.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
      complaints.push(message.text());
  });
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== origin) complaints.push(`asked for ${request.url()}`);
  });
  await prepare(page);
  await page.goto(url);
  return { page, complaints };
}
