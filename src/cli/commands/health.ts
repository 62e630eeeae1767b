import type { Command } from "commander";
import {
  HealthCheckResponse_ServingStatus as Status,
  HealthCheckResponseSchema,
} from "../../../gen/health/v1/health_pb.js";
import { apiJson } from "../api-json.js";
import type { Host } from "../command.js";
import { implementCall } from "../connection.js";
import { CommandFailure } from "../failure.js";

/** `opscore health` */
export function define(command: Command, host: Host): void {
  implementCall(command, host, {
    summary: "Ask a server whether it should get work",
    details:
      "Exit code 0 when it should, 6 when it cannot be reached, is stopping, or its storage is away. Needs no API key. For health checks of containers and service managers.",
    examples: [["opscore health --timeout 2s", "an answer in time, or exit code 6"]],
    positionals: {},
    flags: {},
    async run(_values, { client, target, out, json, signal }) {
      const answer = await client.health.check({}, { signal });
      const isServing = answer.status === Status.SERVING;
      if (json) out.json(apiJson(HealthCheckResponseSchema, answer));
      else if (isServing) out.line([{ text: "serving", look: "green" }]);
      if (isServing) return "OK";
      if (json) return "UNAVAILABLE";
      throw new CommandFailure("UNAVAILABLE", `the server at ${target.url} takes no work now`, {
        hints: [`${target.url}/readyz says why.`],
      });
    },
  });
}
