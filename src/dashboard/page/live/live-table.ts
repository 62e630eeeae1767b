import { Code, ConnectError } from "@connectrpc/connect";
import type { Resync, Synced, Watch, WatchOptions } from "../../../client/index.js";

/** How a watch is doing. */
export type Condition =
  | { readonly kind: "connecting" }
  | { readonly kind: "live" }
  /** The connection was lost, or was never there; it is tried again. */
  | { readonly kind: "away"; readonly error: ConnectError }
  /** The server wants to know who asks. */
  | { readonly kind: "refused"; readonly error: ConnectError }
  /** Trying again would not help. */
  | { readonly kind: "failed"; readonly error: ConnectError };

export interface LiveTableOptions<Entry extends { readonly type: string }, Row> {
  open(options: WatchOptions): Watch<Entry>;
  /** Changes the rows as the entry says. */
  apply(entry: Entry, table: LiveTable<Entry, Row>): void;
  /** The order in which rows stand, which must not change while a row has the same id. */
  readonly compare: (a: Row, b: Row) => number;
  /** Only so many rows are kept, those that stand first. Default: all. */
  readonly most?: number;
  /** Nothing of what was told holds any longer. */
  onForget?(): void;
  /**
   * Asks for what the watch does not tell, once the watch has told the rest; again after each loss of continuity, and after a failure.
   *
   * @param signal aborts when the answer is worth nothing any more
   */
  read?(table: LiveTable<Entry, Row>, signal: AbortSignal): Promise<void>;
}

/** So many rows take a while to be counted and narrowed; the page must have time left for whoever uses it. */
const MANY_ROWS = 1000;
const REST_MS = 200;
/** How long after a failure what could not be read is asked for again. */
const READ_AGAIN_MS = 3000;

/**
 * The rows that a watch has told of, as they are now. Whoever shows them is told of changes once a frame, however many there were; in
 * a tab that nobody sees there are no frames.
 *
 * A table that is stopped keeps its rows and its resume token, and goes on from there when it is started again.
 */
export class LiveTable<Entry extends { readonly type: string }, Row> {
  condition: Condition = { kind: "connecting" };
  /** Everything that there is has been told and read. */
  isComplete = false;
  /** Why the rest could not be read. */
  readFailure: ConnectError | undefined;
  /** In the order of `compare`, apart from what has come since it was last put in order. */
  private byId = new Map<string, Row>();
  private isInOrder = true;
  private readonly listeners = new Set<() => void>();
  private isDrawing = false;
  private watch: Watch<Entry> | undefined;
  /** Where it goes on after it was stopped; empty: anew. */
  private token = "";
  private reading = new AbortController();

  constructor(private readonly options: LiveTableOptions<Entry, Row>) {}

  /** In order. */
  get rows(): readonly Row[] {
    this.putInOrder();
    return [...this.byId.values()];
  }

  get(id: string): Row | undefined {
    return this.byId.get(id);
  }

  set(id: string, row: Row): void {
    if (!this.byId.has(id)) this.isInOrder = false;
    this.byId.set(id, row);
    const { most = Infinity } = this.options;
    if (this.byId.size > 2 * most) this.putInOrder();
    this.changed();
  }

  delete(id: string): void {
    this.byId.delete(id);
    this.changed();
  }

  /** @returns ends it */
  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Begins, or goes on where it was stopped. Harmless while it runs. */
  start(): void {
    if (this.watch !== undefined) return;
    if (this.token === "") this.forget();
    const watch = this.options.open({
      resumeToken: this.token,
      onReconnect: ({ error }) => this.is({ kind: "away", error }),
      onReconnected: () => this.is({ kind: "live" }),
    });
    this.watch = watch;
    void this.follow(watch);
  }

  stop(): void {
    if (this.watch !== undefined) this.token = this.watch.resumeToken;
    this.watch?.close();
    this.watch = undefined;
    this.reading.abort();
  }

  private async follow(watch: Watch<Entry>): Promise<void> {
    try {
      for await (const batch of watch.batches()) {
        if (this.watch !== watch) return;
        for (const item of batch) this.take(item);
        this.is({ kind: "live" });
      }
      // The server has nothing more to say: what was watched is gone. It may come again.
      if (this.watch === watch) this.beginAnew();
    } catch (thrown) {
      const error = ConnectError.from(thrown);
      if (this.watch === watch) this.is({ kind: error.code === Code.Unauthenticated ? "refused" : "failed", error });
    }
  }

  private beginAnew(): void {
    this.watch = undefined;
    this.token = "";
    this.start();
  }

  private take(item: Entry | Synced | Resync): void {
    if (isSynced(item)) {
      void this.read();
    } else if (isResync(item)) {
      this.forget();
    } else {
      this.options.apply(item, this);
    }
  }

  private async read(): Promise<void> {
    this.reading.abort();
    const { signal } = (this.reading = new AbortController());
    try {
      await this.options.read?.(this, signal);
      if (signal.aborted) return;
      this.readFailure = undefined;
      this.isComplete = true;
    } catch (thrown) {
      if (signal.aborted) return;
      this.readFailure = ConnectError.from(thrown);
      // The watch, which lost nothing, would not ask for it again.
      const again = setTimeout(() => void this.read(), READ_AGAIN_MS);
      signal.addEventListener("abort", () => clearTimeout(again));
    }
    this.changed();
  }

  private forget(): void {
    this.reading.abort();
    this.byId.clear();
    this.isInOrder = true;
    this.isComplete = false;
    this.readFailure = undefined;
    this.options.onForget?.();
    this.changed();
  }

  /** What was in order before stays so, which makes it a matter of one comparison for each row, even of thousands. */
  private putInOrder(): void {
    if (this.isInOrder) return;
    const { compare, most } = this.options;
    const rows = [...this.byId].sort(([, a], [, b]) => compare(a, b));
    this.byId = new Map(rows.slice(0, most));
    this.isInOrder = true;
  }

  private is(condition: Condition): void {
    if (condition.kind === "live" && this.condition.kind === "live") return;
    this.condition = condition;
    this.changed();
  }

  private changed(): void {
    if (this.isDrawing) return;
    this.isDrawing = true;
    const draw = () => {
      this.isDrawing = false;
      for (const listener of this.listeners) listener();
    };
    setTimeout(() => requestAnimationFrame(draw), this.byId.size > MANY_ROWS ? REST_MS : 0);
  }
}

function isSynced(item: { readonly type: string }): item is Synced {
  return item.type === "synced";
}

function isResync(item: { readonly type: string }): item is Resync {
  return item.type === "resync";
}
