import { describe, expect, it } from "vitest";
import type { Awaitable } from "../../../src/lib/awaitable.js";
import { SessionStatus, State } from "../../../src/storage/records.js";
import type { Storage } from "../../../src/storage/storage.js";
import { ACTOR, aRegistration, aReport, aSession, aSessionUpdate, NAMESPACE } from "../../helpers/records.js";
import { reasonOf, times, useStorage, type StorageFactory } from "./harness.js";

/** A command that may be repeated, and another one of the same kind on the same entity. */
interface Repeatable {
  readonly command: string;
  /** What must be there first. */
  readonly prepare: (storage: Storage) => Awaitable<unknown>;
  readonly send: (storage: Storage, requestId: string) => Awaitable<unknown>;
  readonly sendOther: (storage: Storage, requestId: string) => Awaitable<unknown>;
  readonly event: string;
}

const registered = (storage: Storage): Awaitable<unknown> => storage.registerAgent(aRegistration("a"));

function update(version: string, requestId: string) {
  const key = { namespace: NAMESPACE, agentId: "a" };
  return { ...key, patch: { version }, expectedRevision: 0, requestId, actor: ACTOR };
}

const COMMANDS: readonly Repeatable[] = [
  {
    command: "registerAgent",
    prepare: () => undefined,
    send: (storage, requestId) => storage.registerAgent(aRegistration("a", { requestId })),
    sendOther: (storage, requestId) => storage.registerAgent(aRegistration("a", { requestId, version: "2" })),
    event: "REGISTERED a: UNKNOWN",
  },
  {
    command: "updateAgent",
    prepare: registered,
    send: (storage, requestId) => storage.updateAgent(update("1", requestId)),
    sendOther: (storage, requestId) => storage.updateAgent(update("2", requestId)),
    event: "UPDATED a",
  },
  {
    command: "setState",
    prepare: registered,
    send: (storage, requestId) => storage.setState(aReport("a", State.IDLE, { requestId, sequence: 1 })),
    sendOther: (storage, requestId) => storage.setState(aReport("a", State.ACTIVE, { requestId, sequence: 2 })),
    event: "TRANSITION a: UNKNOWN>IDLE",
  },
  {
    command: "startSession",
    prepare: registered,
    send: (storage, requestId) => storage.startSession(aSession("s", "a", { requestId })),
    sendOther: (storage, requestId) => storage.startSession(aSession("s", "a", { requestId, workflowId: "w" })),
    event: "STARTED s: STARTED",
  },
  {
    command: "updateSession",
    prepare: async (storage) => {
      await registered(storage);
      await storage.startSession(aSession("s", "a"));
    },
    send: (storage, requestId) =>
      storage.updateSession(aSessionUpdate("s", { status: SessionStatus.COMPLETED }, { requestId })),
    sendOther: (storage, requestId) =>
      storage.updateSession(aSessionUpdate("s", { status: SessionStatus.FAILED }, { requestId })),
    event: "ENDED s: STARTED>COMPLETED",
  },
];

/** Commands that carry a `requestId`. */
export function repeatsContract(factory: StorageFactory): void {
  describe.each(COMMANDS)("repeated $command", ({ prepare, send, sendOther, event }) => {
    const subject = useStorage(factory);

    it("gets the first answer again and commits nothing", async () => {
      await prepare(subject.storage);
      await subject.changes();
      const first = await send(subject.storage, "r-1");
      expect(await send(subject.replica, "r-1")).toEqual(first);
      expect(await subject.events()).toEqual([event]);
    });

    it("gets the first answer again whatever the repeat says", async () => {
      await prepare(subject.storage);
      const first = await send(subject.storage, "r-1");
      await subject.changes();
      expect(await sendOther(subject.replica, "r-1")).toEqual(first);
      expect(await subject.events()).toEqual([]);
    });

    it("gets one answer for many callers at the same time", async () => {
      await prepare(subject.storage);
      await subject.changes();
      const answers = await Promise.all(
        times(10, (index) => send(index % 2 === 0 ? subject.storage : subject.replica, "r-1")),
      );
      for (const answer of answers) expect(answer).toEqual(answers[0]);
      expect(await subject.events()).toEqual([event]);
    });
  });

  describe("request ids", () => {
    const subject = useStorage(factory);

    it("belong to one command", async () => {
      await subject.storage.registerAgent(aRegistration("a", { requestId: "r" }));
      await subject.storage.setState(aReport("a", State.IDLE, { requestId: "r" }));
      await subject.storage.updateAgent(update("2", "r"));
      await subject.storage.startSession(aSession("a", "a", { requestId: "r" }));
      await subject.storage.updateSession(aSessionUpdate("a", { status: SessionStatus.RUNNING }, { requestId: "r" }));
      const events = await subject.events();
      expect([...events].sort()).toEqual([
        "REGISTERED a: UNKNOWN",
        "STARTED a: STARTED",
        "TRANSITION a: UNKNOWN>IDLE",
        "UPDATED a",
        "UPDATED a: STARTED>RUNNING",
      ]);
    });

    it("belong to one entity", async () => {
      await subject.storage.registerAgent(aRegistration("a", { requestId: "r" }));
      const { agent } = await subject.storage.registerAgent(aRegistration("b", { requestId: "r" }));
      expect(agent.record.agentId).toBe("b");
    });

    it("belong to one namespace", async () => {
      await subject.storage.registerAgent(aRegistration("a", { requestId: "r" }));
      const { agent, created } = await subject.storage.registerAgent(
        aRegistration("a", { requestId: "r", namespace: "other" }),
      );
      expect({ namespace: agent.record.namespace, created }).toEqual({ namespace: "other", created: true });
    });

    it("remember no failures", async () => {
      const report = aReport("a", State.IDLE, { requestId: "r" });
      expect(await reasonOf(() => subject.storage.setState(report))).toBe("AGENT_NOT_FOUND");
      await subject.storage.registerAgent(aRegistration("a"));
      expect(await subject.storage.setState(report)).toMatchObject({ changed: true });
    });

    it("answer before anything is checked, as the first call did", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      const report = aReport("a", State.IDLE, { requestId: "r", sequence: 1, incarnation: 1 });
      const first = await subject.storage.setState(report);
      await subject.storage.registerAgent(aRegistration("a"));
      await subject.storage.deregisterAgent({ namespace: NAMESPACE, agentId: "a", incarnation: 0, actor: ACTOR });
      expect(await subject.storage.setState(report)).toEqual(first);
    });

    it("are not needed: without one every command stands for itself", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      const { agent } = await subject.storage.registerAgent(aRegistration("a"));
      expect(agent.record.incarnation).toBe(2);
    });
  });
}
