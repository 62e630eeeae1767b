/** The same storage, hub, services and gate behind the server of `@grpc/grpc-js`. */
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { AgentService } from "../../../gen/opscore/v1/agent_service_pb.js";
import { SessionService } from "../../../gen/opscore/v1/session_service_pb.js";
import { StateService } from "../../../gen/opscore/v1/state_service_pb.js";
import { loadConfig } from "../../../src/config/index.js";
import { CallLog, createAuthenticator, createLogger, Gate, OpenCallLimit } from "../../../src/interceptors/index.js";
import { systemClock } from "../../../src/lib/clock.js";
import { createServices, DEFAULT_LIMITS } from "../../../src/services/index.js";
import { createMemoryStorage } from "../../../src/storage/memory/index.js";
import { WatchHub } from "../../../src/watch/hub.js";
import { API_KEY } from "../population.js";
import { fill } from "./fill.js";
import { toGrpcJs } from "./grpc-js-service.js";
import { serve } from "./serve.js";

serve(async ({ host, ...options }) => {
  const log = new CallLog(await createLogger(loadConfig({ env: { LOG_LEVEL: "warn" } })));
  const storage = createMemoryStorage();
  const hub = new WatchHub(storage);
  await hub.start();
  const services = createServices({
    storage,
    hub,
    clock: systemClock,
    limits: DEFAULT_LIMITS,
    onDefect: (errorId, thrown) => log.defect(errorId, thrown),
  });
  const gate = new Gate({
    authenticate: createAuthenticator(API_KEY),
    openCalls: new OpenCallLimit(20_000),
    log,
  });
  const server = new Server();
  for (const { definition, implementation } of [
    toGrpcJs(gate, AgentService, services.agents),
    toGrpcJs(gate, SessionService, services.sessions),
    toGrpcJs(gate, StateService, services.states),
  ]) {
    server.addService(definition, implementation);
  }
  await fill(storage, options);
  return new Promise((resolve, reject) => {
    server.bindAsync(`${host}:0`, ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
  });
});
