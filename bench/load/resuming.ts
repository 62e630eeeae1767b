import { fromBinary } from "@bufbuild/protobuf";
import { WatchStateResponseSchema } from "../../gen/opscore/v1/state_service_pb.js";
import type { Connections } from "./connections.js";
import { watching } from "./dialects/opscore.js";

/** Opens a watch to learn where the log is. @returns a token from which watches go on */
export function tokenOf(connections: Connections): Promise<string> {
  const watch = watching({});
  const connection = connections.for(0);
  return new Promise((resolve, reject) => {
    const stream = connection.call(watch.path, watch.message, true, {
      message(bytes, start, end) {
        if (!watch.isStarted(bytes, start, end)) return;
        connection.cancel(stream);
        resolve(fromBinary(WatchStateResponseSchema, bytes.subarray(start, end)).resumeToken);
      },
      ended: () => {
        reject(new Error("a watch ended"));
      },
    });
  });
}
