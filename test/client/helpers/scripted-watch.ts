import type { MessageInitShape } from "@bufbuild/protobuf";
import { createRouterTransport, type HandlerContext } from "@connectrpc/connect";
import { WatchKind } from "../../../gen/opscore/v1/common_pb.js";
import {
  StateService,
  type WatchStateRequest,
  type WatchStateResponseSchema,
} from "../../../gen/opscore/v1/state_service_pb.js";
import { createOpsCoreClient, type OpsCoreClient, type StateEntry } from "../../../src/client/index.js";
import type { Resync, Synced } from "../../../src/client/watch/resuming-stream.js";
import { FakeScheduler } from "./fake-scheduler.js";

type Message = MessageInitShape<typeof WatchStateResponseSchema>;

/** What a scripted server does with one call: sends some messages, and then returns (OK), throws, or holds the line. */
export type Script = (request: WatchStateRequest, context: HandlerContext) => AsyncIterable<Message>;

export const snapshot = (...ids: string[]): Message => ({
  kind: WatchKind.SNAPSHOT,
  states: ids.map((agentId) => ({ agentId })),
});
export const synced = (resumeToken: string): Message => ({ kind: WatchKind.SYNCED, resumeToken });
export const events = (resumeToken: string, ...ids: string[]): Message => ({
  kind: WatchKind.EVENTS,
  resumeToken,
  events: ids.map((agentId) => ({ state: { agentId } })),
});
export const progress = (resumeToken: string): Message => ({ kind: WatchKind.PROGRESS, resumeToken });
export const resync: Message = { kind: WatchKind.RESYNC };

/** Resolves when the caller has gone. */
export function gone({ signal }: HandlerContext): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** Sends messages and holds the line until the caller goes. */
export function holding(...messages: readonly Message[]): Script {
  return async function* (_, context) {
    yield* messages;
    await gone(context);
  };
}

/** Sends messages and then fails. */
export function failing(error: Error, ...messages: readonly Message[]): Script {
  // eslint-disable-next-line @typescript-eslint/require-await -- the shape of a handler
  return async function* () {
    yield* messages;
    throw error;
  };
}

/** Sends messages and ends with OK. */
export function ending(...messages: readonly Message[]): Script {
  // eslint-disable-next-line @typescript-eslint/require-await -- the shape of a handler
  return async function* () {
    yield* messages;
  };
}

export interface ScriptedServer {
  readonly client: OpsCoreClient;
  readonly scheduler: FakeScheduler;
  /** What each call asked for, so far. */
  readonly requests: readonly WatchStateRequest[];
}

/** A server that plays one script for each call, in order, and a client of it. */
export function scripted(...scripts: readonly Script[]): ScriptedServer {
  const requests: WatchStateRequest[] = [];
  const scheduler = new FakeScheduler();
  const transport = createRouterTransport(({ service }) => {
    service(StateService, {
      watchState(request, context) {
        const script = scripts[requests.length];
        requests.push(request);
        if (script === undefined) throw new Error("one call more than the script has");
        return script(request, context);
      },
    });
  });
  return { client: createOpsCoreClient({ baseUrl: "http://unused", transport, scheduler }), scheduler, requests };
}

/** An item in a word: `+a` for a snapshot's state, `a` for an event, else its type. */
export function word(item: StateEntry | Synced | Resync): string {
  if (item.type === "snapshot") return `+${item.state.agentId}`;
  return item.type === "event" ? (item.event.state?.agentId ?? "?") : item.type;
}
