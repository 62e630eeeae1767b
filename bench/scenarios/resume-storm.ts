import { ClosedLoop } from "../load/closed-loop.js";
import { Connections } from "../load/connections.js";
import { dialectOf } from "../load/dialects/index.js";
import { watching } from "../load/dialects/opscore.js";
import { tokenOf } from "../load/resuming.js";
import { Watchers } from "../load/watchers.js";
import type { Load, Pace, Scenario, Target } from "../scenario.js";

const WATCHERS = 1_000;
const CONNECTIONS = 100;
const MISSED = 100;
const WRITERS = 8;

export const resumeStorm: Scenario = {
  name: "resume-storm",
  title: "1,000 watchers reconnect at once",
  description: `${WATCHERS.toLocaleString("en")} watches on ${CONNECTIONS} new connections, each with a resume token, until the last of them has the ${MISSED} events that it missed and is told that it is up to date.`,
  cases: (["opscore", "connect", "grpc-js"] as const).map((system) => ({
    name: system,
    system,
    server: { agents: WRITERS },
    open,
  })),
  claims: [],
};

async function open(target: Target, { scale }: Pace): Promise<Load> {
  const writing = await Connections.open(target, 1);
  const loop = new ClosedLoop(writing, dialectOf(target.system).commit({ callers: WRITERS }), WRITERS);
  const watchers = Math.ceil(WATCHERS * scale);

  const storm = async (): Promise<number> => {
    const resumeToken = await tokenOf(writing);
    await loop.times(MISSED);
    const one = watching({ resumeToken });
    const since = performance.now();
    const connections = await Connections.open(target, CONNECTIONS);
    await Watchers.resume(
      connections,
      Array.from({ length: watchers }, () => one),
      MISSED,
    );
    const ms = performance.now() - since;
    connections.close();
    return ms;
  };

  await storm();
  await storm();
  return {
    measure: async () => ({ ms: await storm() }),
    close() {
      writing.close();
      return Promise.resolve();
    },
  };
}
