/** What a call brings to the server, and what ends it: deadlines, signals, request ids, headers. */
import type { ConnectError } from "@connectrpc/connect";
import { Code, type HandlerContext } from "@connectrpc/connect";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { State } from "../../gen/opscore/v1/common_pb.js";
import { SetStateRequestSchema } from "../../gen/opscore/v1/state_service_pb.js";
import { createOpsCoreClient, type OpsCoreClientOptions } from "../../src/client/index.js";
import { failure, rejection } from "./helpers/failures.js";
import { FakeScheduler } from "./helpers/fake-scheduler.js";
import { clientOf, failing } from "./helpers/routes.js";

const away = failure("STORAGE_UNAVAILABLE");

describe("deadlines", () => {
  /** The deadline that each attempt brought to the server, in milliseconds. */
  function deadlines(failures: readonly ConnectError[], options: Partial<OpsCoreClientOptions> = {}) {
    const seen: (number | undefined)[] = [];
    const answer = (_: unknown, context: HandlerContext) => {
      seen.push(context.timeoutMs());
      const next = failures[seen.length - 1];
      if (next !== undefined) throw next;
      return {};
    };
    const client = clientOf({ states: { getState: answer, setState: answer, waitForState: answer } }, options);
    return { client, seen };
  }

  /** What is left of a deadline when it reaches the handler: all of it but for the time that the test took. */
  const about = (ms: number): unknown => expect.toSatisfy((left: number) => left <= ms && left > ms - 1_000);

  test("a call without one has the default", async () => {
    const { client, seen } = deadlines([]);
    await client.states.getState({});
    expect(seen).toEqual([about(10_000)]);
  });

  test("the default can be changed, and turned off", async () => {
    const changed = deadlines([], { defaultTimeoutMs: 3_000 });
    await changed.client.states.getState({});
    expect(changed.seen).toEqual([about(3_000)]);
    const off = deadlines([], { defaultTimeoutMs: 0 });
    await off.client.states.getState({});
    expect(off.seen).toEqual([undefined]);
    expect(() => clientOf({}, { defaultTimeoutMs: -1 })).toThrow(RangeError);
  });

  test("a report has as much longer as it may be held", async () => {
    const { client, seen } = deadlines([]);
    await client.states.setState({});
    await client.states.setState({ waitForRegistration: durationFromMs(60_000) });
    await client.states.setState({ waitForRegistration: durationFromMs(0) });
    expect(seen).toEqual([about(15_000), about(70_000), about(10_000)]);
  });

  test("a wait has none", async () => {
    const { client, seen } = deadlines([]);
    await client.states.waitForState({});
    expect(seen).toEqual([undefined]);
  });

  test("the caller's counts, and 0 asks for none", async () => {
    const { client, seen } = deadlines([]);
    await client.states.getState({}, { timeoutMs: 2_000 });
    await client.states.getState({}, { timeoutMs: 0 });
    expect(seen).toEqual([about(2_000), undefined]);
  });

  test("one that no lane can carry is as good as none", async () => {
    const { client, seen } = deadlines([], { defaultTimeoutMs: Number.MAX_SAFE_INTEGER });
    await client.states.getState({});
    await client.states.getState({}, { timeoutMs: 100_000_000 });
    expect(seen).toEqual([undefined, undefined]);
  });

  test("all attempts share it", async () => {
    const { client, seen } = deadlines([away, failure("TOO_MANY", { retryAfterMs: 4_000 })]);
    await client.states.getState({}, { timeoutMs: 9_000 });
    expect(seen).toEqual([about(9_000), about(8_900), about(4_700)]);
  });

  test("a wait that would outlast it is not begun: the caller gets what went wrong", async () => {
    const scheduler = new FakeScheduler();
    const { client, seen } = deadlines([failure("TOO_MANY", { retryAfterMs: 5_000 })], { scheduler });
    const error = await rejection(client.states.getState({}, { timeoutMs: 5_000 }));
    expect(error.code).toBe(Code.ResourceExhausted);
    expect(seen).toHaveLength(1);
    expect(scheduler.waits).toEqual([]);
  });
});

