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
  /** What the snapshot has brought is complete; again after each loss of continuity. */
  onSynced?(table: LiveTable<Entry, Row>): void;
}

/** So many rows take a while to be counted and narrowed; the page must have time left for whoever uses it. */
const MANY_ROWS = 1000;
const REST_MS = 200;

/**
 * The rows that a watch has told of, as they are now. Whoever shows them is told of changes once a frame, however many there were; in
 * a tab that nobody sees there are no frames.
 *
 * A table that is stopped keeps its rows and its resume token, and goes on from there when it is started again.
 */
export class LiveTable<Entry extends { readonly type: string }, Row> {
  condition: Condition = { kind: "connecting" };
  /** Everything that there is has been told. */
  isComplete = false;
  private readonly byId = new Map<string, Row>();
  /** `byId` in order; undefined when rows have come or gone since. */
  private order: readonly string[] | undefined;
  private readonly listeners = new Set<() => void>();
  private isDrawing = false;
  private watch: Watch<Entry> | undefined;
  private token = "";

  constructor(private readonly options: LiveTableOptions<Entry, Row>) {}

  /** In order. */
  get rows(): readonly Row[] {
    const { compare } = this.options;
    this.order ??= [...this.byId].sort(([, a], [, b]) => compare(a, b)).map(([id]) => id);
    return this.order.map((id) => this.byId.get(id)).filter((row) => row !== undefined);
  }

  get(id: string): Row | undefined {
    return this.byId.get(id);
  }

  set(id: string, row: Row): void {
    if (!this.byId.has(id)) this.order = undefined;
    this.byId.set(id, row);
    this.changed();
  }

  delete(id: string): void {
    if (this.byId.delete(id)) this.order = undefined;
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
    this.watch?.close();
    this.watch = undefined;
  }

  private async follow(watch: Watch<Entry>): Promise<void> {
    try {
      for await (const batch of watch.batches()) {
        if (this.watch !== watch) return;
        for (const item of batch) this.take(item);
        this.token = watch.resumeToken;
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
      this.isComplete = true;
      this.options.onSynced?.(this);
    } else if (isResync(item)) {
      this.forget();
    } else {
      this.options.apply(item, this);
    }
  }

  private forget(): void {
    this.byId.clear();
    this.order = undefined;
    this.isComplete = false;
    this.changed();
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
