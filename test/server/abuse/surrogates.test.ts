/** JSON may hold half a surrogate pair, which no text of a status can. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startServerUnowned, type TestServer } from "../../helpers/server.js";
import { answerOf, envelope, expectServing, http2Session } from "./raw.js";

const HALF = String.raw`\ud800`;
const REGISTER = "opscore.v1.AgentService/RegisterAgent";
const REPORT = "opscore.v1.StateService/ReportStates";
const WATCH = "opscore.v1.StateService/WatchState";

const BAD: readonly (readonly [what: string, json: string])[] = [
  ["an unknown key", `{"${HALF}":1}`],
  ["an unknown key in a message", `{"leaseTtl":"1s","agentId":"a","metadata":{},"${HALF}":{}}`],
  ["a text where a list belongs", `{"capabilities":"${HALF}"}`],
  ["an id", `{"agentId":"${HALF}"}`],
  ["a duration", `{"leaseTtl":"${HALF}"}`],
  ["the key of a label", `{"agentId":"a","labels":{"${HALF}":"x"}}`],
  ["an enumeration", `{"agentId":"a","initialState":"${HALF}"}`],
];

describe("half a surrogate pair", () => {
  let running: TestServer;

  beforeAll(async () => {
    running = await startServerUnowned();
  });
  afterAll(async () => {
    await expectServing(running.url);
    expect(running.logs.filter(({ level }) => level >= 50)).toEqual([]);
    await running.server.close();
  });

  const call = async (rpc: string, type: string, body: Buffer) => {
    const session = await http2Session(running.url);
    const stream = session.request({ ":method": "POST", ":path": `/${rpc}`, "content-type": type, te: "trailers" });
    stream.end(body);
    const answer = await answerOf(stream);
    session.close();
    expect([answer.status, answer.resetCode]).toEqual([200, 0]);
    return answer;
  };
  /** The status of gRPC, and whether it has details. */
  const statusOf = async (rpc: string, type: string, body: Buffer) => {
    const answer = await call(rpc, type, body);
    const text = answer.body.toString("latin1");
    const status = answer.grpcStatus ?? /grpc-status: (\d+)/.exec(text)?.[1];
    const hasDetails = "grpc-status-details-bin" in answer.headers || text.includes("grpc-status-details-bin: ");
    return { status, hasDetails };
  };
  const REFUSED = { status: "3", hasDetails: true };

  describe.each(["application/grpc+json", "application/grpc-web+json"])("%s", (type) => {
    it.each(BAD)("as %s ends with a status", async (_, json) => {
      expect(await statusOf(REGISTER, type, envelope(json))).toEqual(REFUSED);
    });

    it("as an unknown key of a watch", async () => {
      expect(await statusOf(WATCH, type, envelope(`{"${HALF}":1}`))).toEqual(REFUSED);
    });

    it.each([
      ["first", []],
      ["second", ['{"report":{"agentId":"none","state":"STATE_IDLE","waitForRegistration":"0s"}}']],
    ])("as an unknown key of the %s message of a stream", async (_, before) => {
      const messages = [...before, `{"${HALF}":1}`].map((json) => envelope(json));
      expect((await statusOf(REPORT, type, Buffer.concat(messages))).status).toBe("3");
    });
  });

  it("as an unknown key of a stream of Connect's ends with a status too", async () => {
    const { body } = await call(WATCH, "application/connect+json", envelope(`{"${HALF}":1}`));
    expect(body.toString()).toContain('"code":"invalid_argument"');
  });
});
