import { Connections } from "../load/connections.js";
import { countFields } from "../load/protobuf.js";
import { watching } from "../load/dialects/opscore.js";
import type { Case, Load, Pace, Scenario, SystemName, Target } from "../scenario.js";

const AGENTS = 100_000;
const STATES_FIELD = 3;

export const snapshot: Scenario = {
  name: "snapshot",
  title: "Snapshot of 100,000 agents",
  description: "A watch with a snapshot, until the client has every state and is told that it is up to date.",
  cases: [reading("opscore", 1), reading("connect", 1), reading("grpc-js", 1), reading("opscore", 10)],
  claims: [],
};

function reading(system: SystemName, watchers: number): Case {
  return {
    name: watchers === 1 ? system : `${system}, ${watchers} watchers at once`,
    system,
    server: { agents: AGENTS },
    open: (target, pace) => open(target, pace, watchers),
  };
}

async function open(target: Target, _pace: Pace, watchers: number): Promise<Load> {
  const connections = await Connections.open(target, watchers);
  const read = async (): Promise<number> => {
    const since = performance.now();
    await Promise.all(Array.from({ length: watchers }, (_, i) => readSnapshot(connections, i, target.agents)));
    return performance.now() - since;
  };
  await read();
  return {
    measure: async () => ({ ms: await read() }),
    close() {
      connections.close();
      return Promise.resolve();
    },
  };
}

function readSnapshot(connections: Connections, index: number, agents: number): Promise<void> {
  const watch = watching({ includeSnapshot: true });
  const connection = connections.for(index);
  return new Promise((resolve, reject) => {
    let states = 0;
    const stream = connection.call(watch.path, watch.message, true, {
      message(bytes, start, end) {
        states += countFields(bytes, start, end, STATES_FIELD);
        if (!watch.isStarted(bytes, start, end)) return;
        connection.cancel(stream);
        if (states === agents) resolve();
        else reject(new Error(`the snapshot has ${states} of ${agents} agents`));
      },
      ended: () => {
        reject(new Error("a watch ended"));
      },
    });
  });
}
