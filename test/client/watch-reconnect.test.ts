/** What a watch does about a line that breaks, or falls silent; against servers that play a script. */
import type { ConnectError } from "@connectrpc/connect";
import { Code } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import type { Reconnect, WatchOptions } from "../../src/client/index.js";
import { failure, foreignFailure, rejection } from "./helpers/failures.js";
import { collect, play, stopping, turnstile, until } from "./helpers/played-watch.js";
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
} from "./helpers/scripted-watch.js";

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

  test("are over when the server answers again, also when it has nothing new to tell", async () => {
    const told: string[] = [];
    const { client, scheduler } = scripted(
      failing(stopping, synced("1")),
      failing(stopping),
      failing(stopping, synced("2"), progress("3")),
      ending(snapshot("a")),
    );
    const options: WatchOptions = {
      onReconnect: ({ failures }) => told.push(`away ${failures}`),
      onReconnected: () => told.push("back"),
    };
    const collected = collect(client.watchState({}, options));
    for (const ms of [100, 200, 100]) await scheduler.elapse(ms);
    expect(await collected).toEqual(["synced", "+a"]);
    expect(told).toEqual(["away 1", "away 2", "back", "away 1", "back"]);
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
