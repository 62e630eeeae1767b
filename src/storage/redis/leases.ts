import { BRAKE_MIN_AGENTS, BRAKE_SHARE, type Expired } from "../storage.js";
import type { Commands } from "./commands.js";
import type { RedisStorageSettings } from "./options.js";

/** How many agents of a partition one call looks at: while it does, Redis does nothing else. */
const BUDGET = 200;
/** How many numbers `lua/sweep.lua` answers for each partition. */
const CELLS = 4;

/** What one look at all partitions found. */
interface Swept {
  suspected: number;
  overdue: number;
  leased: number;
  more: boolean;
}

/** Expires leases. Each agent is expired by one script, once, whoever sweeps; only the brake looks at all partitions together. */
export class Leases {
  constructor(
    private readonly commands: Commands,
    private readonly settings: Pick<RedisStorageSettings, "onEvent">,
  ) {}

  async expire(stalledMs: number): Promise<Expired> {
    let suspected = 0;
    let swept: Swept;
    do {
      swept = await this.sweep(stalledMs);
      suspected += swept.suspected;
    } while (swept.more);
    const { overdue, leased } = swept;
    if (overdue === 0) return { suspected, lost: 0, braked: 0 };
    const brakes = overdue >= BRAKE_MIN_AGENTS && overdue > BRAKE_SHARE * (leased + overdue);
    if (brakes) return { suspected, lost: 0, braked: overdue };
    return { suspected, lost: await this.lose(""), braked: 0 };
  }

  /** Makes LOST what is overdue. @param namespace empty: all */
  async lose(namespace: string): Promise<number> {
    let lost = 0;
    for (;;) {
      const replies = await this.commands.callAll("lose-agents", [namespace, String(BUDGET)]);
      for (const { cells } of replies) lost += Number(cells[0]);
      if (replies.every(({ cells }) => cells[1] !== "1")) return lost;
    }
  }

  private async sweep(stalledMs: number): Promise<Swept> {
    const replies = await this.commands.callAll("sweep", [String(Math.round(stalledMs)), String(BUDGET)]);
    const sum: Swept = { suspected: 0, overdue: 0, leased: 0, more: false };
    for (const { partitions, cells } of replies) {
      const end = partitions.length * CELLS;
      for (let index = 0; index < end; index += CELLS) {
        const [suspected, overdue, leased, more] = cells.slice(index, index + CELLS);
        sum.suspected += Number(suspected);
        sum.overdue += Number(overdue);
        sum.leased += Number(leased);
        sum.more ||= more === "1";
      }
      for (const key of cells.slice(end)) this.settings.onEvent({ kind: "corrupt", key });
    }
    return sum;
  }
}
