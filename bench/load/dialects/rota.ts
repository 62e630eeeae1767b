import type { Changing } from "./dialect.js";

/** Which agent a caller changes next. Each caller has its share of them, and goes round. */
export class Rota {
  private readonly turns: number[] = [];
  private readonly share: number;

  constructor(private readonly changing: Changing) {
    this.share = Math.floor((changing.agents ?? changing.callers) / changing.callers);
  }

  /** @returns the agent, and for which time it is changed, from 1 */
  next(caller: number): { readonly agent: number; readonly round: number } {
    const turn = this.turns[caller] ?? 0;
    this.turns[caller] = turn + 1;
    return {
      agent: caller + (turn % this.share) * this.changing.callers,
      round: Math.floor(turn / this.share) + 1,
    };
  }
}
