/** What a case of the table is made of. */
import type { BytesValue } from "@bufbuild/protobuf/wkt";
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import type { Config } from "../../../src/config/index.js";
import type { Awaitable } from "../../../src/lib/awaitable.js";
import type { PushSink } from "../../../src/lib/push-sink.js";
import type { Run } from "./run.js";
import type { Content, Kind } from "./service.js";

/** A call as its handler sees it, whatever the server. */
export interface Served {
  readonly run: Run;
  /** The messages of the request; one for unary and server streams. */
  readonly messages: AsyncIterable<BytesValue>;
  /** The same, pushed into a sink: without a promise for each where the server can do that. Instead of `messages`. */
  pushMessages(sink: PushSink<BytesValue>): void;
  /** The message of a unary call or a server stream. */
  readonly message: BytesValue;
  /** A request header; several values are joined by ", ". */
  header(name: string): string | null;
  setHeader(name: string, value: string): void;
  addHeader(name: string, value: string): void;
  setTrailer(name: string, value: string): void;
  addTrailer(name: string, value: string): void;
  /** Made when it is asked for; a handler that does not ask must work too. */
  signal(): AbortSignal;
  timeoutMs(): number | undefined;
  /** Address, method and protocol of the call, as the handler is told. */
  about(): string;
}

export type Answers = Awaitable<BytesValue> | AsyncIterable<BytesValue>;
export type Handler = (call: Served) => Answers;

/** A call as every client can make it. */
export interface Calling {
  readonly run: Run;
  /** Sends a message. To be called once, first thing, for unary and server streams. */
  send(content: Content): Promise<void>;
  /** Nothing more is sent. Unary calls and server streams of client libraries end with their message. */
  end(): void;
  /** The next answer; undefined when there are no more, for whatever reason. */
  next(): Promise<string | undefined>;
  cancel(): void;
}

/** A call as only a bare HTTP/2 stream can make it. */
export interface RawCalling extends Calling {
  readonly session: ClientHttp2Session;
  readonly stream: ClientHttp2Stream;
  /** Writes bytes as they are, and answers when they were handed to the connection. */
  write(bytes: Uint8Array): Promise<void>;
  /** Resets the stream with an HTTP/2 error code. */
  reset(code: number): void;
  /** The connection breaks. */
  vanish(): void;
  /** Answers when the server has seen everything that was sent before. */
  ping(): Promise<void>;
  /** Stops reading answers, and goes on with it. */
  pause(): void;
  resume(): void;
  /** Answers when the answer is complete, or the stream closed. */
  over(): Promise<void>;
  isOver(): boolean;
}

/** What a case can do to its server. */
export interface ServerControl {
  /** From now on every new call is refused. */
  stop(): void;
  /** Clients are told to go elsewhere. */
  drain(): void;
}

interface CaseBase {
  readonly name: string;
  readonly kind: Kind;
  /** Instead of the kind's own path. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** Default: answers with what it got. */
  readonly handle?: Handler;
  /** How the server differs from the default. Cases with the same settings share a server. */
  readonly settings?: Partial<Config>;
  /** The case leaves its server unusable, so it has one of its own. */
  readonly control?: (server: ServerControl, run: Run) => Promise<void>;
  /** How many log lines a call has that is not one; by server where they differ. */
  readonly lines?: number | { readonly lane: number; readonly connect: number };
  /** A point that the handler is expected to reach by itself, though nobody waits for it. */
  readonly reaches?: string;
  /** False when how many messages were counted depends on timing. */
  readonly countsMessages?: boolean;
  /** The status that the client gets from the lane; undefined when it gets none. */
  readonly code: string | undefined;
  /** The message of that status is the server's own, not the handler's. */
  readonly ownWords?: boolean;
  /** The answers that it gets, when that is worth saying. */
  readonly answers?: readonly string[];
  /** What was noted by both sides, when that is worth saying. */
  readonly notes?: readonly string[];
  /** Why one of the other servers cannot be asked the same. */
  readonly except?: { readonly connect?: string; readonly "grpc-js"?: string };
}

/** A call that every client can make. */
export interface CommonCase extends CaseBase {
  readonly call?: (call: Calling) => Promise<void>;
  readonly raw?: never;
}

/** A call that no client library makes. */
export interface RawCase extends CaseBase {
  readonly call?: never;
  readonly raw: (call: RawCalling) => Promise<void>;
  /** The flow-control window of the client, in bytes. */
  readonly windowBytes?: number;
}

export type Case = CommonCase | RawCase;

/** What a client does when the case does not say. */
export async function usualCall(kind: Kind, call: Calling): Promise<void> {
  await call.send("hello");
  if (kind === "ClientStream" || kind === "Bidi") await call.send("again");
  call.end();
}
