import { expect } from "vitest";
import { AgentChangeType, type Change } from "../../../src/storage/records.js";
import type { ChangeLog, LogListener, LossReason, Position } from "../../../src/storage/storage.js";

const PAGE = 1_000;

/** Reads the log page by page, and holds everything it reads against what the log promises at all times. */
export class Journal {
  /** The newest commit time of each partition. */
  private readonly commitTimes: number[] = [];

  private constructor(
    private readonly log: ChangeLog,
    private position: Position,
  ) {}

  static async open(log: ChangeLog): Promise<Journal> {
    return new Journal(log, await log.head());
  }

  /** The changes since the last call. */
  async next(): Promise<readonly Change[]> {
    const changes: Change[] = [];
    for (;;) {
      const page = await this.log.readLog(this.position, PAGE);
      if (page.lost !== undefined) throw new Error(`the log was lost: ${page.lost}`);
      expectFollowing(this.position, page.changes, page.position);
      for (const change of page.changes) this.expectSound(change);
      changes.push(...page.changes);
      this.position = page.position;
      if (page.atHead) return changes;
    }
  }

  private expectSound(change: Change): void {
    if (change.kind !== "agent") {
      const record = change.kind === "session" ? change.session : change.task;
      expect(record.size).toBeGreaterThan(0);
      expect(record).toMatchObject({ revision: change.revision, namespace: change.namespace });
      this.expectNotEarlier(change.partition, record.updateTime);
      return;
    }
    expect(change.state.size).toBeGreaterThan(0);
    if (change.type === AgentChangeType.UPDATED) {
      expect(change.agent?.record.revision).toBe(change.revision);
      expect(change.state).toEqual(change.previous);
      return;
    }
    expect(change.state).toMatchObject({ revision: change.revision, cause: change.type });
    this.expectNotEarlier(change.partition, change.state.commitTime);
  }

  private expectNotEarlier(partition: number, commitTime: number): void {
    expect(commitTime).toBeGreaterThanOrEqual(this.commitTimes[partition] ?? 0);
    this.commitTimes[partition] = commitTime;
  }
}

/** Holds changes against the positions around them: in each partition, every revision once and in order. */
export function expectFollowing(from: Position, changes: readonly Change[], to: Position): void {
  expect(to).toEqual(follow(from, changes));
}

/** The position after changes that follow another without a gap. */
function follow({ epoch, revisions: before }: Position, changes: readonly Change[]): Position {
  const revisions = [...before];
  for (const { partition, revision } of changes) {
    expect(revision).toBe((revisions[partition] ?? NaN) + 1);
    revisions[partition] = revision;
  }
  return { epoch, revisions };
}

/** Collects what a tail delivers; given a position, it holds what comes against it. */
export class Follower implements LogListener {
  readonly changes: Change[] = [];
  readonly losses: LossReason[] = [];
  position: Position | undefined;
  private wake: () => void = () => undefined;

  onChanges(changes: readonly Change[]): void {
    if (this.position !== undefined) this.position = follow(this.position, changes);
    this.changes.push(...changes);
    this.wake();
  }

  onLost(reason: LossReason, position: Position): void {
    this.losses.push(reason);
    this.position = position;
    this.wake();
  }

  /** Waits until so many changes have come in all. */
  async until(count: number): Promise<readonly Change[]> {
    while (this.changes.length < count) await this.next();
    return this.changes;
  }

  /** Waits until the log was lost so many times in all. */
  async lost(count: number): Promise<readonly LossReason[]> {
    while (this.losses.length < count) await this.next();
    return this.losses;
  }

  /** Waits until it has come to a position. */
  async at({ epoch, revisions }: Position): Promise<void> {
    const isBehind = (): boolean =>
      this.position?.epoch !== epoch || this.position.revisions.some((revision, p) => revision < (revisions[p] ?? 0));
    while (isBehind()) await this.next();
  }

  private next(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }
}
