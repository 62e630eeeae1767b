/**
 * How a call ends on the wire: `grpc-status`, `grpc-message` and `grpc-status-details-bin` (gRPC over HTTP/2, "Responses").
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { constants, type OutgoingHttpHeaders } from "node:http2";
import { StatusSchema } from "../../../gen/google/rpc/status_pb.js";
import { toNodeHeaders } from "./headers.js";

/** The trailers of a call that went well. */
export const OK_TRAILERS: Readonly<OutgoingHttpHeaders> = { "grpc-status": "0" };

/**
 * The trailers of a call that failed: the status, and what the handler and the error add to it.
 *
 * @param added the trailers of the handler, if it wrote any
 */
export function failureTrailers(error: ConnectError, added: Headers | undefined): OutgoingHttpHeaders {
  const trailers = toNodeHeaders(joined(added, error.metadata));
  trailers["grpc-status"] = String(error.code);
  trailers["grpc-message"] = percentEncode(error.rawMessage);
  // An error that came from another server may still have that one's.
  if (error.details.length === 0) delete trailers["grpc-status-details-bin"];
  else trailers["grpc-status-details-bin"] = statusDetails(error);
  return trailers;
}

function joined(first: Headers | undefined, second: Headers): Headers {
  if (first === undefined) return second;
  const both = new Headers(first);
  for (const [name, value] of second) both.append(name, value);
  return both;
}

/**
 * Percent-encodes as gRPC says ("Percent-Byte"): only what is not printable ASCII, and the percent sign. `encodeURIComponent`
 * escapes more, and clients that follow the letter would show it. Blanks at the ends would not survive HTTP.
 */
export function percentEncode(message: string): string {
  return wellFormed(message)
    .replace(/[^\x20-\x24\x26-\x7e]+/g, encodeURIComponent)
    .replace(/^ | $/g, "%20");
}

/** Half a surrogate pair cannot be encoded. */
function wellFormed(text: string): string {
  return /[\ud800-\udfff]/.test(text) ? Buffer.from(text).toString() : text;
}

function statusDetails({ code, rawMessage, details }: ConnectError): string {
  const status = create(StatusSchema, {
    code,
    message: rawMessage,
    details: details.map((detail) =>
      "desc" in detail
        ? anyPack(detail.desc, create(detail.desc, detail.value))
        : { typeUrl: `type.googleapis.com/${detail.type}`, value: detail.value },
    ),
  });
  return Buffer.from(toBinary(StatusSchema, status)).toString("base64").replace(/=+$/, "");
}

/** gRPC over HTTP/2, "Errors": what the codes with which a client resets a stream mean. All others only say that it left. */
const RESET_CODES: Readonly<Record<number, Code>> = {
  [constants.NGHTTP2_PROTOCOL_ERROR]: Code.Internal,
  [constants.NGHTTP2_INTERNAL_ERROR]: Code.Internal,
  [constants.NGHTTP2_FLOW_CONTROL_ERROR]: Code.Internal,
  [constants.NGHTTP2_SETTINGS_TIMEOUT]: Code.Internal,
  [constants.NGHTTP2_FRAME_SIZE_ERROR]: Code.Internal,
  [constants.NGHTTP2_REFUSED_STREAM]: Code.Unavailable,
  [constants.NGHTTP2_COMPRESSION_ERROR]: Code.Internal,
  [constants.NGHTTP2_CONNECT_ERROR]: Code.Internal,
  [constants.NGHTTP2_ENHANCE_YOUR_CALM]: Code.ResourceExhausted,
  [constants.NGHTTP2_INADEQUATE_SECURITY]: Code.PermissionDenied,
  [constants.NGHTTP2_HTTP_1_1_REQUIRED]: Code.PermissionDenied,
};

/** Why a stream that its client closed ended, by the HTTP/2 error code that it gave. */
export function closeReason(resetCode: number): ConnectError {
  const code = RESET_CODES[resetCode] ?? Code.Canceled;
  return new ConnectError(`http/2 stream closed with error code 0x${resetCode.toString(16)}`, code);
}
