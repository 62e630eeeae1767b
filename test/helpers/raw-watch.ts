/** WatchState on bare HTTP/2 streams: cheap enough for a thousand at once, and free to be a bad reader. */
import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { connect, type ClientHttp2Session, type ClientHttp2Stream } from "node:http2";
import { onTestFinished } from "vitest";
import {
  WatchStateRequestSchema,
  WatchStateResponseSchema,
  type StateEvent,
  type WatchStateResponse,
} from "../../gen/opscore/v1/state_service_pb.js";
import { EnvelopeReader, wrap } from "../../src/transport/grpc/envelope.js";

const MAX_MESSAGE = 4 * 1024 * 1024;

const headersOf = new WeakMap<ClientHttp2Session, Readonly<Record<string, string>>>();

/**
 * A connection that is closed with the test.
 *
 * @param headers sent with every watch on it
 */
export function openSession(url: string, headers: Readonly<Record<string, string>> = {}): ClientHttp2Session {
  const session = connect(url);
  headersOf.set(session, headers);
  session.on("error", () => undefined);
  onTestFinished(() => session.destroy());
  return session;
}

export class RawWatch {
  readonly stream: ClientHttp2Stream;
  /** Called with each message, in order. */
  onMessage: ((message: WatchStateResponse) => void) | undefined;
  private onClose: (() => void) | undefined;

  constructor(session: ClientHttp2Session, request: MessageInitShape<typeof WatchStateRequestSchema>) {
    this.stream = session.request({
      ":method": "POST",
      ":path": "/opscore.v1.StateService/WatchState",
      "content-type": "application/grpc",
      te: "trailers",
      ...headersOf.get(session),
    });
    this.stream.on("error", () => undefined);
    this.stream.on("close", () => this.onClose?.());
    this.stream.end(wrap(toBinary(WatchStateRequestSchema, create(WatchStateRequestSchema, request))));
  }

  /** Begins to read; before, whatever the server sends waits on its way. */
  read(): void {
    const reader = new EnvelopeReader(MAX_MESSAGE, (bytes) => {
      this.onMessage?.(fromBinary(WatchStateResponseSchema, bytes));
    });
    this.stream.on("data", (chunk: Buffer) => reader.push(chunk));
  }

  /** Answers with the messages from here on, up to and including the first that `isLast`. */
  until(isLast: (message: WatchStateResponse) => boolean): Promise<WatchStateResponse[]> {
    return new Promise((resolve, reject) => {
      const seen: WatchStateResponse[] = [];
      this.onMessage = (message) => {
        seen.push(message);
        if (isLast(message)) resolve(seen);
      };
      this.onClose = () => reject(new Error("the stream ended"));
    });
  }
}

/** Holds the events of many agents against the promise of a watch: in order, none missing, none twice. */
export class ChainCheck {
  count = 0;
  private readonly last = new Map<string, bigint>();

  /** @throws when an event does not continue what was seen of its agent */
  see({ state, previous }: StateEvent): void {
    if (state === undefined) throw new Error("an event has a state");
    const last = this.last.get(state.agentId);
    if (last !== undefined && previous?.revision !== last) {
      throw new Error(`${state.agentId}: ${state.revision} follows ${previous?.revision}, but ${last} was seen last`);
    }
    this.last.set(state.agentId, state.revision);
    this.count += 1;
  }

  seeAll({ events }: WatchStateResponse): void {
    for (const event of events) this.see(event);
  }
}
