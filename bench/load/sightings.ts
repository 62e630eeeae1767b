import { fromBinary } from "@bufbuild/protobuf";
import { WatchStateResponseSchema } from "../../gen/opscore/v1/state_service_pb.js";
import type { Connection } from "./http2/connection.js";
import { watching } from "./dialects/opscore.js";

/** How long after the last report its event may come, in milliseconds, before it counts as lost. */
const LOST_AFTER_MS = 30_000;

/** When a watcher sees what is reported: each report of an agent by its sequence, in the order of these. */
export class Sightings {
  private readonly expected = new Map<string, { readonly sequence: number; readonly since: number }[]>();
  private outstanding = 0;
  private times: number[] = [];
  private onAll: (() => void) | undefined;

  /** Opens a watch of all agents; answers when it sees all that is committed from now on. */
  static async open(connection: Connection): Promise<Sightings> {
    const sightings = new Sightings();
    await sightings.watch(connection);
    return sightings;
  }

  /** Called when a report is sent: its time runs. */
  expect(agentId: string, sequence: number): void {
    const queue = this.expected.get(agentId) ?? [];
    this.expected.set(agentId, queue);
    queue.push({ sequence, since: performance.now() });
    this.outstanding += 1;
  }

  /**
   * Waits until all that is expected was seen.
   *
   * @returns how long each took since the last call, in milliseconds
   * @throws Error when some were not
   */
  async all(): Promise<readonly number[]> {
    if (this.outstanding > 0) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve, reject) => {
        this.onAll = resolve;
        timer = setTimeout(() => {
          reject(new Error(`${this.outstanding} reports were not seen`));
        }, LOST_AFTER_MS);
      });
      clearTimeout(timer);
    }
    const { times } = this;
    this.times = [];
    return times;
  }

  private watch(connection: Connection): Promise<void> {
    const watch = watching({});
    return new Promise((resolve) => {
      connection.call(watch.path, watch.message, watch.requestEnds, {
        message: (bytes, start, end) => {
          if (watch.isStarted(bytes, start, end)) resolve();
          if (watch.events(bytes, start, end) === 0) return;
          const at = performance.now();
          for (const { state } of fromBinary(WatchStateResponseSchema, bytes.subarray(start, end)).events) {
            if (state !== undefined) this.saw(state.agentId, Number(state.sequence), at);
          }
        },
        ended: () => {
          throw new Error("a watch ended");
        },
      });
    });
  }

  /** @throws Error when it is not the next one: an event was lost, or came twice */
  private saw(agentId: string, sequence: number, at: number): void {
    const next = this.expected.get(agentId)?.shift();
    if (next?.sequence !== sequence) {
      throw new Error(`report ${sequence} of ${agentId} came instead of ${String(next?.sequence)}`);
    }
    this.times.push(at - next.since);
    this.outstanding -= 1;
    if (this.outstanding === 0) this.onAll?.();
  }
}
