import { ConnectError } from "@connectrpc/connect";
import { onTestFinished } from "vitest";
import { WatchKind } from "../../../gen/opscore/v1/common_pb.js";
import { createOpsCoreClient, errorReason, type OpsCoreClient } from "../../../src/client/index.js";
import type { Reason } from "../../../src/errors/index.js";

/** Where two replicas of one deployment listen; the same URL twice where there is only one server. */
export interface Deployment {
  readonly here: string;
  readonly there: string;
}

/** A client on each replica, both in a namespace that no other case has. */
export interface Subject {
  readonly here: OpsCoreClient;
  readonly there: OpsCoreClient;
}

let namespaces = 0;

/** The clients of one case; closed with it. */
export function openSubject({ here, there }: Deployment): Subject {
  namespaces += 1;
  const namespace = `case-${process.pid}-${namespaces}`;
  const open = (baseUrl: string): OpsCoreClient => {
    const client = createOpsCoreClient({ baseUrl, namespace });
    onTestFinished(() => client.close());
    return client;
  };
  return { here: open(here), there: open(there) };
}

/** The reason with which the server refused a call. @throws when it did not */
export async function refusal(call: Promise<unknown>): Promise<Reason | undefined> {
  try {
    await call;
  } catch (thrown) {
    if (thrown instanceof ConnectError) return errorReason(thrown);
    throw thrown;
  }
  throw new Error("expected a refusal");
}

/** What every answer of every watch has. */
interface WatchAnswer<Event> {
  readonly kind: WatchKind;
  readonly events: readonly Event[];
  readonly resumeToken: string;
}

/** A watch as it comes from the wire, read message by message. */
export class Reader<Answer extends WatchAnswer<unknown>> {
  /** The newest token. */
  token = "";
  private readonly answers: AsyncIterator<Answer>;
  /** Events that came together with one that was asked for. */
  private readonly unread: Answer["events"][number][] = [];

  private constructor(answers: AsyncIterable<Answer>) {
    this.answers = answers[Symbol.asyncIterator]();
  }

  /** Begins a watch; it ends with the test. */
  static open<Answer extends WatchAnswer<unknown>>(
    watch: (options: { readonly signal: AbortSignal }) => AsyncIterable<Answer>,
  ): Reader<Answer> {
    const abort = new AbortController();
    onTestFinished(() => abort.abort());
    return new Reader(watch({ signal: abort.signal }));
  }

  /** What comes up to and including the first answer that `isLast`. */
  async until(isLast: (answer: Answer) => boolean): Promise<readonly Answer[]> {
    const seen: Answer[] = [];
    for (;;) {
      const next = await this.answers.next();
      if (next.done === true) throw new Error("the watch ended");
      if (next.value.resumeToken !== "") this.token = next.value.resumeToken;
      seen.push(next.value);
      if (isLast(next.value)) return seen;
    }
  }

  /** What was there when the watch began: the answers up to SYNCED. */
  synced(): Promise<readonly Answer[]> {
    return this.until(({ kind }) => kind === WatchKind.SYNCED);
  }

  /** The next `count` events. @throws when a RESYNC came instead */
  async events(count: number): Promise<Answer["events"][number][]> {
    while (this.unread.length < count) {
      const [answer] = await this.until(() => true);
      if (answer?.kind === WatchKind.RESYNC) throw new Error("RESYNC");
      this.unread.push(...(answer?.events ?? []));
    }
    return this.unread.splice(0, count);
  }
}
