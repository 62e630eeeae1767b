/** What a watch hands over, and how it ends; against servers that play a script. */
import { describe, expect, test, vi } from "vitest";
import type { WatchKind } from "../../gen/opscore/v1/common_pb.js";
import type { WatchOptions } from "../../src/client/index.js";
import { collect, play, turnstile, until } from "./helpers/played-watch.js";
import {
  ending,
  events,
  gone,
  holding,
  progress,
  resync,
  scripted,
  snapshot,
  synced,
  word,
} from "./helpers/scripted-watch.js";

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

  test("an interval is sent in whole milliseconds, and one that no server takes is refused", async () => {
    const { client, requests } = scripted(ending());
    await collect(client.watchState({}, { progressIntervalMs: 1000 * 1.005 }));
    expect(requests[0]).toMatchObject({ progressInterval: { seconds: 1n, nanos: 5_000_000 } });
    // A server that is not there long enough to refuse it would be tried again for ever.
    for (const progressIntervalMs of [0, -5, 99, 3_600_001, Number.NaN, Infinity]) {
      expect(() => client.watchState({}, { progressIntervalMs })).toThrow(RangeError);
      expect(() => client.watchSessions({}, { progressIntervalMs })).toThrow(RangeError);
      expect(() => client.watchTasks({}, { progressIntervalMs })).toThrow(RangeError);
    }
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
