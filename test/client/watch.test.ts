/** What a watch hands over, whatever the server and the line do; against servers that play a script. */
import type { ConnectError } from "@connectrpc/connect";
import { Code } from "@connectrpc/connect";
import { describe, expect, test, vi } from "vitest";
import type { WatchKind } from "../../gen/opscore/v1/common_pb.js";
import type { Reconnect } from "../../src/client/watch/resuming-stream.js";
import type { StateWatch, WatchOptions } from "../../src/client/index.js";
import { failure, foreignFailure, rejection } from "./helpers/failures.js";
import {
  ending,
  events,
  failing,
  gone,
  holding,
  progress,
  resync,
  scripted,
  snapshot,
  synced,
  word,
  type Script,
} from "./helpers/scripted-watch.js";

const stopping = failure("SERVER_STOPPING");
const NOW = { reconnect: { initialBackoffMs: 0 } };

/** Everything that a watch hands over until it ends, or until it has handed over `count` items. */
async function collect(watch: StateWatch, count = Infinity): Promise<string[]> {
  const words: string[] = [];
  for await (const item of watch) {
    words.push(word(item));
    if (words.length >= count) break;
  }
  return words;
}

/** Lets a scripted watch run to its end; waits between tries take no time. */
async function play(scripts: readonly Script[], options: WatchOptions = {}, count?: number) {
  const { client, scheduler, requests } = scripted(...scripts);
  const watch = client.watchState({}, { ...NOW, onReconnect: () => void scheduler.elapse(0), ...options });
  return { words: await collect(watch, count), requests, token: watch.resumeToken };
}

describe("one call", () => {
  test("snapshot, synced, events; the end with OK is the end", async () => {
    const { words, token } = await play([
      ending(snapshot("a", "b"), snapshot("c"), synced("1"), events("2", "a", "b"), progress("3"), events("4", "c")),
    ]);
    expect(words).toEqual(["+a", "+b", "+c", "synced", "a", "b", "c"]);
    expect(token).toBe("4");
  });

  test("says what it was asked for", async () => {
    const { client, requests } = scripted(ending());
    const filter = { agentIds: ["a"], labelSelector: "env=prod", capabilities: ["write"], states: [3] };
    await collect(client.watchState(filter, { includeSnapshot: false, resumeToken: "7", progressIntervalMs: 2_500 }));
    expect(requests[0]).toMatchObject({
      ...filter,
      includeSnapshot: false,
      resumeToken: "7",
      progressInterval: { seconds: 2n, nanos: 500_000_000 },
    });
  });

  test("a snapshot is asked for by default", async () => {
    expect((await play([ending()])).requests[0]).toMatchObject({ includeSnapshot: true, resumeToken: "" });
  });

  test("nothing is sent before the watch is iterated", () => {
    const { client, requests } = scripted();
    client.watchState();
    expect(requests).toEqual([]);
  });

  test("kinds that a newer server may send are passed over, their token is not", async () => {
    const { words, token } = await play([ending(synced("1"), { kind: 99 as WatchKind, resumeToken: "2" })]);
    expect(words).toEqual(["synced"]);
    expect(token).toBe("2");
  });
});

