import { dialectOf } from "../load/dialects/index.js";
import { CALLERS, openUnary } from "../load/unary.js";
import type { Case, Scenario } from "../scenario.js";
import { atMost } from "./claims.js";

const FEW = "1,000 agents";
const MANY = "1,000,000 agents";

export const growth: Scenario = {
  name: "growth",
  title: "A commit among many agents",
  description: "Unary SetState, spread over all agents of the server.",
  patience: 2,
  cases: [among(FEW, 1_000), among(MANY, 1_000_000)],
  claims: [atMost(1.3, "CPU of a commit among 1,000,000 agents against 1,000", "cpuUs", MANY, FEW)],
};

function among(name: string, agents: number): Case {
  return {
    name,
    system: "opscore",
    server: { agents },
    open: (target, pace) =>
      openUnary(target, pace, dialectOf(target.system).commit({ callers: CALLERS, agents: target.agents })),
  };
}
