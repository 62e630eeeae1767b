import { beforeEach, describe, expect, test } from "vitest";
import { SessionStatus, type Session } from "../../gen/opscore/v1/session_service_pb.js";
import { createHarness, failure, type Harness } from "./harness.js";

let h: Harness;
beforeEach(async () => {
  h = createHarness();
  await h.agents.registerAgent({ agentId: "a" });
});

async function start(sessionId: string, request: object = {}): Promise<Session> {
  const { session } = await h.sessions.startSession({ sessionId, agentId: "a", ...request });
  if (session === undefined) throw new Error("no session in the answer");
  return session;
}

async function update(session: object, request: object = {}): Promise<Session | undefined> {
  return (await h.sessions.updateSession({ session: { sessionId: "s", ...session }, ...request })).session;
}

describe("StartSession", () => {
  test("answers with the session as it was given", async () => {
    const session = await start("s", { workflowId: "w", metadata: { k: ["v"] } });
    expect(session).toMatchObject({
      sessionId: "s",
      agentId: "a",
      workflowId: "w",
      status: SessionStatus.STARTED,
      metadata: { k: ["v"] },
      error: "",
      startTime: { seconds: BigInt(h.clock.now() / 1000) },
    });
    expect(session.result).toBeUndefined();
    expect(session.endTime).toBeUndefined();
  });

  test("makes an id that nobody chose, and the same one again when the call is repeated", async () => {
    const first = await start("");
    expect(first.sessionId).toMatch(/^[0-9a-f-]{36}$/);
    expect((await start("")).sessionId > first.sessionId).toBe(true);
    expect(await start("", { requestId: "r" })).toEqual(await start("", { requestId: "r" }));
  });

  test("fails for an unknown agent and for an id that is taken", async () => {
    const noAgent = await failure("AGENT_NOT_FOUND", () => start("s", { agentId: "nobody" }));
    expect(noAgent.metadata).toEqual({ agent_id: "nobody" });
    await start("s");
    const taken = await failure("SESSION_ALREADY_EXISTS", () => start("s"));
    expect(taken.metadata).toEqual({ session_id: "s" });
  });
});

describe("GetSession", () => {
  test("answers what StartSession answered", async () => {
    const session = await start("s", { metadata: { k: 1 } });
    expect((await h.sessions.getSession({ sessionId: "s" })).session).toEqual(session);
  });

  test("fails for an unknown session, also for one of another namespace", async () => {
    const error = await failure("SESSION_NOT_FOUND", () => h.sessions.getSession({ sessionId: "s" }));
    expect(error.metadata).toEqual({ session_id: "s" });
    await start("s");
    const other = h.as({ namespace: "other" });
    await failure("SESSION_NOT_FOUND", () => other.sessions.getSession({ sessionId: "s" }));
  });
});

describe("UpdateSession", () => {
  test("changes what is set when there is no mask", async () => {
    await start("s", { metadata: { k: 1 } });
    expect(await update({ status: SessionStatus.RUNNING })).toMatchObject({
      status: SessionStatus.RUNNING,
      metadata: { k: 1 },
    });
    h.clock.advance(5_000);
    const ended = await update({ status: SessionStatus.FAILED, error: "out of memory", result: { partial: true } });
    expect(ended).toMatchObject({
      status: SessionStatus.FAILED,
      metadata: { k: 1 },
      error: "out of memory",
      result: { partial: true },
      endTime: { seconds: BigInt(h.clock.now() / 1000) },
    });
  });

  test.each([
    ["metadata", { metadata: undefined }],
    ["result", { result: undefined }],
    ["error", { error: "" }],
  ])("clears %s when the mask names it and the session does not set it", async (path, cleared) => {
    await start("s", { metadata: { k: 1 } });
    const before = await update({ result: { k: 2 }, error: "e" });
    const after = await update({}, { updateMask: { paths: [path] } });
    expect(after).toEqual({ ...before, ...cleared, updateTime: after?.updateTime, revision: after?.revision });
  });

  test("neither reads nor judges what the mask leaves out", async () => {
    await start("s");
    const after = await update({ status: 99, error: "e" }, { updateMask: { paths: ["error"] } });
    expect(after).toMatchObject({ status: SessionStatus.STARTED, error: "e" });
  });

  test("compares the revision", async () => {
    const { revision } = await start("s");
    await update({ error: "1" }, { expectedRevision: revision });
    const error = await failure("STATE_MISMATCH", () => update({ error: "2" }, { expectedRevision: revision }));
    expect(error.metadata).toMatchObject({ status: "STARTED" });
  });

  test("is safe to repeat with a request id", async () => {
    await start("s");
    const complete = () => update({ status: SessionStatus.COMPLETED }, { requestId: "r" });
    expect(await complete()).toEqual(await complete());
  });

  test("fails for a session that is unknown or has ended, and for a status that it cannot have", async () => {
    await failure("SESSION_NOT_FOUND", () => update({ error: "e" }));
    await start("s");
    await update({ status: SessionStatus.RUNNING });
    const illegal = await failure("ILLEGAL_TRANSITION", () => update({ status: SessionStatus.STARTED }));
    expect(illegal.metadata).toEqual({ from: "RUNNING", to: "STARTED" });
    await update({ status: SessionStatus.CANCELLED });
    const ended = await failure("SESSION_ENDED", () => update({ error: "late" }));
    expect(ended.metadata).toEqual({ session_id: "s", status: "CANCELLED" });
  });
});

describe("ListSessions", () => {
  const list = async (request: object = {}): Promise<string[]> =>
    (await h.sessions.listSessions(request)).sessions.map(({ sessionId }) => sessionId);

  beforeEach(async () => {
    await h.agents.registerAgent({ agentId: "b" });
    await start("s1", { workflowId: "w" });
    await start("s2", { agentId: "b", workflowId: "w" });
    await start("s3");
    await h.sessions.updateSession({ session: { sessionId: "s3", status: SessionStatus.RUNNING } });
  });

  test.each([
    ["nothing", {}, ["s1", "s2", "s3"]],
    ["agent", { agentId: "a" }, ["s1", "s3"]],
    ["workflow", { workflowId: "w" }, ["s1", "s2"]],
    ["statuses, any of them", { statuses: [SessionStatus.RUNNING, SessionStatus.FAILED] }, ["s3"]],
    ["all at once", { agentId: "a", workflowId: "w", statuses: [SessionStatus.STARTED] }, ["s1"]],
  ])("filters by %s", async (_what, filter, expected) => {
    expect(await list(filter)).toEqual(expected);
  });

  test("walks the pages to the end", async () => {
    for (let i = 0; i < 7; i++) await start(`more-${i}`);
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await h.sessions.listSessions({ agentId: "a", pageSize: 2, pageToken });
      seen.push(...page.sessions.map(({ sessionId }) => sessionId));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(seen).toEqual(["s1", "s3", ...Array.from({ length: 7 }, (_, i) => `more-${i}`)]);
  });

  test("refuses a page token of another query", async () => {
    const { nextPageToken: pageToken } = await h.sessions.listSessions({ agentId: "a", pageSize: 1 });
    await failure("INVALID_PAGE_TOKEN", () => list({ agentId: "b", pageToken }));
    await failure("INVALID_PAGE_TOKEN", () => list({ agentId: "a", workflowId: "w", pageToken }));
    await failure("INVALID_PAGE_TOKEN", () => list({ agentId: "a", statuses: [SessionStatus.PAUSED], pageToken }));
  });
});