describe("the line breaks", () => {
  test("after synced: the next call goes on after the last token, and nobody notices", async () => {
    const { words, requests } = await play([
      failing(stopping, snapshot("a"), synced("1"), events("2", "a", "b")),
      failing(stopping, events("3", "c"), synced("4"), progress("5")),
      ending(synced("5"), events("6", "d")),
    ]);
    expect(words).toEqual(["+a", "synced", "a", "b", "c", "d"]);
    expect(requests.map(({ resumeToken }) => resumeToken)).toEqual(["", "2", "5"]);
  });

  test("during the snapshot: resync, and from the beginning", async () => {
    const { words, requests } = await play([failing(stopping, snapshot("a")), ending(snapshot("a", "b"), synced("1"))]);
    expect(words).toEqual(["+a", "resync", "+a", "+b", "synced"]);
    expect(requests.map(({ resumeToken }) => resumeToken)).toEqual(["", ""]);
  });

  test("before anything: from the beginning, without a word", async () => {
    const { words } = await play([failing(stopping), failing(stopping), ending(snapshot("a"), synced("1"))]);
    expect(words).toEqual(["+a", "synced"]);
  });

  test("before synced without a snapshot: from the beginning, without a word", async () => {
    const { words, requests } = await play([failing(stopping), ending(synced("1"))], { includeSnapshot: false });
    expect(words).toEqual(["synced"]);
    expect(requests[1]).toMatchObject({ includeSnapshot: false });
  });

  test("with a token of the caller: the same token again", async () => {
    const { words, requests } = await play(
      [failing(stopping), failing(stopping, events("8", "a")), ending(synced("8"))],
      { resumeToken: "7" },
    );
    expect(words).toEqual(["a", "synced"]);
    expect(requests.map(({ resumeToken }) => resumeToken)).toEqual(["7", "7", "8"]);
  });

  test("the server says resync: it is handed over, the old token is dropped, a snapshot is wanted", async () => {
    const { words, requests } = await play(
      [
        failing(stopping, synced("1"), events("2", "a"), resync),
        failing(stopping, snapshot("b")),
        ending(snapshot("b", "c"), synced("9"), events("10", "d")),
      ],
      { includeSnapshot: false },
    );
    expect(words).toEqual(["synced", "a", "resync", "+b", "resync", "+b", "+c", "synced", "d"]);
    expect(requests.map(({ resumeToken }) => resumeToken)).toEqual(["", "", ""]);
    expect(requests.map(({ includeSnapshot }) => includeSnapshot)).toEqual([false, true, true]);
  });

  test("a server that sends no tokens leaves no gap either", async () => {
    const { words } = await play([failing(stopping, synced(""), events("", "a")), ending(snapshot("a"), synced("1"))]);
    expect(words).toEqual(["synced", "a", "resync", "+a", "synced"]);
  });

  test("a token that an upgraded server does not take any more: resync", async () => {
    const { words, requests } = await play([
      failing(stopping, synced("old-1")),
      failing(failure("INVALID_RESUME_TOKEN")),
      ending(snapshot("a"), synced("new-1")),
    ]);
    expect(words).toEqual(["synced", "resync", "+a", "synced"]);
    expect(requests.map(({ resumeToken }) => resumeToken)).toEqual(["", "old-1", ""]);
  });
});

describe("what ends a watch with its failure", () => {
  test.each([
    ["INVALID_FIELD", failure("INVALID_FIELD")],
    ["CREDENTIALS_MISSING", failure("CREDENTIALS_MISSING")],
    ["INTERNAL", failure("INTERNAL")],
    ["TOO_MANY without a time to come back", failure("TOO_MANY")],
    ["a proxy's UNIMPLEMENTED", foreignFailure(Code.Unimplemented)],
  ])("%s", async (_, error) => {
    const { client } = scripted(failing(error, synced("1")));
    const watch = client.watchState();
    expect((await watch.next()).value).toEqual({ type: "synced" });
    expect((await rejection(watch.next())).code).toBe(error.code);
    expect(await watch.next()).toEqual({ done: true, value: undefined });
  });

  test("the caller's own token, refused", async () => {
    const { client } = scripted(failing(failure("INVALID_RESUME_TOKEN")));
    expect((await rejection(collect(client.watchState({}, { resumeToken: "x" })))).code).toBe(Code.InvalidArgument);
  });

  test("as many tries in a row without result as are allowed", async () => {
    const { client, scheduler, requests } = scripted(
      failing(stopping),
      failing(stopping, synced("1")),
      failing(stopping),
      failing(stopping),
    );
    const watch = client.watchState({}, { reconnect: { initialBackoffMs: 10, maxAttempts: 3 } });
    const collected = rejection(collect(watch));
    await scheduler.elapse(10);
    await scheduler.elapse(10);
    await scheduler.elapse(20);
    expect((await collected).code).toBe(Code.Unavailable);
    expect(requests).toHaveLength(4);
  });
});

describe("waits between tries", () => {
  test("grow, honour the server's wish, start anew after a success, and are told", async () => {
    const told: Reconnect[] = [];
    const { client, scheduler } = scripted(
      failing(foreignFailure(Code.Unavailable)),
      failing(foreignFailure(Code.Unavailable)),
      failing(failure("TOO_MANY", { retryAfterMs: 1_000 })),
      failing(stopping, synced("1")),
      ending(),
    );
    const collected = collect(client.watchState({}, { onReconnect: (reconnect) => told.push(reconnect) }));
    for (const ms of [100, 200, 1_400, 100]) await scheduler.elapse(ms);
    expect(await collected).toEqual(["synced"]);
    expect(told.map(({ failures, delayMs }) => [failures, delayMs])).toEqual([
      [1, 100],
      [2, 200],
      [3, 1_400],
      [1, 100],
    ]);
    expect(told[2]?.error.code).toBe(Code.ResourceExhausted);
  });

  test("end at once with the watch", async () => {
    const { client, scheduler } = scripted(failing(stopping));
    const controller = new AbortController();
    const collected = collect(client.watchState({}, { signal: controller.signal }));
    await scheduler.armed(100);
    controller.abort();
    expect(await collected).toEqual([]);
    expect(scheduler.running).toEqual([]);
  });

  test("options out of bounds are refused by name", () => {
    const { client } = scripted();
    expect(() => client.watchState({}, { reconnect: { multiplier: 0 } })).toThrow(/^retry\.multiplier /);
  });
});

