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

/** Where new records of sessions become commits, and where those that have ended wait to be forgotten. */
export class SessionCommits {
  /** In the order of their end. A session that was opened again stays until its turn comes, and is passed over then. */
  private readonly ended = new Ring<Ended>();

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
    if (ends) this.ended.push({ entry, revision });
    this.commits.session(ends ? SessionChangeType.ENDED : SessionChangeType.UPDATED, record, previousStatus);
    if (ends) this.forget(commitTime);
    return record;
  }

  /** Drops ended sessions that are too old or too many. */
  forget(now: number): void {
    for (let oldest = this.ended.at(0); oldest !== undefined; oldest = this.ended.at(0)) {
      const { record } = oldest.entry;
      const isCurrent = record.revision === oldest.revision;
      const isOld = (record.endTime ?? now) < now - this.limits.ageMs;
      if (isCurrent && !isOld && this.ended.length <= this.limits.count) return;
      this.ended.shift();
      if (isCurrent) this.drop(oldest.entry);
    }
  }
}
