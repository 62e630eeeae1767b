/**
 * How a call ends on the wire: `grpc-status`, `grpc-message` and `grpc-status-details-bin` (gRPC over HTTP/2, "Responses").
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { StatusSchema } from "../../../gen/google/rpc/status_pb.js";

/** The trailers of a call that went well. */
export const OK_TRAILERS: Readonly<OutgoingHttpHeaders> = { "grpc-status": "0" };

/** The trailers of a call that failed. */
export function failureTrailers(error: ConnectError): OutgoingHttpHeaders {
  const trailers: OutgoingHttpHeaders = {};
  for (const [name, value] of error.metadata) append(trailers, name, value);
  trailers["grpc-status"] = error.code;
  trailers["grpc-message"] = percentEncode(error.rawMessage);
  if (error.details.length > 0) trailers["grpc-status-details-bin"] = statusDetails(error);
  return trailers;
}

/** Adds a value to a header that may have one already. */
export function append(headers: OutgoingHttpHeaders, name: string, value: string): void {
  const present = headers[name];
  headers[name] = present === undefined ? value : [...(Array.isArray(present) ? present : [String(present)]), value];
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

/** Why a stream that was closed by its client ended, by the HTTP/2 error code that it gave. */
export function closeReason({ rstCode }: ServerHttp2Stream): ConnectError {
  const message = `the client closed the stream with HTTP/2 error code ${rstCode}`;
  switch (rstCode) {
    case constants.NGHTTP2_REFUSED_STREAM:
      return new ConnectError(message, Code.Unavailable);
    case constants.NGHTTP2_ENHANCE_YOUR_CALM:
      return new ConnectError(message, Code.ResourceExhausted);
    case constants.NGHTTP2_INADEQUATE_SECURITY:
      return new ConnectError(message, Code.PermissionDenied);
    default:
      return new ConnectError(message, Code.Canceled);
  }
}
