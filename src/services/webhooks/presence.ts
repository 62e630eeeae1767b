import type { OpsCoreError } from "../../errors/index.js";
import type { Clock } from "../../lib/clock.js";
import type { DocumentStorage } from "../../storage/storage.js";

/** The kind of the documents by which replicas show that they send: one each, its id the replica's. */
const SENDERS = "webhook-sender";
/** The documents belong to no namespace; they stand in this one. */
const NAMESPACE = "default";
/** Far more replicas than there are. */
const PAGE = 1_000;

/** Times are in milliseconds. */
export interface PresenceOptions {
  readonly clock: Clock;
  /** How often a replica shows that it is there. */
  readonly beatMs: number;
  /** How long one counts that was not heard of. */
  readonly leaseMs: number;
  /** After how long its document is removed by others. */
  readonly takeoverMs: number;
}

/** A document, as this replica saw it. */
interface Sighting {
  readonly revision: number;
  /** When it was first seen, by the monotonic clock: clocks of different machines need not agree. */
  readonly since: number;
}

/** How many replicas there are that send for webhooks. A hint, by which they share them: nothing that must hold depends on it. */
export class Presence {
  private sightings = new Map<string, Sighting>();
  private revision = 0;
  private shownAt = -Infinity;

  constructor(
    private readonly storage: DocumentStorage,
    private readonly replica: string,
    private readonly options: PresenceOptions,
  ) {}

  /**
   * Shows this replica, if it is time to, and looks for the others.
   *
   * @param onCorrupt told of one that cannot be read, which does not count
   * @returns how many there are, this one included
   */
  async look(onCorrupt: (failure: OpsCoreError) => void): Promise<number> {
    const { clock, beatMs, leaseMs, takeoverMs } = this.options;
    if (clock.monotonic() - this.shownAt >= beatMs) await this.show();
    const query = { kind: SENDERS, namespace: NAMESPACE, limit: PAGE, cursor: undefined, onCorrupt };
    const { items } = await this.storage.listDocuments(query);
    const sightings = new Map<string, Sighting>();
    let others = 0;
    for (const { id, revision } of items) {
      if (id === this.replica) continue;
      const before = this.sightings.get(id);
      const sighting = before?.revision === revision ? before : { revision, since: clock.monotonic() };
      const age = clock.monotonic() - sighting.since;
      if (age < leaseMs) others += 1;
      if (age < takeoverMs) sightings.set(id, sighting);
      else await this.storage.deleteDocument({ ...keyOf(id), expectedRevision: revision });
    }
    this.sightings = sightings;
    return others + 1;
  }

  /** Is not there any more. */
  async leave(): Promise<void> {
    if (this.revision === 0) return;
    await this.storage.deleteDocument({ ...keyOf(this.replica), expectedRevision: this.revision });
  }

  private async show(): Promise<void> {
    const key = keyOf(this.replica);
    const shownAt = this.options.clock.monotonic();
    const write = async (expectedRevision: number) =>
      this.storage.writeDocument({ ...key, body: {}, expectedRevision });
    // Another one may have removed it, or this one was not told that it had written it.
    const written =
      (await write(this.revision)) ?? (await write((await this.storage.readDocument(key))?.revision ?? 0));
    if (written === undefined) return;
    this.revision = written.revision;
    this.shownAt = shownAt;
  }
}

function keyOf(replica: string) {
  return { kind: SENDERS, namespace: NAMESPACE, id: replica };
}
