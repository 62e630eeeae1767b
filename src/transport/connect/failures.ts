/**
 * Details for failures that Connect's handlers make before an interceptor sees the call: a message that is too large, or that
 * cannot be read. Everything else passed the gate and has its details already, so only failures pay for this.
 */
import type { DescMessage, DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { createAsyncIterable, encodeEnvelope, type UniversalServerResponse } from "@connectrpc/connect/protocol";
import { errorFromJsonBytes, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { setTrailerStatus, trailerFlag, trailerParse, trailerSerialize } from "@connectrpc/connect/protocol-grpc-web";
import { invalidFields, OpsCoreError } from "../../errors/index.js";
import { errorDetails } from "../../interceptors/index.js";

export interface FailureOptions {
  readonly method: DescMethod;
  /** The request's: `POST`. */
  readonly verb: string;
  /** The largest request message, in bytes. */
  readonly maxRequestBytes: number;
  /** Told of each failure that had no details. */
  onFailure(failure: ConnectError): void;
}

/** Lets an answer through; one that is a failure without details gets them. */
export async function detailFailures(
  answer: UniversalServerResponse,
  options: FailureOptions,
): Promise<UniversalServerResponse> {
  const type = answer.header?.get("content-type") ?? "";
  if (type.startsWith("application/grpc-web")) return detailGrpcWeb(answer, options);
  if (type.startsWith("application/grpc")) return detailGrpc(answer, options);
  if (answer.status === 405 || answer.status === 415) return explainStatus(answer, options);
  return answer.status >= 400 && type === "application/json" ? detailConnect(answer, options) : answer;
}

/**
 * Connect percent-encodes the message of a gRPC status, and throws for half a surrogate pair instead of answering. Only what it says
 * itself of JSON that it cannot read has that, for it repeats what was sent: all others are made well-formed on their way.
 *
 * @returns a failure in words of our own
 * @throws whatever else was thrown
 */
export function unencodableFailure(thrown: unknown, { input }: DescMethod, type: string): UniversalServerResponse {
  if (!(thrown instanceof URIError) || !type.startsWith("application/grpc")) throw thrown;
  const message = `cannot decode message ${input.typeName} from JSON: it has half a surrogate pair where it cannot be read`;
  const trailer = setTrailerStatus(new Headers(), new ConnectError(message, Code.InvalidArgument));
  const answer = { status: 200, header: new Headers({ "content-type": type }) };
  if (!type.startsWith("application/grpc-web")) return { ...answer, body: createAsyncIterable([]), trailer };
  return { ...answer, body: createAsyncIterable([encodeEnvelope(trailerFlag, trailerSerialize(trailer))]) };
}

/** No protocol was found that the request could be of. Connect says so with a bare status, which tells a person little. */
function explainStatus(answer: UniversalServerResponse, { method, verb }: FailureOptions): UniversalServerResponse {
  const { status } = answer;
  const header = new Headers(answer.header);
  const hasGet = method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
  if (status === 405) header.set("allow", hasGet ? "GET, POST" : "POST");
  // An answer to HEAD has no body.
  if (verb === "HEAD") return { status, header };
  const bytes = errorToJsonBytes(new ConnectError(wanted(status, hasGet, verb, method), Code.Unimplemented), undefined);
  header.set("content-type", "application/json");
  header.set("content-length", String(bytes.byteLength));
  return { status, header, body: createAsyncIterable([bytes]) };
}

function wanted(status: number, hasGet: boolean, verb: string, { methodKind }: DescMethod): string {
  if (status === 405) return `a call is a POST${hasGet ? " or a GET" : ""}`;
  if (verb === "GET") return "a GET needs encoding and message in its query: ?encoding=json&message={...}";
  const type = methodKind === "unary" ? "application/json" : "application/connect+json";
  return `content-type must be ${type}, or one of gRPC, gRPC-Web or Connect with protobuf`;
}

/** gRPC: the status is in the trailers, which are only complete, and only asked for, after the body. */
function detailGrpc(answer: UniversalServerResponse, options: FailureOptions): UniversalServerResponse {
  const { trailer } = answer;
  if (trailer === undefined) return answer;
  let asked = false;
  return {
    ...answer,
    get trailer() {
      if (!asked) addStatusDetails(trailer, options);
      asked = true;
      return trailer;
    },
  };
}

/** gRPC-Web: the trailers are the last envelope of the body. */
function detailGrpcWeb(answer: UniversalServerResponse, options: FailureOptions): UniversalServerResponse {
  const { body } = answer;
  if (body === undefined) return answer;
  return {
    ...answer,
    body: mapChunks(body, (chunk) => (chunk[0] === trailerFlag ? detailTrailer(chunk, options) : chunk)),
  };
}

const ENVELOPE_HEADER_BYTES = 5;

function detailTrailer(envelope: Uint8Array, options: FailureOptions): Uint8Array {
  const trailer = trailerParse(envelope.subarray(ENVELOPE_HEADER_BYTES));
  addStatusDetails(trailer, options);
  return encodeEnvelope(trailerFlag, trailerSerialize(trailer));
}

function addStatusDetails(trailer: Headers, options: FailureOptions): void {
  const code = Number(trailer.get("grpc-status") ?? 0);
  if (!isCode(code)) return;
  const message = decodeURIComponent(trailer.get("grpc-message") ?? "");
  if (!trailer.has("grpc-status-details-bin")) {
    const failure = new ConnectError(message, code);
    addDetails(failure, options);
    setTrailerStatus(trailer, failure);
  }
  trailer.set("grpc-message", percentEncode(message));
}

/**
 * The gRPC encoding of a message (PROTOCOL-HTTP2, "Percent-Byte"). Connect escapes more than it asks for, and clients that follow
 * it to the letter would show "agent%3A x".
 */
function percentEncode(message: string): string {
  return message.replace(/[^\x20-\x24\x26-\x7e]+/g, encodeURIComponent);
}

/** Connect: the failure is the body, as JSON. */
async function detailConnect(
  answer: UniversalServerResponse,
  options: FailureOptions,
): Promise<UniversalServerResponse> {
  const { header, body } = answer;
  if (body === undefined || header === undefined || header.has("content-encoding")) return answer;
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  const failure = errorFromJsonBytes(Buffer.concat(chunks), undefined, new ConnectError("", Code.Unknown));
  if (failure.details.length === 0) addDetails(failure, options);
  const bytes = errorToJsonBytes(failure, undefined);
  header.set("content-length", String(bytes.byteLength));
  return { ...answer, body: createAsyncIterable([bytes]) };
}

function addDetails(failure: ConnectError, options: FailureOptions): void {
  options.onFailure(failure);
  const known = explain(failure, options);
  if (known !== undefined) failure.details.push(...errorDetails(known));
}

/** What the framework's failure is among our reasons; undefined when it is none of them. */
function explain(
  { code, rawMessage }: ConnectError,
  { method, maxRequestBytes }: FailureOptions,
): OpsCoreError | undefined {
  if (code === Code.ResourceExhausted) {
    return new OpsCoreError("TOO_LARGE", rawMessage, { limit: String(maxRequestBytes) });
  }
  const unreadable = UNREADABLE.exec(rawMessage);
  if (code === Code.InvalidArgument && unreadable !== null) {
    const [, kind = "", name = "", problem = ""] = unreadable;
    const field = kind === "field" ? name.slice(name.lastIndexOf(".") + 1) : onlyFieldOf(method.input, name);
    return invalidFields([{ field, description: `cannot be read: ${problem}` }]);
  }
  return undefined;
}

/** What protobuf-es says: "cannot decode field opscore.v1.SetStateRequest.agent_id from JSON: expected string, got 7". */
const UNREADABLE = /^cannot decode (field|enum|message) ([\w.]+) from JSON:? (.*)$/s;

/** The one field of `input` that has this type; empty, which means the request as a whole, when there is no such one. */
function onlyFieldOf(input: DescMessage, typeName: string): string {
  const fields = input.fields.filter(({ message, enum: words }) => (message ?? words)?.typeName === typeName);
  return fields.length === 1 ? (fields[0]?.name ?? "") : "";
}

function isCode(code: number): code is Code {
  return code in Code;
}

async function* mapChunks(
  chunks: AsyncIterable<Uint8Array>,
  map: (chunk: Uint8Array) => Uint8Array,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) yield map(chunk);
}