describe("a server that has fallen silent", () => {
  test("is given up after three missed signs of life", async () => {
    const { client, scheduler, requests } = scripted(holding(synced("1")), ending(events("2", "a")));
    const told: ConnectError[] = [];
    const watch = client.watchState({}, { progressIntervalMs: 1_000, onReconnect: ({ error }) => told.push(error) });
    await watch.next();
    const next = watch.next();
    await scheduler.armed(3_000);
    scheduler.advance(2_999);
    expect(told).toEqual([]);
    scheduler.advance(1);
    await scheduler.elapse(100);
    expect(await next).toMatchObject({ value: { event: { state: { agentId: "a" } } } });
    expect(requests[1]).toMatchObject({ resumeToken: "1" });
    expect(told[0]).toMatchObject({
      code: Code.Unavailable,
      rawMessage: "no sign of life from the server for 3000 ms",
    });
  });

  test("progress is a sign of life", async () => {
    const turns = turnstile();
    const { client, scheduler } = scripted(async function* (_, context) {
      yield synced("1");
      await turns.passed(1);
      yield progress("2");
      await turns.passed(2);
      yield events("3", "a");
      await gone(context);
    });
    const watch = client.watchState({}, { progressIntervalMs: 1_000 });
    await watch.next();
    const next = watch.next();
    await scheduler.armed(3_000);
    scheduler.advance(2_900);
    turns.pass();
    await until(() => watch.resumeToken === "2");
    // The first timer looks, sees the progress, and waits for the rest.
    scheduler.advance(2_900);
    expect(scheduler.running).toEqual([2_900]);
    turns.pass();
    expect(await next).toMatchObject({ value: { type: "event" } });
    watch.close();
  });

  test("is not to blame while nobody waits for it", async () => {
    const { client, scheduler, requests } = scripted(holding(synced("1"), events("2", "a")));
    const watch = client.watchState({}, { progressIntervalMs: 1_000 });
    expect((await watch.next()).value).toEqual({ type: "synced" });
    scheduler.advance(60_000);
    expect(await watch.next()).toMatchObject({ value: { type: "event" } });
    expect(requests).toHaveLength(1);
    watch.close();
  });
});

describe("ending a watch", () => {
  /** A watch that waits for its next item, and what the server sees of it. */
  async function waiting(options: WatchOptions = {}) {
    const left = deferred();
    const { client } = scripted(async function* (_, context) {
      yield synced("1");
      await gone(context);
      left.resolve();
    });
    const watch = client.watchState({}, options);
    await watch.next();
    return { client, watch, next: watch.next(), left: left.promise };
  }

  test.each<[string, (running: Awaited<ReturnType<typeof waiting>>, controller: AbortController) => void]>([
    ["its signal", (_, controller) => controller.abort()],
    ["a signal with a reason of its own", (_, controller) => controller.abort(new Error("enough"))],
    ["close", ({ watch }) => watch.close()],
    ["return", ({ watch }) => void watch.return()],
    ["the end of the client", ({ client }) => client.close()],
  ])("by %s, while it waits: it ends without an error, and the server sees the cancel", async (_, end) => {
    const controller = new AbortController();
    const running = await waiting({ signal: controller.signal });
    end(running, controller);
    expect(await running.next).toEqual({ done: true, value: undefined });
    await running.left;
    expect(await running.watch.next()).toEqual({ done: true, value: undefined });
    expect(running.watch.resumeToken).toBe("1");
  });

  test("takes a handful of microtasks, and no turn of the event loop", async () => {
    const controller = new AbortController();
    const { next } = await waiting({ signal: controller.signal });
    let turned = false;
    setImmediate(() => (turned = true));
    controller.abort();
    await next;
    expect(turned).toBe(false);
  });

  test("by leaving the loop: the server sees the cancel", async () => {
    const left = deferred();
    const { client } = scripted(async function* (_, context) {
      void gone(context).then(left.resolve);
      yield synced("1");
      await left.promise;
    });
    for await (const item of client.watchState()) {
      expect(item.type).toBe("synced");
      break;
    }
    await left.promise;
  });

  test("drops what has not been handed over", async () => {
    const { client } = scripted(holding(synced("1"), events("2", "a", "b", "c")));
    const watch = client.watchState();
    await watch.next();
    expect(word((await watch.next()).value ?? { type: "resync" })).toBe("a");
    watch.close();
    expect(await watch.next()).toEqual({ done: true, value: undefined });
    expect(watch.resumeToken).toBe("1");
  });

  test("before it has begun: nothing is ever sent", async () => {
    const { client, requests } = scripted();
    const aborted = client.watchState({}, { signal: AbortSignal.abort() });
    expect(await collect(aborted)).toEqual([]);
    client.close();
    expect(await collect(client.watchState())).toEqual([]);
    expect(requests).toEqual([]);
  });

  test("leaves nothing behind on the signal and the client", async () => {
    const { client } = scripted(ending(synced("1")), ending(synced("1")));
    const controller = new AbortController();
    const listeners = countListeners(controller.signal);
    await collect(client.watchState({}, { signal: controller.signal }));
    expect(listeners()).toBe(0);
    await using watch = client.watchState({}, { signal: controller.signal });
    await watch.next();
    expect(listeners()).toBe(1);
    watch.close();
    expect(listeners()).toBe(0);
  });
});

