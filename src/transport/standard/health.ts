/**
 * `grpc.health.v1`: the server as a whole (the empty name) and each of its services by name, all of which are ready or not
 * together.
 */
import type { DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import { HealthCheckResponse_ServingStatus as Status, type Health } from "../../../gen/health/v1/health_pb.js";
import { serverStopping } from "../../errors/index.js";
import type { Readiness } from "./readiness.js";

/** @param services whose names are known */
export function createHealthService(
  services: readonly DescService[],
  readiness: Readiness,
): ServiceImpl<typeof Health> {
  const names = new Set(["", ...services.map(({ typeName }) => typeName)]);
  const statusOf = (ready: boolean): Status => (ready ? Status.SERVING : Status.NOT_SERVING);
  return {
    async check({ service }) {
      if (!names.has(service)) throw new ConnectError(`there is no service "${service}"`, Code.NotFound);
      return { status: statusOf(await readiness.check()) };
    },
    async list() {
      const status = statusOf(await readiness.check());
      return { statuses: Object.fromEntries([...names].map((name) => [name, { status }])) };
    },
    async *watch({ service }, context) {
      if (!names.has(service)) {
        // A service that is not there may come: the protocol wants the stream to stay open.
        yield { status: Status.SERVICE_UNKNOWN };
        await nextChange(readiness, context);
      } else {
        yield* changes(readiness, context, statusOf);
      }
      if (readiness.stopping) throw serverStopping();
    },
  };
}

/** The status now and after each change, until the server stops or the client leaves. */
async function* changes(readiness: Readiness, context: HandlerContext, statusOf: (ready: boolean) => Status) {
  let sent: Status | undefined;
  await readiness.check();
  for (;;) {
    const status = statusOf(readiness.isReady);
    if (status !== sent) yield { status };
    sent = status;
    if (readiness.stopping || context.signal.aborted) return;
    await nextChange(readiness, context);
  }
}

/** Answers after the next change, or when the client leaves. */
async function nextChange(readiness: Readiness, { signal }: HandlerContext): Promise<void> {
  if (readiness.stopping || signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      forget();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const forget = readiness.onChange(done);
    signal.addEventListener("abort", done, { once: true });
  });
}