describe("the caller's signal", () => {
  test("ends a wait for the next attempt at once", async () => {
    const scheduler = new FakeScheduler();
    const seen: unknown[] = [];
    const client = clientOf({ states: { getState: failing([away], seen) } }, { scheduler });
    const controller = new AbortController();
    const call = rejection(client.states.getState({}, { signal: controller.signal }));
    await scheduler.armed(100);
    controller.abort();
    expect((await call).code).toBe(Code.Canceled);
    expect(scheduler.running).toEqual([]);
    expect(seen).toHaveLength(1);
  });

  test("the end of the client ends it too", async () => {
    const scheduler = new FakeScheduler();
    const client = clientOf({ states: { getState: failing([away, away]) } }, { scheduler });
    const call = rejection(client.states.getState({}));
    await scheduler.armed(100);
    client.close();
    expect(await call).toMatchObject({ code: Code.Canceled, rawMessage: "the client was closed" });
    expect(await rejection(client.states.getState({}))).toMatchObject({ rawMessage: "the client was closed" });
  });
});

describe("request ids", () => {
  type Request = MessageInitShape<typeof SetStateRequestSchema>;

  async function sent(requests: readonly Request[], failures: readonly ConnectError[] = []): Promise<string[]> {
    const seen: { readonly requestId: string }[] = [];
    const client = clientOf({ states: { setState: failing(failures, seen) } });
    for (const request of requests) await client.states.setState(request);
    return seen.map(({ requestId }) => requestId);
  }

  test("every attempt of a call has the same, another call another", async () => {
    const [first, again, other] = await sent([{}, {}], [away]);
    expect(first).toMatch(/^[0-9a-f-]{36}$/);
    expect(again).toBe(first);
    expect(other).not.toBe(first);
  });

  test("the caller's own is kept", async () => {
    expect(await sent([{ requestId: "mine" }], [away])).toEqual(["mine", "mine"]);
  });

  test("the caller's object is left alone, so that it can be sent again as another request", async () => {
    const message = create(SetStateRequestSchema, { agentId: "a", state: State.IDLE });
    const [first, second] = await sent([message, message]);
    expect(message.requestId).toBe("");
    expect(second).not.toBe(first);
  });
});

describe("headers", () => {
  function headersOf(options: Partial<OpsCoreClientOptions>) {
    const seen: Headers[] = [];
    const answer = (_: unknown, { requestHeader }: HandlerContext) => {
      seen.push(requestHeader);
      return {};
    };
    return { client: clientOf({ states: { getState: answer } }, options), seen };
  }

  test("key and namespace go with every call", async () => {
    const { client, seen } = headersOf({ apiKey: "sesame", namespace: "team-a" });
    await client.states.getState({});
    await client.states.getState({}, { headers: { "x-mine": "1", "opscore-namespace": "team-b" } });
    expect(seen.map((header) => header.get("authorization"))).toEqual(["Bearer sesame", "Bearer sesame"]);
    expect(seen.map((header) => header.get("opscore-namespace"))).toEqual(["team-a", "team-b"]);
    expect(seen[1]?.get("x-mine")).toBe("1");
  });

  test("nothing is sent that was not given", async () => {
    const { client, seen } = headersOf({});
    await client.states.getState({});
    expect(seen[0]?.has("authorization")).toBe(false);
    expect(seen[0]?.has("opscore-namespace")).toBe(false);
  });

  test.each([{ apiKey: "two\nlines" }, { namespace: "two\nlines" }])("%o is refused", (options) => {
    expect(() => clientOf({}, options)).toThrow(TypeError);
  });

  test.each(["not a url", "ftp://host", "unix:/socket"])("baseUrl %s is refused", (baseUrl) => {
    expect(() => createOpsCoreClient({ baseUrl })).toThrow(TypeError);
  });
});
