import type { DescMessage, Message, MessageInitShape } from "@bufbuild/protobuf";
import type { MethodImplSpec } from "@connectrpc/connect";
import type { IncomingHttpHeaders } from "node:http2";
import type { Gate } from "../../interceptors/index.js";
import { isPromise, type Awaitable } from "../../lib/awaitable.js";
import type { LaneStream } from "../lane.js";
import { sendAnswers } from "./answers.js";
import { Call } from "./call.js";
import { Codec } from "./codec.js";
import { Inbox } from "./inbox.js";
import { SingleRequest } from "./request.js";

/** What the calls of all methods share. */
export interface RouteParts {
  readonly gate: Gate;
  /** The largest request message, in bytes. */
  readonly maxRequestBytes: number;
}

/** One method: how its calls are read, handled and answered. */
export class Route implements RouteParts {
  readonly codec: Codec;
  readonly gate: Gate;
  readonly maxRequestBytes: number;

  constructor(
    readonly spec: MethodImplSpec,
    parts: RouteParts,
  ) {
    this.codec = new Codec(spec);
    this.gate = parts.gate;
    this.maxRequestBytes = parts.maxRequestBytes;
  }

  readonly handle = (stream: LaneStream, headers: IncomingHttpHeaders): void => {
    const call = new Call(stream, headers, this);
    if (call.hasEnded) return;
    const { spec } = this;
    switch (spec.kind) {
      case "unary":
        new SingleRequest(call, (message) => {
          admit(call, message);
          settle(call, spec.impl(message, call));
        });
        return;
      case "server_streaming":
        new SingleRequest(call, (message) => {
          admit(call, message);
          sendAnswers(call, spec.impl(message, call));
        });
        return;
      case "client_streaming":
        openInbox(call, (inbox) => settle(call, spec.impl(inbox, call)));
        return;
      case "bidi_streaming":
        openInbox(call, (inbox) => sendAnswers(call, spec.impl(inbox, call)));
    }
  };
}

function admit(call: Call, message: Message): void {
  call.enter();
  call.gotMessage(message);
}

/** Lets a call in whose client goes on sending. */
function openInbox(call: Call, handle: (inbox: Inbox) => void): void {
  try {
    call.enter();
    handle(new Inbox(call));
  } catch (thrown) {
    call.fail(thrown);
  }
}

type Answer = MessageInitShape<DescMessage>;

/** Answers with one message, now or when it is there. */
function settle(call: Call, answer: Awaitable<Answer>): void {
  if (isPromise(answer)) {
    answer.then((value) => send(call, value)).catch((thrown: unknown) => call.fail(thrown));
  } else {
    send(call, answer);
  }
}

function send(call: Call, answer: Answer): void {
  if (call.hasEnded) return;
  const envelope = call.route.codec.encode(answer);
  call.sentMessages(1);
  call.succeed(envelope);
}
