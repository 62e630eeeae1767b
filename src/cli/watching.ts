/**
 * What the watch commands have in common: a watch that gives up while it has never reached the server, and never afterwards.
 */
import type { JsonObject } from "@bufbuild/protobuf";
import type { Reconnect, Resync, Synced, Watch, WatchOptions } from "../client/index.js";
import { causeOf } from "./causes.js";
import type { ClientContext } from "./connection.js";
import { interruptedExit } from "./context.js";
import type { Exit } from "./exit-codes.js";
import { optional, toggle } from "./flags.js";
import { anyText } from "./readers.js";
import { printable } from "./text/printable.js";
import type { EventView } from "./views/events.js";
import { EventLines, type EventWidths, RESYNC_NOTE, SYNCED_NOTE } from "./views/event-lines.js";

/** How many times the server may be away before the watch has begun. */
const FIRST_ATTEMPTS = 5;

export type Item<Entry> = Entry | Synced | Resync;

/** Where a watch begins. */
export const WATCH_FLAGS = {
  resumeToken: optional("--resume-token <token>", "go on after this token of a watch with the same filter", anyText),
  snapshot: toggle("--no-snapshot", "begin with what happens next, not with what there is"),
};

export interface WatchStart {
  readonly resumeToken: string | undefined;
  readonly snapshot: boolean;
}

/** What a watch does with what it gets. */
export interface WatchSink<Entry> {
  /** @param resumeToken where another watch goes on after these; empty while there is nothing to go on from */
  items(items: readonly Item<Entry>[], resumeToken: string): void;
  /** The connection was lost; the watch tries again. */
  lost(reconnect: Reconnect): void;
  /** The connection is there again. */
  found(): void;
  /** The watch, which had begun, has ended. */
  ended(resumeToken: string): void;
}

/**
 * Runs a watch to its end.
 *
 * @throws ConnectError for what trying again does not mend, and when the server could not be reached at all
 */
export async function follow<Entry>(
  { signal }: Pick<ClientContext, "signal">,
  { resumeToken, snapshot }: WatchStart,
  open: (options: WatchOptions) => Watch<Entry>,
  sink: WatchSink<Entry>,
): Promise<Exit> {
  let hasBegun = false;
  let failure: Error | undefined;
  const onReconnect = (reconnect: Reconnect) => {
    if (!hasBegun && reconnect.failures >= FIRST_ATTEMPTS) {
      failure = reconnect.error;
      watch.close();
    } else if (hasBegun) {
      sink.lost(reconnect);
    }
  };
  const onReconnected = () => {
    if (hasBegun) sink.found();
  };
  const watch = open({ signal, resumeToken, includeSnapshot: snapshot, onReconnect, onReconnected });
  try {
    for await (const items of watch.batches()) {
      hasBegun = true;
      sink.items(items, watch.resumeToken);
    }
  } finally {
    if (hasBegun) sink.ended(watch.resumeToken);
  }
  if (failure !== undefined) throw failure;
  return interruptedExit(signal) ?? "OK";
}

/** How the entries of one kind of watch are printed. */
export interface EntryPrinter<Entry> {
  readonly view: (entry: Entry) => EventView;
  /** With the names of the API. */
  readonly json: (entry: Entry) => JsonObject;
  readonly widths?: EventWidths;
}

/** Prints a watch, one line for each thing that it gets. */
export function lineSink<Entry extends { readonly type: string }>(
  { out, err, io, json }: ClientContext,
  entries: EntryPrinter<Entry>,
): WatchSink<Entry> {
  const { scheduler } = io;
  const lines = new EventLines(out.forPeople, entries.widths);
  let printedToken = "";

  function printText(item: Item<Entry>): void {
    if (isSynced(item)) out.line(lines.notice(scheduler.now(), "SYNCED", SYNCED_NOTE));
    else if (isResync(item)) out.line(lines.notice(scheduler.now(), "RESYNC", RESYNC_NOTE));
    else out.line(lines.event(entries.view(item)));
  }

  function printJson(item: Item<Entry>, resumeToken: string): void {
    const token = resumeToken === "" ? {} : { resumeToken };
    if (isSynced(item)) out.jsonLine({ kind: "WATCH_KIND_SYNCED", ...token });
    else if (isResync(item)) out.jsonLine({ kind: "WATCH_KIND_RESYNC" });
    else out.jsonLine({ ...entries.json(item), ...token });
    if (resumeToken !== "") printedToken = resumeToken;
  }

  return {
    items(items, resumeToken) {
      // A token stands after a whole batch, so only the last line of one carries it.
      items.forEach((item, i) => (json ? printJson(item, i === items.length - 1 ? resumeToken : "") : printText(item)));
    },
    lost(reconnect) {
      if (reconnect.failures > 1) return;
      err.line([
        {
          text: lossNote(reconnect),
          look: "yellow",
        },
      ]);
    },
    found() {
      // What comes next shows it.
    },
    ended(resumeToken) {
      if (resumeToken === "") return;
      if (json && resumeToken !== printedToken) out.jsonLine({ kind: "WATCH_KIND_PROGRESS", resumeToken });
      if (!json) err.line([{ text: `to go on from here: --resume-token ${resumeToken}`, look: "dim" }]);
    },
  };
}

/** What a person is told when the watch has lost its connection. */
export function lossNote({ error }: Reconnect): string {
  return `connection lost: ${printable(causeOf(error))}; trying again until it is back`;
}

function isSynced<Entry extends { readonly type: string }>(item: Item<Entry>): item is Synced {
  return item.type === "synced";
}

function isResync<Entry extends { readonly type: string }>(item: Item<Entry>): item is Resync {
  return item.type === "resync";
}
