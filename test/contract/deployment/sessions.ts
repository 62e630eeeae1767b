import { describe, expect, it } from "vitest";
import { SessionEvent_Type, SessionStatus } from "../../../gen/opscore/v1/session_service_pb.js";
import { openSubject, Reader, refusal, type Deployment } from "./subject.js";

export function sessionsContract(deployment: () => Deployment): void {
  describe("sessions", () => {
    it("started on one replica are read, watched, changed and ended on the other", async () => {
      const { here, there } = openSubject(deployment());
      await here.agents.registerAgent({ agentId: "a" });
      const watch = Reader.open((options) => there.sessions.watchSessions({ agentIds: ["a"] }, options));
      await watch.synced();
      const { session } = await here.sessions.startSession({ agentId: "a", metadata: { asked: "by" } });
      const sessionId = session?.sessionId ?? "";
      expect((await there.sessions.getSession({ sessionId })).session).toEqual(session);
      await there.sessions.updateSession({
        session: { sessionId, status: SessionStatus.RUNNING },
        updateMask: { paths: ["status"] },
        expectedRevision: session?.revision ?? 0n,
      });
      await here.sessions.updateSession({
        session: { sessionId, status: SessionStatus.COMPLETED, result: { answer: 42 } },
        updateMask: { paths: ["status", "result"] },
      });
      const events = await watch.events(3);
      expect(events.map(({ type, session }) => [type, session?.status])).toEqual([
        [SessionEvent_Type.STARTED, SessionStatus.STARTED],
        [SessionEvent_Type.UPDATED, SessionStatus.RUNNING],
        [SessionEvent_Type.ENDED, SessionStatus.COMPLETED],
      ]);
      expect((await there.sessions.getSession({ sessionId })).session).toEqual(events[2]?.session);
    });

    it("are started once under one id, and do not change once they ended", async () => {
      const { here, there } = openSubject(deployment());
      await here.agents.registerAgent({ agentId: "a" });
      const request = { sessionId: "s", agentId: "a" };
      const outcomes = await Promise.allSettled([here, there].map(({ sessions }) => sessions.startSession(request)));
      expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      expect(await refusal(there.sessions.startSession(request))).toBe("SESSION_ALREADY_EXISTS");
      const end = { session: { sessionId: "s", status: SessionStatus.FAILED }, updateMask: { paths: ["status"] } };
      await there.sessions.updateSession(end);
      expect(await refusal(here.sessions.updateSession(end))).toBe("SESSION_ENDED");
    });

    it("are listed by agent and status, page by page through both", async () => {
      const { here, there } = openSubject(deployment());
      await here.agents.registerAgent({ agentId: "a" });
      await here.agents.registerAgent({ agentId: "b" });
      const ids = Array.from({ length: 15 }, (_, i) => `s-${String(i).padStart(2, "0")}`);
      await Promise.all(
        ids.map((sessionId, i) => here.sessions.startSession({ sessionId, agentId: i % 3 === 0 ? "b" : "a" })),
      );
      const seen: string[] = [];
      let pageToken = "";
      let turn = 0;
      do {
        const page = await (turn++ % 2 === 0 ? there : here).sessions.listSessions({
          agentId: "a",
          statuses: [SessionStatus.STARTED],
          pageSize: 3,
          pageToken,
        });
        seen.push(...page.sessions.map(({ sessionId }) => sessionId));
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
      expect(seen.sort()).toEqual(ids.filter((_, i) => i % 3 !== 0));
    });
  });
}
