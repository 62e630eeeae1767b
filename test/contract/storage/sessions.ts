import { describe, expect, it } from "vitest";
import { SessionChangeType, SessionStatus } from "../../../src/storage/records.js";
import { isEnded, isLegalSessionTransition, sessionStatusName } from "../../../src/storage/state-machine.js";
import type { ListSessions, UpdateSession } from "../../../src/storage/storage.js";
import { ACTOR, aRegistration, aSession, aSessionQuery, aSessionUpdate, NAMESPACE } from "../../helpers/records.js";
import { failureOf, reasonOf, times, useStorage, type StorageFactory, type Subject } from "./harness.js";

const KEY = { namespace: NAMESPACE, sessionId: "s" };
const STATUSES: readonly SessionStatus[] = Object.values(SessionStatus);

async function start({ storage, changes }: Subject, status: SessionStatus = SessionStatus.STARTED) {
  await storage.registerAgent(aRegistration("a"));
  let session = await storage.startSession(aSession("s", "a", { workflowId: "w", metadata: { a: 1 } }));
  if (status !== SessionStatus.STARTED) session = await storage.updateSession(aSessionUpdate("s", { status }));
  await changes();
  return session;
}

/** StartSession, UpdateSession, ListSessions. */
export function sessionsContract(factory: StorageFactory): void {
  describe("start of a session", () => {
    const subject = useStorage(factory);

    it("stores what the caller said", async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      await subject.changes();
      const session = await subject.storage.startSession(aSession("s", "a", { workflowId: "w", metadata: { a: 1 } }));
      expect(session).toMatchObject({
        ...KEY,
        agentId: "a",
        workflowId: "w",
        status: SessionStatus.STARTED,
        metadata: { a: 1 },
        result: undefined,
        error: "",
        endTime: undefined,
      });
      expect(session.updateTime).toBe(session.startTime);
      expect(await subject.replica.getSession(KEY)).toEqual(session);
      expect(await subject.changes()).toMatchObject([
        { kind: "session", namespace: NAMESPACE, type: SessionChangeType.STARTED, session, previousStatus: undefined },
      ]);
    });

    it("needs a registered agent", async () => {
      const failure = await failureOf(() => subject.storage.startSession(aSession("s", "nobody")));
      expect(failure).toMatchObject({ reason: "AGENT_NOT_FOUND", metadata: { agent_id: "nobody" } });
      expect(await subject.storage.getSession(KEY)).toBeUndefined();
      expect(await subject.events()).toEqual([]);
    });

    it.each([SessionStatus.STARTED, SessionStatus.COMPLETED])(
      "refuses an id that is taken, status %i",
      async (status) => {
        const session = await start(subject, status);
        const failure = await failureOf(() => subject.replica.startSession(aSession("s", "a")));
        expect(failure).toMatchObject({ reason: "SESSION_ALREADY_EXISTS", metadata: { session_id: "s" } });
        expect(await subject.storage.getSession(KEY)).toEqual(session);
        expect(await subject.events()).toEqual([]);
      },
    );
  });

  describe("statuses of a session", () => {
    const subject = useStorage(factory);
    const pairs = STATUSES.flatMap((from) =>
      STATUSES.map((to) => ({ from, to, label: `${sessionStatusName(from)} to ${sessionStatusName(to)}` })),
    );

    it.each(pairs)("$label", async ({ from, to }) => {
      const before = await start(subject, from);
      const update = () => subject.storage.updateSession(aSessionUpdate("s", { status: to }));
      const names = { from: sessionStatusName(from), to: sessionStatusName(to) };
      if (isEnded(from)) {
        expect(await failureOf(update)).toMatchObject({
          reason: "SESSION_ENDED",
          metadata: { session_id: "s", status: names.from },
        });
      } else if (!isLegalSessionTransition(from, to)) {
        expect(await failureOf(update)).toMatchObject({ reason: "ILLEGAL_TRANSITION", metadata: names });
      } else if (from === to) {
        expect(await update()).toEqual(before);
      } else {
        const session = await update();
        expect(session.revision).toBeGreaterThan(before.revision);
        expect(session.endTime).toBe(isEnded(to) ? session.updateTime : undefined);
        expect(await subject.replica.getSession(KEY)).toEqual(session);
        const type = isEnded(to) ? "ENDED" : "UPDATED";
        expect(await subject.events()).toEqual([`${type} s: ${names.from}>${names.to}`]);
        return;
      }
      expect(await subject.storage.getSession(KEY)).toEqual(before);
      expect(await subject.events()).toEqual([]);
    });
  });

  describe("update of a session", () => {
    const subject = useStorage(factory);

    it.each<UpdateSession["patch"]>([
      { metadata: { a: 2 } },
      { metadata: undefined },
      { result: { done: [1, 2] } },
      { error: "broken" },
      { status: SessionStatus.RUNNING, error: "hm", result: {} },
      { status: SessionStatus.FAILED, error: "broken" },
    ])("changes %o and nothing else", async (patch) => {
      const before = await start(subject);
      const session = await subject.storage.updateSession(aSessionUpdate("s", patch));
      const { sessionId, agentId, workflowId, startTime, status, metadata, result, error } = { ...before, ...patch };
      expect(session).toMatchObject({ sessionId, agentId, workflowId, startTime, status, metadata, result, error });
      expect(await subject.changes()).toMatchObject([{ session, previousStatus: before.status }]);
    });

    it.each<UpdateSession["patch"]>([{}, { metadata: { a: 1 } }, { status: SessionStatus.STARTED, error: "" }])(
      "makes no event of %o, which says nothing new",
      async (patch) => {
        const before = await start(subject);
        expect(await subject.storage.updateSession(aSessionUpdate("s", patch))).toEqual(before);
        expect(await subject.events()).toEqual([]);
      },
    );

    it("changes only the session that the caller has read", async () => {
      const { revision } = await start(subject);
      const update = aSessionUpdate("s", { status: SessionStatus.RUNNING }, { expectedRevision: revision });
      const session = await subject.storage.updateSession(update);
      const failure = await failureOf(() => subject.replica.updateSession(update));
      expect(failure).toMatchObject({
        reason: "STATE_MISMATCH",
        metadata: { status: "RUNNING", revision: String(session.revision) },
      });
    });

    it("fails for one that does not exist", async () => {
      const failure = await failureOf(() => subject.storage.updateSession(aSessionUpdate("s", {})));
      expect(failure).toMatchObject({ reason: "SESSION_NOT_FOUND", metadata: { session_id: "s" } });
    });

    it("checks the end first, then the revision, then the transition", async () => {
      await start(subject, SessionStatus.RUNNING);
      const bad = { expectedRevision: 999_999 };
      const illegal = aSessionUpdate("s", { status: SessionStatus.STARTED });
      expect(await reasonOf(() => subject.storage.updateSession({ ...illegal, ...bad }))).toBe("STATE_MISMATCH");
      expect(await reasonOf(() => subject.storage.updateSession(illegal))).toBe("ILLEGAL_TRANSITION");
      await subject.storage.updateSession(aSessionUpdate("s", { status: SessionStatus.COMPLETED }));
      expect(await reasonOf(() => subject.storage.updateSession({ ...illegal, ...bad }))).toBe("SESSION_ENDED");
      expect(await reasonOf(() => subject.storage.updateSession(aSessionUpdate("s", {})))).toBe("SESSION_ENDED");
    });

    it("goes on after the agent was deregistered", async () => {
      await start(subject);
      await subject.storage.deregisterAgent({ namespace: NAMESPACE, agentId: "a", incarnation: 0, actor: ACTOR });
      const session = await subject.storage.updateSession(aSessionUpdate("s", { status: SessionStatus.CANCELLED }));
      expect(session.status).toBe(SessionStatus.CANCELLED);
    });
  });

  describe("list of sessions", () => {
    const subject = useStorage(factory);
    const walk = async (query: Partial<ListSessions>): Promise<string[]> => {
      const ids: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await subject.replica.listSessions(aSessionQuery({ ...query, cursor }));
        ids.push(...page.items.map(({ sessionId }) => sessionId));
        cursor = page.next;
      } while (cursor !== undefined);
      return ids;
    };
    const startAll = async () => {
      await subject.storage.registerAgent(aRegistration("a"));
      await subject.storage.registerAgent(aRegistration("b"));
      for (const index of times(12, (each) => each)) {
        const workflowId = index < 6 ? "w" : "";
        await subject.storage.startSession(aSession(`s-${index}`, index % 2 === 0 ? "a" : "b", { workflowId }));
      }
      await subject.storage.updateSession(aSessionUpdate("s-1", { status: SessionStatus.RUNNING }));
      await subject.storage.updateSession(aSessionUpdate("s-2", { status: SessionStatus.COMPLETED }));
    };

    it.each<[Partial<ListSessions>, number[]]>([
      [{}, times(12, (index) => index)],
      [{ agentId: "a" }, [0, 2, 4, 6, 8, 10]],
      [{ agentId: "nobody" }, []],
      [{ workflowId: "w" }, [0, 1, 2, 3, 4, 5]],
      [{ agentId: "b", workflowId: "w" }, [1, 3, 5]],
      [{ statuses: [SessionStatus.RUNNING, SessionStatus.COMPLETED] }, [1, 2]],
      [{ agentId: "a", statuses: [SessionStatus.STARTED] }, [0, 4, 6, 8, 10]],
    ])("filters %o in the order of their start", async (query, expected) => {
      await startAll();
      const ids = expected.map((index) => `s-${index}`);
      for (const limit of [1, 3, 50]) expect(await walk({ ...query, limit })).toEqual(ids);
    });

    it.each(["", "x", "a1", "s-1", "s1.5", "sZZ", "🙂"])(
      "refuses the cursor %o, which it never gave",
      async (cursor) => {
        await startAll();
        const failure = await failureOf(() => subject.storage.listSessions(aSessionQuery({ cursor })));
        expect(failure.reason).toBe("INVALID_PAGE_TOKEN");
      },
    );
  });
}
