/**
 * The gRPC lane: unary and streaming gRPC straight on HTTP/2 streams.
 *
 * It serves the very same implementations, through the very same gate, as Connect's handlers, which take everything that it
 * leaves alone: compressed messages, gRPC-Web, Connect, JSON.
 */
import type { IncomingHttpHeaders } from "node:http2";
import type { RouteTable } from "../routes.js";
import type { StreamHandler, StreamLane } from "../lane.js";
import { Route, type RouteParts } from "./route.js";

export class GrpcLane implements StreamLane {
  private readonly routes: ReadonlyMap<string, Route>;

  constructor(table: RouteTable, parts: RouteParts) {
    this.routes = new Map([...table.methods].map(([path, spec]) => [path, new Route(spec, parts)]));
  }

  accepts(headers: IncomingHttpHeaders): StreamHandler | undefined {
    const type = headers["content-type"];
    if (type !== "application/grpc" && type !== "application/grpc+proto") return undefined;
    if (headers[":method"] !== "POST") return undefined;
    const encoding = headers["grpc-encoding"];
    if (encoding !== undefined && encoding !== "identity") return undefined;
    return this.routes.get(headers[":path"] ?? "")?.handle;
  }
}
