import type { ConnectError } from "@connectrpc/connect";
import { Metadata, type StatusObject } from "@grpc/grpc-js";

/** A failure as `@grpc/grpc-js` sends it; Connect's codes are gRPC's. */
export function statusOf({ code, rawMessage }: ConnectError): StatusObject {
  const status: number = code;
  return { code: status, details: rawMessage, metadata: new Metadata() };
}
