/**
 * The two clocks of a process. Whatever is measured or expires uses `monotonic`, so that a jump of the wall clock neither
 * expires nor revives anything; `now` is only for what people and other machines read.
 */
export interface Clock {
  /** Wall clock: milliseconds since 1970. May jump. */
  now(): number;
  /** Milliseconds since some moment; never goes back. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};

/** The longest delay that a timer of the runtime takes, in milliseconds, somewhat over 24 days; with a longer one it goes off at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;
