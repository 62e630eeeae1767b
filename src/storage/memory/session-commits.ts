import { SessionChangeType, type SessionRecord } from "../records.js";
import { isEnded } from "../state-machine.js";
import { AgeQueue } from "./age-queue.js";
import type { Commits } from "./commits.js";
import type { SessionEntry } from "./entries.js";
import { sessionRecord } from "./session-records.js";

/** A session that ended with the commit of this revision. */
interface Ended {
  readonly entry: SessionEntry;
  readonly revision: number;
}

export interface EndedSessionLimits {
  readonly count: number;
  readonly ageMs: number;
}

/** Where new records of sessions become commits, and where those that have ended wait to be forgotten. */
export class SessionCommits {
  /** In the order of their end. A session that is opened again is taken back. */
  private readonly ended = new AgeQueue(isCurrent);

  constructor(
    private readonly commits: Commits,
    private readonly limits: EndedSessionLimits,
    private readonly drop: (entry: SessionEntry) => void,
  ) {}

  /** Commits what `next` says of a session. */
  write(entry: SessionEntry, next: SessionRecord): SessionRecord {
    const { status: previousStatus } = entry.record;
    const { commitTime, revision } = this.commits.stamp;
    const ends = isEnded(next.status);
    const record = sessionRecord({
      ...next,
      updateTime: commitTime,
      endTime: ends ? commitTime : undefined,
      revision,
    });
    entry.record = record;
    if (isEnded(previousStatus)) this.ended.leaveGap();
    if (ends) this.ended.push({ entry, revision });
    this.commits.session(ends ? SessionChangeType.ENDED : SessionChangeType.UPDATED, record, previousStatus);
    if (ends) this.forget(commitTime);
    return record;
  }

  /** Drops ended sessions that are too old or too many. */
  forget(now: number): void {
    for (let oldest = this.ended.oldest; oldest !== undefined; oldest = this.ended.oldest) {
      const isOld = (oldest.entry.record.endTime ?? now) < now - this.limits.ageMs;
      if (!isOld && this.ended.size <= this.limits.count) return;
      this.ended.shift();
      this.drop(oldest.entry);
    }
  }
}

/** Whether the session is still as it was when it ended. */
function isCurrent({ entry, revision }: Ended): boolean {
  return entry.record.revision === revision;
}
