/** Where the lane and another server differ, and why that is right. Whatever is not listed here is the same. */
import { ANY, type Difference } from "./verdict.js";

type Listed = Omit<Difference, "from">;

/** Words of the failure, wherever they are shown. */
function words(lane: RegExp, other: RegExp | undefined): Difference["fields"] {
  return { message: [lane, other], "message on the wire": [lane, other] };
}

const connect: readonly Listed[] = [
  {
    why: "A failure with nothing before it is one frame, as gRPC has it (Trailers-Only). Connect always sends headers first.",
    cases: /./,
    fields: { form: ["trailers only", "trailers"] },
  },
  {
    why: "Answers are not compressed: they are small, and it would cost more than the rest of the call.",
    cases: ["a client that would take compressed answers"],
    fields: { "header grpc-encoding": [undefined, "gzip"] },
  },
  {
    why: "After an early answer a client is told that it need not go on, as gRPC has it. Connect leaves its stream open.",
    cases: /(nothing behind it|no end), |^pushed requests, whose handler (has enough|fails)$/,
    fields: { end: ["closed 0", "open"] },
  },
  {
    why: "A client that went away is the end of the call, and the log says so. Connect's handler may still finish before it hears of it.",
    cases:
      /^(cancels|resets .*), (while a handler waits for messages|in the middle of a message)$|^a client cancels bidi$|^pushed requests of a client that cancels$/,
    fields: { log: [/ CANCELLED .*the client went away/, / OK /] },
  },
  {
    why: "A message that is too large fails in our words, and has our reason in the log.",
    cases: /^(a message one byte too large|too large, in|too large by|too large after)/,
    fields: {
      ...words(
        /^"a message of \d+ bytes is larger than 4096"$/,
        /^"message size \d+ is larger than configured readMaxBytes 4096"$/,
      ),
      details: [/"message":"a message of \d+ bytes.*"TOO_LARGE"/, /"message":"message size \d+.*"TOO_LARGE"/],
      log: [/RESOURCE_EXHAUSTED .*TOO_LARGE level 40: a message of/, /RESOURCE_EXHAUSTED .* level [34]0: message size/],
    },
  },
  {
    why: "Messages before one that is too large are handed out. Connect drops those that came in the same chunk.",
    cases: ["too large after messages that were not", "too large, to a handler that goes on"],
    fields: { messages: [["a", "b"], []], log: [/ received [12] /, / received 0 /] },
  },
  {
    why: "A handler's own RESOURCE_EXHAUSTED stays what it is. Behind Connect's handlers it cannot be told from theirs.",
    cases: ["code RESOURCE_EXHAUSTED"],
    fields: { details: [undefined, /"TOO_LARGE"/] },
  },
  {
    why: "Flags that nobody agreed on are refused, as grpc-go does. Connect takes what follows for a message.",
    cases: /^(unknown flags|the flag of gRPC-Web's trailers)/,
    fields: {
      ...words(/unknown envelope flags/, undefined),
      status: ["INTERNAL", "OK"],
      messages: [ANY, ANY],
      log: [/ INTERNAL .*unknown envelope flags/, / OK /],
    },
  },
  {
    why: "The same, when what follows cannot be one.",
    cases: /^larger than it says, /,
    fields: {
      ...words(/unknown envelope flags|premature EOF/, /message size \d+ is larger/),
      status: ["INTERNAL", "RESOURCE_EXHAUSTED"],
      details: [undefined, /"TOO_LARGE"/],
      log: [/ INTERNAL /, / RESOURCE_EXHAUSTED /],
    },
  },
  {
    why: "A header whose message does not come is an incomplete message. Connect forgets the header.",
    cases: /^a header without its message, /,
    fields: {
      ...words(/incomplete envelope/, /missing input message/),
      status: ["INVALID_ARGUMENT", /OK|UNIMPLEMENTED/],
      log: [/ INVALID_ARGUMENT /, / OK | UNIMPLEMENTED /],
    },
  },
  {
    why: "The same, of a stream: Connect takes it for a good end.",
    cases: ["a header without its message, ClientStream", "a header without its message, Bidi"],
    fields: { ...words(/incomplete envelope/, undefined), messages: [[], ANY] },
  },
  {
    why: "A message counts as received once it is known that it is the only one.",
    cases: /^(two messages in|a second message).*, ServerStream$/,
    fields: { log: [/ received 0 /, / received [12] /] },
  },
  {
    why: "Blanks at the ends of a message are kept, by escaping them. Connect loses them.",
    cases: [
      "a message with blanks at its ends",
      "a message with 4,000 characters",
      'grpc-timeout "", Unary',
      'grpc-timeout "", Bidi',
    ],
    fields: {
      message: [/^"( {2}in between {2}|4800 characters, .*|.*: )"$/, /^"(in between|4799 characters, .*|.*:)"$/],
      "message on the wire": [/^"(%20 in between %20|4802 characters, .*|.*:%20)"$/, /^"(in between|4799 .*|.*:)"$/],
    },
  },
  {
    why: "An error that another server sent may have brought its details along; they are not ours when ours has none.",
    cases: ["an error that says what only the protocol may"],
    fields: {
      details: [undefined, "unreadable"],
      status: ["ABORTED", "DATA_LOSS"],
      message: ["no", "illegal tag: field no 0 wire type 0"],
    },
  },
  {
    why: "An answer that cannot be encoded is a defect: the caller gets an id, the log the rest. Connect tells callers all of it.",
    cases: ["an answer that cannot be encoded", "an answer that cannot be encoded, in a stream"],
    fields: {
      ...words(/^"internal error ID"$/, /^"serialize binary: /),
      details: [/"INTERNAL"/, undefined],
      log: [/internal error.* INTERNAL /, / OK | CANCELLED /],
    },
  },
  {
    why: "No answer is a defect too. Connect makes an empty message of it, and has no word of a stream that is none.",
    cases: ["no answer at all", "no answers at all"],
    fields: {
      message: [/^"internal error ID"$/, ANY],
      "message on the wire": [/^"internal error ID"$/, ANY],
      status: ["INTERNAL", "OK"],
      messages: [[], [""]],
      details: [/"INTERNAL"/, undefined],
      log: [/internal error.* INTERNAL /, ANY],
    },
  },
  {
    why: "A deadline that passes ends the call. Connect waits for the handler, for ever if need be.",
    cases: [
      "the deadline passes, and a unary handler goes on",
      "the deadline passes, and a server stream goes on",
      "the deadline passes, and a handler waits for messages",
      "the deadline passes, and a client goes on",
    ],
    fields: {
      ...words(/^"the operation timed out"$/, undefined),
      status: ["DEADLINE_EXCEEDED", "CANCELLED"],
      end: ["closed 0", "closed 8"],
      form: [/^"trailers/, ANY],
      http: [200, undefined],
      "header content-type": ["application/grpc+proto", undefined],
      notes: [["aborted: DEADLINE_EXCEEDED"], ["aborted: DEADLINE_EXCEEDED", "no answer"]],
      log: [/ DEADLINE_EXCEEDED /, []],
    },
  },
  {
    why: "After its deadline a call does not go well any more. Connect sends what its handler answers then.",
    cases: ["a handler answers after the deadline"],
    fields: {
      ...words(/^"the operation timed out"$/, undefined),
      message: [/^"the operation timed out"$/, ANY],
      status: ["DEADLINE_EXCEEDED", "OK"],
      messages: [[], ["too late"]],
      log: [/ DEADLINE_EXCEEDED /, / OK /],
    },
  },
  {
    why: "The log says that the client had left, whatever its handler did after that. Behind Connect's handlers nobody can tell.",
    cases: /while a unary handler waits for it$|^a client cancels a unary call$/,
    fields: { log: [/^\["Unary CANCELLED /, /^\["Unary OK /] },
  },
  {
    why: "The same, when the handler fails.",
    cases: /while a unary handler is about to fail$/,
    fields: { log: [/^\["Unary CANCELLED .*internal error"\]$/, /INTERNAL INTERNAL/] },
  },
  {
    why: "A client that left before its message was complete has left. For Connect it is a failure to read, or nothing at all.",
    cases: /, (before|with half of) its message$/,
    fields: { log: [["Unary CANCELLED  level 30: the client went away"], ANY] },
  },
  {
    why: "A call that its client left is logged once. Behind Connect's handlers a write that fails after that is logged too.",
    cases: /^resets (with|to).*, with (pushed )?answers that it has not read$/,
    fields: { log: [/^\["[^"]+"\]$/, /^\["[^"]+","ServerStream INTERNAL  level 30: Stream closed/] },
  },
  {
    why: "A handler is told that its client left, in whatever way. Connect has reasons for some of them, and none for others.",
    cases: /^(resets|vanishes)/,
    fields: { notes: [/^\["(aborted|failed): CANCELLED"\]$/, /^\["(aborted|failed): (?!CANCELLED)/] },
  },
  {
    why: "A stream ends with its client, wherever it is. Connect waits for a write to a client that is gone.",
    cases: /, with answers that it has not read$/,
    fields: { "reaches left": [true, false] },
  },
];

const grpcJs: readonly Listed[] = [
  {
    why: "A time-out is what gRPC says that it is, and nothing else. grpc-js looks for one anywhere in the header.",
    cases: /^grpc-timeout "(1 S|-1S|\+1S|1\.5S|123456789S|1SS|0x1S)"/,
    fields: { status: ["INVALID_ARGUMENT", "OK"], messages: [[], ["hello"]] },
  },
  {
    why: "A header that the client got wrong is the client's mistake. grpc-js takes it on itself.",
    cases: /^grpc-timeout "(|1|S|1s|S1|soon)"/,
    fields: { status: ["INVALID_ARGUMENT", "INTERNAL"] },
  },
  {
    why: "A message that is too large has our reason among its details.",
    cases: /^(a message one byte too large|too large)/,
    fields: { details: [/"TOO_LARGE"/, undefined] },
  },
  {
    why: "Messages before one that cannot be taken are handed out.",
    cases:
      /^(too large after messages that were not|unreadable bytes after messages|pushed requests, then unreadable bytes.*)$/,
    fields: { messages: [ANY, []] },
  },
  {
    why: "A handler may answer all the same when a message is too large. grpc-js ends the call itself.",
    cases: ["too large, to a handler that goes on"],
    fields: { status: ["OK", "RESOURCE_EXHAUSTED"], messages: [["all the same"], []] },
  },
  {
    why: "An incomplete message is a failure. grpc-js forgets it.",
    cases:
      /^(smaller than it says|a second message of which half comes|half a|a header without|pushed requests, then half)/,
    fields: { status: ["INVALID_ARGUMENT", /OK|UNIMPLEMENTED/], messages: [ANY, ANY] },
  },
  {
    why: "Flags are what they are: compressed without a compression, or unknown, is no message. grpc-js takes it for one.",
    cases: /^(compressed with|unknown flags|the flag of)/,
    fields: { status: ["INTERNAL", "OK"], messages: [ANY, ANY] },
  },
  {
    why: "The same, when what follows cannot be one.",
    cases: /^larger than it says, /,
    fields: { status: ["INTERNAL", "RESOURCE_EXHAUSTED"] },
  },
  {
    why: "A compression that nobody knows is refused when it is announced, with those that are known, as gRPC says.",
    cases: ["a compression that nobody knows"],
    fields: { status: ["UNIMPLEMENTED", "OK"], messages: [[], ["hello"]] },
  },
  {
    why: "An error's metadata does not override its status.",
    cases: ["an error that says what only the protocol may"],
    fields: { status: ["ABORTED", ANY], message: ["no", ANY], details: [undefined, "unreadable"] },
  },
  {
    why: "A query is no part of a method's name.",
    cases: ["a query"],
    fields: { status: ["OK", "UNIMPLEMENTED"], messages: [["hello"], []] },
  },
];

export const DIFFERENCES: readonly Difference[] = [
  ...connect.map((each) => ({ from: "connect" as const, ...each })),
  ...grpcJs.map((each) => ({ from: "grpc-js" as const, ...each })),
];