describe("the token", () => {
  test("moves when the last item of a batch is handed over, and with progress", async () => {
    const turns = turnstile();
    const { client } = scripted(async function* (_, context) {
      yield snapshot("a");
      yield synced("1");
      yield events("2", "a", "b");
      yield events("3", "c");
      await turns.passed(1);
      yield progress("4");
      await gone(context);
    });
    const watch = client.watchState();
    const tokens: string[] = [];
    while (tokens.length < 5) {
      const { value } = await watch.next();
      tokens.push(`${word(value ?? { type: "resync" })} ${watch.resumeToken}`);
    }
    expect(tokens).toEqual(["+a ", "synced 1", "a 1", "b 2", "c 3"]);
    const next = watch.next();
    turns.pass();
    await until(() => watch.resumeToken === "4");
    watch.close();
    await next;
  });

  test("is the caller's until the server gives another", async () => {
    const { client } = scripted(holding(events("8", "a", "b")));
    const watch = client.watchState({}, { resumeToken: "7" });
    expect(watch.resumeToken).toBe("7");
    await watch.next();
    expect(watch.resumeToken).toBe("7");
    await watch.next();
    expect(watch.resumeToken).toBe("8");
    watch.close();
  });

  test("is empty between resync and synced", async () => {
    const { client } = scripted(holding(synced("1"), resync, snapshot("a"), synced("2")));
    const watch = client.watchState();
    const tokens: string[] = [];
    while (tokens.length < 4) {
      await watch.next();
      tokens.push(watch.resumeToken);
    }
    expect(tokens).toEqual(["1", "", "", "2"]);
    watch.close();
  });
});

describe("iterating", () => {
  test("questions that are asked before the answers come are answered in order", async () => {
    const { client } = scripted(ending(synced("1"), events("2", "a", "b"), events("3", "c")));
    const watch = client.watchState();
    const results = await Promise.all(Array.from({ length: 6 }, () => watch.next()));
    expect(results.map(({ value }) => value && word(value))).toEqual(["synced", "a", "b", "c", undefined, undefined]);
  });

  test("by batches: what came in one message comes together, and the token with it", async () => {
    const { client } = scripted(ending(snapshot("a", "b"), synced("1"), progress("2"), events("3", "a", "b", "c")));
    const watch = client.watchState();
    const batches: string[] = [];
    for await (const batch of watch.batches()) batches.push(`${batch.map(word).join(" ")} ${watch.resumeToken}`);
    expect(batches).toEqual(["+a +b ", "synced 1", "a b c 3"]);
  });

  test("first items, then batches: the rest of the batch comes first", async () => {
    const { client } = scripted(ending(events("1", "a", "b", "c"), events("2", "d")));
    const watch = client.watchState();
    await watch.next();
    const batches: string[][] = [];
    for await (const batch of watch.batches()) batches.push(batch.map(word));
    expect(batches).toEqual([["b", "c"], ["d"]]);
  });

  test("leaving a loop over batches ends the watch", async () => {
    const { client } = scripted(holding(synced("1")));
    const watch = client.watchState();
    for await (const batch of watch.batches()) {
      expect(batch).toEqual([{ type: "synced" }]);
      break;
    }
    expect(await watch.next()).toEqual({ done: true, value: undefined });
  });
});

/** Lets scripts and tests wait for each other. */
function turnstile() {
  let passed = 0;
  let waiting: (() => void)[] = [];
  return {
    pass(): void {
      passed += 1;
      for (const resolve of waiting.splice(0)) resolve();
    },
    async passed(count: number): Promise<void> {
      while (passed < count) await new Promise<void>((resolve) => (waiting = [...waiting, resolve]));
    },
  };
}

/** Yields to whatever is under way in this process until `condition` holds. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((resolved) => (resolve = resolved));
  return { promise, resolve };
}

function countListeners(signal: AbortSignal): () => number {
  const added = vi.spyOn(signal, "addEventListener");
  const removed = vi.spyOn(signal, "removeEventListener");
  return () => added.mock.calls.length - removed.mock.calls.length;
}
