/** A reader of a watch that holds what it gets against the log. */
import { expect } from "vitest";
import type { PushSource } from "../../src/lib/push-source.js";
import { AgentChangeType, type Agent } from "../../src/storage/records.js";
import { BatchKind, type BatchContent } from "../../src/watch/batch.js";
import { AgentFilter, EXITED, type AgentEvent, type AgentFilterFields } from "../../src/watch/filters.js";
import type { WatchHub } from "../../src/watch/hub.js";
import { agentTopic } from "../../src/watch/topics.js";
import type { PartitionedLog } from "../helpers/partitioned-log.js";

type Content = BatchContent<AgentEvent, Agent>;

/** So many agents there are, `a0` and on. */
export const AGENTS = 5;

/** Everything that is due has happened: microtasks, and what waits for the next turn. */
export async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
}

/**
 * A reader that checks what it gets against the log's own history. One that reconnects goes on with what the reader before it
 * held, so that the guarantees are held over all connections together.
 */
export class Reader {
  readonly source: PushSource<Content>;
  private token: string;
  /** Up to where each agent's changes are known to the reader, since the start or the last RESYNC. */
  private readonly held: Map<string, number>;
  private readonly received: AgentEvent[];
  private readonly snapshot: Map<string, Agent>;
  private inSnapshot: boolean;
  private synced = false;
  /** Whether the reader holds a view that began with a snapshot. */
  private hasView: boolean;
  /** Everything after it must have come; undefined when it began with a snapshot. */
  private startRevisions: readonly number[] | undefined;

  constructor(
    private readonly log: PartitionedLog,
    topic: ReturnType<typeof openTopic>,
    readonly filter: AgentFilterFields,
    start: { readonly snapshot: boolean } | Reader,
  ) {
    const old = start instanceof Reader ? start : undefined;
    this.token = old?.token ?? "";
    this.held = new Map(old?.held);
    this.received = [...(old?.received ?? [])];
    this.snapshot = new Map(old?.snapshot);
    this.hasView = start instanceof Reader ? start.hasView : start.snapshot;
    this.inSnapshot = !(start instanceof Reader) && start.snapshot;
    this.startRevisions = old?.startRevisions ?? (this.hasView ? undefined : log.position.revisions);
    this.source = topic.watch(new AgentFilter(filter), {
      includeSnapshot: this.inSnapshot,
      resumeToken: this.token,
      progressIntervalMs: 3_600_000,
    });
  }

  get resumeToken(): string {
    return this.token;
  }

  take(): boolean {
    const content = this.source.take();
    if (content === undefined) return false;
    this.check(content);
    if (content.resumeToken !== "") this.token = content.resumeToken;
    return true;
  }

  /** Takes until nothing more is due: the source is empty, and a turn of the event loop makes it ready no more. */
  async drain(): Promise<void> {
    let ready = true;
    this.source.onReady(() => (ready = true));
    while (ready && !this.source.done) {
      ready = false;
      while (this.take());
      await turn();
    }
  }

  private check({ kind, events, items, resumeToken }: Content): void {
    switch (kind) {
      case BatchKind.RESYNC:
        expect(resumeToken).toBe("");
        this.inSnapshot = true;
        this.hasView = true;
        this.startRevisions = undefined;
        this.synced = false;
        this.held.clear();
        this.snapshot.clear();
        this.received.length = 0;
        this.token = "";
        break;
      case BatchKind.SNAPSHOT:
        expect(this.inSnapshot).toBe(true);
        expect(resumeToken).toBe("");
        for (const agent of items) {
          expect(this.snapshot.has(agent.record.agentId)).toBe(false);
          this.snapshot.set(agent.record.agentId, agent);
          this.held.set(agent.record.agentId, Math.max(agent.record.revision, agent.state.revision));
        }
        break;
      case BatchKind.SYNCED:
        expect(this.synced).toBe(false);
        this.synced = true;
        this.inSnapshot = false;
        expect(resumeToken).not.toBe("");
        break;
      case BatchKind.EVENTS:
        expect(events.length).toBeGreaterThan(0);
        if (this.synced) expect(resumeToken).not.toBe("");
        for (const event of events) {
          const { agentId } = event.state;
          // Ordered and once: each event of an agent is newer than all that is held of it.
          expect(event.revision).toBeGreaterThan(this.held.get(agentId) ?? 0);
          this.held.set(agentId, event.revision);
          this.received.push(event);
        }
        break;
      case BatchKind.PROGRESS:
        expect(resumeToken).not.toBe("");
        break;
    }
  }

  /** After everything was drained. */
  verify(): void {
    expect(this.synced).toBe(true);
    const filter = new AgentFilter(this.filter);
    const all = this.log.history.map((change) => filter.match(change)).filter((event) => event !== undefined);
    for (let i = 0; i < AGENTS; i++) {
      const about = ({ state }: AgentEvent): boolean => state.agentId === `a${i}`;
      const seen = this.received.filter(about).map(describeEvent);
      // Ordered and gapless: what came is an unbroken end of what there is.
      if (seen.length > 0) expect(seen).toEqual(all.filter(about).map(describeEvent).slice(-seen.length));
    }
    const { startRevisions } = this;
    if (startRevisions !== undefined) {
      const due = all.filter(({ partition, revision }) => revision > (startRevisions[partition] ?? 0));
      expect(this.received.map(describeEvent).sort()).toEqual(due.map(describeEvent).sort());
    }
    if (this.hasView) this.verifyView(filter);
  }

  /** The snapshot and the events after it give what the log has now. */
  private verifyView(filter: AgentFilter): void {
    const { states } = this.filter;
    const view = new Map([...this.snapshot].map(([id, { state }]) => [id, state.revision]));
    for (const { type, state } of this.received) {
      const gone = type === AgentChangeType.DEREGISTERED || type === EXITED;
      const wanted = states.length === 0 || states.some((each) => each === state.state);
      if (gone || !wanted) view.delete(state.agentId);
      else view.set(state.agentId, state.revision);
    }
    const now = new Map<string, number>();
    for (let i = 0; i < AGENTS; i++) {
      const agent = this.log.agent(`a${i}`);
      if (agent !== undefined && filter.admits(agent)) now.set(`a${i}`, agent.state.revision);
    }
    expect([...view].sort()).toEqual([...now].sort());
  }
}

function describeEvent({ type, partition, revision, state }: AgentEvent): string {
  return `${state.agentId} ${partition}/${revision} type ${type}`;
}

/** The agents of a hub, as they come. */
export function openTopic(hub: WatchHub) {
  return hub.topic({ ...agentTopic, present: (content: Content) => content });
}
