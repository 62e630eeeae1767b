/** How often it is looked whether something is due, in milliseconds: as often as timers go. */
const TICK_MS = 1;

/**
 * Does something so many times a second, whether what was done before has come to its end or not. What a late timer missed is made up
 * for at once.
 *
 * @param each must not take long; what it throws ends the process
 * @returns when all were begun, and how many a second these were
 */
export function paced(perSecond: number, seconds: number, each: () => void): Promise<number> {
  const count = Math.ceil(perSecond * seconds);
  const since = performance.now();
  let begun = 0;
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const elapsed = (performance.now() - since) / 1000;
      for (const due = Math.min(count, elapsed * perSecond); begun < due; begun += 1) each();
      if (begun < count) return;
      clearInterval(timer);
      resolve(begun / elapsed);
    }, TICK_MS);
  });
}
