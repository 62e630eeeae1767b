import type { Change } from "../records.js";
import type { LogPage, LossReason, Position } from "../storage.js";
import type { Commands } from "./commands.js";
import { decodeChange } from "./decode.js";
import { afterRevision, combineEpochs, parseEntryId, parseHeads, type Heads } from "./positions.js";

interface Stretch {
  readonly partition: number;
  readonly from: number;
  readonly count: number;
}

/** Reads the log by pages. */
export class LogPages {
  constructor(private readonly commands: Commands) {}

  async heads(): Promise<Heads> {
    const replies = (await this.commands.callAll("read-heads", [])).map(({ cells }) => parseHeads(cells));
    return {
      epochs: replies.flatMap(({ epochs }) => epochs),
      revisions: replies.flatMap(({ revisions }) => revisions),
      redisMs: Math.max(...replies.map(({ redisMs }) => redisMs)),
    };
  }

  async read(from: Position, limit: number): Promise<LogPage> {
    const heads = await this.heads();
    const loss = lossOf(from, heads);
    if (loss !== undefined) return { lost: loss };
    const stretches = divide(from.revisions, heads.revisions, limit);
    const parts = await Promise.all(stretches.map((stretch) => this.readStretch(stretch, heads)));
    const changes: Change[] = [];
    const revisions = from.revisions.slice();
    for (const part of parts) {
      if (typeof part === "string") return { lost: part };
      for (const change of part) {
        changes.push(change);
        revisions[change.partition] = change.revision;
      }
    }
    const atHead = heads.revisions.every((revision, partition) => revision === revisions[partition]);
    return { lost: undefined, changes, position: { epoch: from.epoch, revisions }, atHead };
  }

  private async readStretch(
    { partition, from, count }: Stretch,
    heads: Heads,
  ): Promise<LossReason | readonly Change[]> {
    const key = this.commands.keys.log(partition);
    const entries = await this.commands.read(key, (client) =>
      client.xrange(key, `(${afterRevision(from)}`, "+", "COUNT", count),
    );
    // There were so many when the heads were read: what is missing was cut off since, or all of it was lost.
    if (entries.length < count) return entries.length === 0 ? "truncated" : "epoch";
    const changes: Change[] = [];
    for (const [id, fields] of entries) {
      const { revision, epoch } = parseEntryId(id);
      if (epoch !== heads.epochs[partition]) return "epoch";
      if (revision !== from + changes.length + 1) return "truncated";
      changes.push(decodeChange(fields[1] ?? "", partition, revision, key));
    }
    return changes;
  }
}

function lossOf({ epoch, revisions }: Position, heads: Heads): LossReason | undefined {
  if (revisions.length !== heads.revisions.length || epoch !== combineEpochs(heads.epochs)) return "epoch";
  if (revisions.some((revision, partition) => revision > (heads.revisions[partition] ?? 0))) return "ahead";
  return undefined;
}

/** Divides a page among the partitions that have something to read, each its share of what there is. */
function divide(from: readonly number[], to: readonly number[], limit: number): readonly Stretch[] {
  const pending = from.map((revision, partition) => (to[partition] ?? 0) - revision);
  const total = pending.reduce((sum, each) => sum + each, 0);
  const stretches: Stretch[] = [];
  let room = limit;
  pending.forEach((each, partition) => {
    const share = total <= limit ? each : Math.ceil((each / total) * limit);
    const count = Math.min(each, share, room);
    if (count <= 0) return;
    room -= count;
    stretches.push({ partition, from: from[partition] ?? 0, count });
  });
  return stretches;
}
