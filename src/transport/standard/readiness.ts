import type { Awaitable } from "../../lib/awaitable.js";

/** How often it is checked whether commands can be served, while somebody wants to hear of a change; in milliseconds. */
const PROBE_INTERVAL_MS = 2_000;
/** A check that takes longer than this has failed, in milliseconds. */
const PROBE_TIMEOUT_MS = 1_000;

export interface ReadinessOptions {
  readonly intervalMs?: number;
  readonly timeoutMs?: number;
  /** What is wrong while commands cannot be served, for everybody to read. Undefined: it is not known. */
  readonly explain?: () => string | undefined;
}

/** Whether this server should get work: its storage answers, and it is not stopping. One answer for every protocol. */
export class Readiness {
  private readonly listeners = new Set<() => void>();
  private readonly timeoutMs: number;
  private readonly explain: () => string | undefined;
  private readonly timer: NodeJS.Timeout;
  private ready = true;
  private isStopping = false;

  /** @param probe whether commands can be served now; a rejection counts as no */
  constructor(
    private readonly probe: () => Awaitable<boolean>,
    { intervalMs = PROBE_INTERVAL_MS, timeoutMs = PROBE_TIMEOUT_MS, explain = () => undefined }: ReadinessOptions = {},
  ) {
    this.timeoutMs = timeoutMs;
    this.explain = explain;
    this.timer = setInterval(() => {
      if (this.listeners.size > 0) void this.check();
    }, intervalMs).unref();
  }

  /** As of the last check. */
  get isReady(): boolean {
    return this.ready && !this.isStopping;
  }

  get stopping(): boolean {
    return this.isStopping;
  }

  /** What is wrong, as of the last check; undefined while it is ready. */
  get trouble(): string | undefined {
    if (this.isStopping) return "the server is stopping";
    return this.ready ? undefined : (this.explain() ?? "the storage takes no commands");
  }

  /** Checks now. */
  async check(): Promise<boolean> {
    if (!this.isStopping) this.set(await this.ask());
    return this.isReady;
  }

  /** From now on the answer is no. */
  stop(): void {
    if (this.isStopping) return;
    clearInterval(this.timer);
    this.isStopping = true;
    this.tell();
  }

  /**
   * Calls `listener` after each change of {@link isReady}.
   *
   * @returns ends that
   */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private async ask(): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), this.timeoutMs).unref();
    });
    try {
      return await Promise.race([this.probe(), late]);
    } catch {
      return false;
    } finally {
      clearTimeout(timer);
    }
  }

  private set(ready: boolean): void {
    if (ready === this.ready) return;
    this.ready = ready;
    if (!this.isStopping) this.tell();
  }

  private tell(): void {
    for (const listener of [...this.listeners]) listener();
  }
}
