import type { DescMessage, Message, MessageInitShape } from "@bufbuild/protobuf";
import type { MethodImplSpec } from "@connectrpc/connect";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Gate } from "../../interceptors/index.js";
import { isPromise } from "../../lib/awaitable.js";
import { sendAnswers } from "./answers.js";
import { Call } from "./call.js";
import { Codec } from "./codec.js";
import { Inbox, readOne } from "./inbox.js";
import { closeReason } from "./status.js";

/** What the calls of all methods share. */
export interface RouteParts {
  readonly gate: Gate;
  /** The largest request message, in bytes. */
  readonly maxRequestBytes: number;
  /** The client has finished sending. */
  finished(stream: ServerHttp2Stream): void;
}

/** One method: how its calls are read, handled and answered. */
export class Route implements RouteParts {
  readonly codec: Codec;
  readonly gate: Gate;
  readonly maxRequestBytes: number;
  readonly finished: (stream: ServerHttp2Stream) => void;

  constructor(
    readonly spec: MethodImplSpec,
    parts: RouteParts,
  ) {
    this.codec = new Codec(spec);
    this.gate = parts.gate;
    this.maxRequestBytes = parts.maxRequestBytes;
    this.finished = (stream) => parts.finished(stream);
  }

  readonly handle = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void => {
    const call = new Call(stream, headers, this);
    if (!call.startClock()) return;
    const { spec } = this;
    switch (spec.kind) {
      case "unary":
        readOne(call, (message) => answerOne(call, message, () => spec.impl(message, call)));
        return;
      case "server_streaming":
        readOne(call, (message) => {
          call.enter();
          call.gotMessage(message);
          call.noticeLeaving();
          sendAnswers(call, spec.impl(message, call));
        });
        return;
      case "client_streaming":
        openInbox(call, (inbox) => {
          settle(call, spec.impl(inbox, call));
        });
        return;
      case "bidi_streaming":
        openInbox(call, (inbox) => sendAnswers(call, spec.impl(inbox, call)));
    }
  };
}

type Answer = MessageInitShape<DescMessage>;

function answerOne(call: Call, message: Message, handler: () => Promise<Answer> | Answer): void {
  call.enter();
  call.gotMessage(message);
  settle(call, handler());
}

/** Answers with one message, now or when it is there. */
function settle(call: Call, answer: Promise<Answer> | Answer): void {
  const send = (value: Answer): void => {
    if (call.hasEnded) return;
    try {
      const envelope = call.route.codec.encode(value);
      call.sentMessages(1);
      call.succeed(envelope);
    } catch (thrown) {
      call.fail(thrown);
    }
  };
  if (isPromise(answer)) answer.then(send, (thrown: unknown) => call.fail(thrown));
  else send(answer);
}

/** Lets a call in whose client goes on sending. */
function openInbox(call: Call, handle: (inbox: Inbox) => void): void {
  try {
    call.enter();
    const inbox = new Inbox(call);
    call.noticeLeaving();
    call.stream.once("close", () => inbox.end(closeReason(call.stream)));
    handle(inbox);
  } catch (thrown) {
    call.fail(thrown);
  }
}
