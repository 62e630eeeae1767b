/** The server itself, as it is shipped: with its gRPC lane, or without, which leaves everything to Connect's handlers. */
import { build, loadConfig } from "ops-core/server";
import { API_KEY, REDIS_TIMEOUT_MS } from "../population.js";
import { fill } from "./fill.js";
import { serve } from "./serve.js";

serve(async ({ host, system, redisUrl, ...options }) => {
  const server = await build(
    loadConfig({
      env: {
        OPSCORE_HOST: host,
        OPSCORE_PORT: "0",
        OPSCORE_API_KEY: API_KEY,
        OPSCORE_GRPC_LANE: String(system === "opscore"),
        LOG_LEVEL: "warn",
        ...(redisUrl !== undefined && {
          OPSCORE_STORAGE_TYPE: "redis",
          REDIS_URL: redisUrl,
          OPSCORE_REDIS_COMMAND_TIMEOUT: `${REDIS_TIMEOUT_MS}ms`,
        }),
      },
    }),
  );
  await fill(server.storage, options);
  return (await server.listen()).port;
});
