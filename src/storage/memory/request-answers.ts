import type { Agent, SessionRecord } from "../records.js";
import type * as contract from "../storage.js";
import type { MemoryStorageSettings } from "./options.js";
import { RequestMemory } from "./request-memory.js";

/** The answers that are remembered for repeated requests, for each command its own. */
export class RequestAnswers {
  readonly registered: RequestMemory<contract.Registered>;
  readonly updated: RequestMemory<Agent>;
  readonly reported: RequestMemory<contract.ReportOutcome>;
  readonly sessionStarted: RequestMemory<SessionRecord>;
  readonly sessionUpdated: RequestMemory<SessionRecord>;

  constructor(settings: MemoryStorageSettings) {
    const { clock, maxRememberedRequests: count, maxRememberedBytes: bytes } = settings;
    this.registered = new RequestMemory(clock, count, bytes);
    this.updated = new RequestMemory(clock, count, bytes);
    this.reported = new RequestMemory(clock, count, bytes);
    this.sessionStarted = new RequestMemory(clock, count, bytes);
    this.sessionUpdated = new RequestMemory(clock, count, bytes);
  }

  forget(): void {
    this.registered.forget();
    this.updated.forget();
    this.reported.forget();
    this.sessionStarted.forget();
    this.sessionUpdated.forget();
  }
}
