import { SessionChangeType, type SessionRecord } from "../records.js";
import { isEnded } from "../state-machine.js";
import type { Commits } from "./commits.js";
import type { SessionEntry } from "./entries.js";
import { Ring } from "./ring.js";
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

/** Closing fewer gaps than this is not worth it. */
const MIN_REOPENED = 64;

/** Where new records of sessions become commits, and where those that have ended wait to be forgotten. */
export class SessionCommits {
  /**
   * In the order of their end. A session that was opened again stays until its turn comes, and is passed over then; when such
   * ones outnumber the others they are taken out.
   */
  private ended = new Ring<Ended>();
  /** How many of them were opened again. */
  private reopened = 0;

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
    if (isEnded(previousStatus)) this.leaveGap();
    if (ends) this.ended.push({ entry, revision });
    this.commits.session(ends ? SessionChangeType.ENDED : SessionChangeType.UPDATED, record, previousStatus);
    if (ends) this.forget(commitTime);
    return record;
  }

  /** Drops ended sessions that are too old or too many. */
  forget(now: number): void {
    for (let oldest = this.ended.at(0); oldest !== undefined; oldest = this.ended.at(0)) {
      const isOld = (oldest.entry.record.endTime ?? now) < now - this.limits.ageMs;
      if (isCurrent(oldest) && !isOld && this.ended.length - this.reopened <= this.limits.count) return;
      this.ended.shift();
      if (isCurrent(oldest)) this.drop(oldest.entry);
      else this.reopened -= 1;
    }
  }

  private leaveGap(): void {
    this.reopened += 1;
    if (this.reopened < MIN_REOPENED || this.reopened * 2 < this.ended.length) return;
    const ended = new Ring<Ended>();
    for (let index = 0; index < this.ended.length; index += 1) {
      const each = this.ended.at(index);
      if (each !== undefined && isCurrent(each)) ended.push(each);
    }
    this.ended = ended;
    this.reopened = 0;
  }
}

/** Whether the session is still as it was when it ended. */
function isCurrent({ entry, revision }: Ended): boolean {
  return entry.record.revision === revision;
}
