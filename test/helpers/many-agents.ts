import { State } from "../../src/storage/records.js";
import type { Storage } from "../../src/storage/storage.js";
import { aRegistration } from "./records.js";

const AT_ONCE = 500;
/** One in so many agents has the rare label. */
export const RARE = 100;

/** Registers agents `agent-FROM` up to `agent-TO`, that one not included. */
export async function registerMany(storage: Storage, from: number, to: number): Promise<void> {
  for (let first = from; first < to; first += AT_ONCE) {
    const count = Math.min(AT_ONCE, to - first);
    await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const number = first + index;
        const labels = number % RARE === 0 ? { kind: "rare" } : { kind: "common" };
        return storage.registerAgent(aRegistration(`agent-${number}`, { initialState: State.IDLE, labels }));
      }),
    );
  }
}
