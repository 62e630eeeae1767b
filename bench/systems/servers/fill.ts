import { State, TaskDelivery } from "../../../src/storage/records.js";
import type { Storage } from "../../../src/storage/storage.js";
import type { ServerOptions } from "../../scenario.js";
import { agentId, COMMON, REPORT } from "../population.js";

/** Registers agents and lets them make transitions, straight in the storage: a million calls would take longer than the measurement. */
export async function fill(storage: Storage, options: ServerOptions): Promise<void> {
  const { agents = 0, transitions = 0, leaseTtlMs = 0 } = options;
  for (let i = 0; i < agents; i += 1) {
    const key = { ...COMMON, agentId: agentId(i) };
    await storage.registerAgent({
      ...key,
      profile: {
        displayName: "",
        version: "1.0.0",
        capabilities: ["bench"],
        contactEndpoint: "",
        labels: { env: "bench" },
        metadata: undefined,
        leaseTtlMs,
        maxConcurrentTasks: 1,
        taskDelivery: TaskDelivery.AUTO,
      },
      initialState: State.IDLE,
      keepState: false,
    });
    for (let n = 1; n <= transitions; n += 1) {
      await storage.setState({ ...key, ...REPORT, state: n % 2 === 0 ? State.IDLE : State.ACTIVE });
    }
    // The log's listeners, timers and the garbage collector get their turns.
    if (i % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}
