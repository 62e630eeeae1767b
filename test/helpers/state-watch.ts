/** A watch of all agents over a bare stream that is held against its promise while it runs. */
import type { ClientHttp2Session } from "node:http2";
import { WatchKind, type AgentState } from "../../gen/opscore/v1/common_pb.js";
import { StateEvent_Type, type StateEvent, type WatchStateResponse } from "../../gen/opscore/v1/state_service_pb.js";
import { RawWatch } from "./raw-watch.js";

/** What a watcher has seen, over as many streams as it took. Fails at the first event that does not continue what came before. */
export class CheckedWatch {
  /** The events since the beginning, or since the last RESYNC. */
  readonly events: StateEvent[] = [];
  /** The newest state of each agent, as a user of the watch knows it. */
  readonly states = new Map<string, AgentState>();
  resyncs = 0;
  token = "";
  private failure: unknown;
  private watch: RawWatch | undefined;
  private waiting: { readonly isThere: () => boolean; readonly resolve: () => void; reject(cause: unknown): void }[] =
    [];

  /** @param onEnd called when the stream ended, for whatever reason */
  constructor(private readonly onEnd: (watch: CheckedWatch) => void = () => undefined) {}

  /** Opens a stream, which goes on where the one before it stopped. */
  open(session: ClientHttp2Session): void {
    const watch = new RawWatch(session, this.token === "" ? { includeSnapshot: true } : { resumeToken: this.token });
    this.watch = watch;
    watch.onMessage = (message) => {
      try {
        this.see(message);
      } catch (thrown) {
        this.failure = thrown;
      }
      this.look();
    };
    watch.stream.on("close", () => this.onEnd(this));
    watch.read();
  }

  /** Answers when `isThere` holds. @throws what was wrong with an event */
  until(isThere: (watch: this) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ isThere: () => isThere(this), resolve, reject });
      this.look();
    });
  }

  /** Answers when a stream is open and what was there has been seen. */
  synced(): Promise<void> {
    return this.until(({ token }) => token !== "");
  }

  get isOpen(): boolean {
    return this.watch !== undefined && !this.watch.stream.closed;
  }

  close(): void {
    this.watch?.stream.close();
  }

  private see({ kind, events, states, resumeToken }: WatchStateResponse): void {
    if (kind === WatchKind.RESYNC) {
      this.resyncs += 1;
      this.events.length = 0;
      this.states.clear();
    }
    for (const state of states) this.states.set(state.agentId, state);
    for (const event of events) {
      const { type, state, previous } = event;
      if (state === undefined) throw new Error("an event has a state");
      const { agentId } = state;
      const known = this.states.get(agentId);
      if (known !== undefined && previous?.revision !== known.revision) {
        throw new Error(
          `${agentId}: ${state.revision} follows ${previous?.revision}, but ${known.revision} was seen last`,
        );
      }
      if (type === StateEvent_Type.DEREGISTERED) this.states.delete(agentId);
      else this.states.set(agentId, state);
      this.events.push(event);
    }
    if (resumeToken !== "") this.token = resumeToken;
  }

  private look(): void {
    const { failure } = this;
    this.waiting = this.waiting.filter((waiting) => {
      if (failure !== undefined) waiting.reject(failure);
      else if (waiting.isThere()) waiting.resolve();
      else return true;
      return false;
    });
  }
}
