/** Messages that are wrong: each gets a typed error, or a clean end, and the server serves on. */
import { create, toBinary } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ErrorInfoSchema, BadRequestSchema } from "../../../gen/google/rpc/error_details_pb.js";
import { RegisterAgentRequestSchema } from "../../../gen/opscore/v1/agent_service_pb.js";
import { State } from "../../../gen/opscore/v1/common_pb.js";
import { WaitForStateRequestSchema } from "../../../gen/opscore/v1/state_service_pb.js";
import { dynamicClient } from "../../helpers/grpc-js.js";
import { startServer, startServerUnowned, type TestServer } from "../../helpers/server.js";
import { failureFromJson, postJson, type Failure } from "../../transport/harness.js";
import { answerOf, envelope, expectServing, http2Session, type RawAnswer } from "./raw.js";

let running: TestServer;

beforeEach(async () => {
  running = await startServerUnowned({ maxRequestBytes: 64 * 1024, maxDataBytes: 4096 });
});

afterEach(async () => {
  await expectServing(running.url);
  expect(running.logs.filter(({ level }) => level >= 50)).toEqual([]);
  await running.server.close();
});

const REGISTER = "opscore.v1.AgentService/RegisterAgent";
const SET_STATE = "opscore.v1.StateService/SetState";

async function failure(rpc: string, body: unknown, headers?: Record<string, string>): Promise<Failure> {
  const response = await postJson(running.url, rpc, body, headers);
  expect(response.status).toBeGreaterThanOrEqual(400);
  return failureFromJson(await response.json());
}

const badFields = (from: Failure): string[] =>
  from.details(BadRequestSchema).flatMap(({ fieldViolations }) => fieldViolations.map(({ field }) => field));

describe("fields", () => {
  it.each([
    ["an empty id", SET_STATE, { agentId: "", state: "STATE_IDLE" }, ["agent_id"]],
    ["an id with a space", SET_STATE, { agentId: "a b", state: "STATE_IDLE" }, ["agent_id"]],
    ["an id with a NUL", SET_STATE, { agentId: "a\0", state: "STATE_IDLE" }, ["agent_id"]],
    ["an id that is a path", SET_STATE, { agentId: "../../etc/passwd", state: "STATE_IDLE" }, ["agent_id"]],
    ["an id that is too long", SET_STATE, { agentId: "a".repeat(129), state: "STATE_IDLE" }, ["agent_id"]],
    ["a state that does not exist", SET_STATE, { agentId: "a", state: 99 }, ["state"]],
    ["a negative state", SET_STATE, { agentId: "a", state: -1 }, ["state"]],
    ["no state", SET_STATE, { agentId: "a" }, ["state"]],
    [
      "everything wrong at once",
      SET_STATE,
      { agentId: "/", state: 7, reason: "two words" },
      ["agent_id", "reason", "state"],
    ],
    ["a message that is too long", SET_STATE, { agentId: "a", state: 3, message: "x".repeat(1025) }, ["message"]],
    ["a negative wait", SET_STATE, { agentId: "a", state: 3, waitForRegistration: "-1s" }, ["wait_for_registration"]],
    [
      "a wait of years",
      SET_STATE,
      { agentId: "a", state: 3, waitForRegistration: "99999999s" },
      ["wait_for_registration"],
    ],
    ["a URL that is none", REGISTER, { contactEndpoint: "javascript:alert(1)" }, ["contact_endpoint"]],
    ["a selector that is none", "opscore.v1.AgentService/ListAgents", { labelSelector: "a in (" }, ["label_selector"]],
    ["a page that is too large", "opscore.v1.AgentService/ListAgents", { pageSize: 1_000_000 }, ["page_size"]],
  ])("%s is named", async (_, rpc, body, fields) => {
    const refused = await failure(rpc, body);
    expect(refused.code).toBe("INVALID_ARGUMENT");
    expect(refused.details(ErrorInfoSchema)).toMatchObject([{ reason: "INVALID_FIELD" }]);
    expect(badFields(refused).sort()).toEqual(fields);
  });

  it("an unknown enum number by gRPC is named too", async () => {
    const states = dynamicClient(running.port, "opscore.v1.StateService");
    await expect(states.unary("SetState", { agent_id: "a", state: 99 })).rejects.toMatchObject({ code: 3 });
  });

  it("data that is too large is named, and data that is nearly too large is taken", async () => {
    const metadata = (size: number) => ({ agentId: "a", metadata: { text: "x".repeat(size) } });
    const refused = await failure(REGISTER, metadata(4096));
    expect(refused.code).toMatch(/INVALID_ARGUMENT|RESOURCE_EXHAUSTED/);
    expect(badFields(refused)).toEqual(["metadata"]);
    expect((await postJson(running.url, REGISTER, metadata(4000))).status).toBe(200);
  });

  it("names that are special to JavaScript do no harm", async () => {
    const special = '{"__proto__":{"polluted":1},"constructor":"c","toString":"t"}';
    const body = `{"agentId":"__proto__","labels":{"__proto__":"x","constructor":"y"},"metadata":${special}}`;
    const response = await postJson(running.url, REGISTER, body);
    expect(await response.json()).toMatchObject({
      agent: { agentId: "__proto__", labels: { constructor: "y" }, metadata: { constructor: "c", toString: "t" } },
    });
    expect(Reflect.get({}, "polluted")).toBeUndefined();
    expect((await failure("opscore.v1.AgentService/GetAgent", { agentId: "constructor" })).code).toBe("NOT_FOUND");
    expect((await failure("opscore.v1.SessionService/GetSession", { sessionId: "__proto__" })).code).toBe("NOT_FOUND");
    const selected = await postJson(running.url, "opscore.v1.AgentService/ListAgents", { labelSelector: "toString" });
    expect(await selected.json()).toEqual({});
  });
});

describe("JSON", () => {
  it.each([
    ["nothing", ""],
    ["half an object", '{"agentId":'],
    ["a number", "7"],
    ["a list", "[]"],
    ["null", "null"],
    ["invalid UTF-8", Buffer.from('{"agentId":"\xff\xfe"}', "latin1").toString("latin1")],
    ["half a surrogate pair", String.raw`{"agentId":"\ud800"}`],
    ["a doubled field", '{"agentId":"a","agent_id":"b"}'],
    ["an int64 that is none", '{"agentId":"a","initialState":"STATE_IDLE","leaseTtl":"9e99s"}'],
  ])("%s fails with INVALID_ARGUMENT or is what it is", async (_, text) => {
    const response = await fetch(`${running.url}/${REGISTER}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: Buffer.from(text, "latin1"),
    });
    const body: unknown = await response.json();
    if (response.status === 200) expect(body).toHaveProperty("agent");
    else expect(failureFromJson(body).code).toBe("INVALID_ARGUMENT");
  });

  it.each([100, 10_000, 30_000])("nested %i deep", async (depth) => {
    expect((await failure(REGISTER, nestedJson(depth))).code).toBe("INVALID_ARGUMENT");
  });

  it("nested as deep as the largest request allows", async () => {
    const { url } = await startServer();
    const response = await postJson(url, REGISTER, nestedJson(2_000_000));
    expect(failureFromJson(await response.json()).code).toBe("INVALID_ARGUMENT");
    await expectServing(url);
  });

  it("a __proto__ at the top is not a field, and refused as all that are none", async () => {
    const { code, message } = await failure(REGISTER, '{"__proto__":{"agentId":"evil"},"agentId":"good"}');
    expect(code).toBe("INVALID_ARGUMENT");
    expect(message).toContain('key "__proto__" is unknown');
    for (const agentId of ["evil", "good"])
      expect(await failure("opscore.v1.AgentService/GetAgent", { agentId })).toMatchObject({ code: "NOT_FOUND" });
  });
});

describe("binary", () => {
  const PROTOCOLS = {
    "gRPC lane": { type: "application/grpc", wrap: (bytes: Buffer) => envelope(bytes) },
    "gRPC by Connect's handlers": { type: "application/grpc+proto;x=y", wrap: (bytes: Buffer) => envelope(bytes) },
    "gRPC-Web": { type: "application/grpc-web+proto", wrap: (bytes: Buffer) => envelope(bytes) },
    Connect: { type: "application/proto", wrap: (bytes: Buffer) => bytes },
  };

  async function post(
    rpc: string,
    type: string,
    body: Buffer,
    headers: Record<string, string> = {},
  ): Promise<RawAnswer> {
    const session = await http2Session(running.url);
    const stream = session.request({ ":method": "POST", ":path": `/${rpc}`, "content-type": type, ...headers });
    stream.end(body);
    const answer = await answerOf(stream);
    session.close();
    return answer;
  }

  /** A failure in whatever form the protocol has, or a stream that was reset. */
  function expectFailed(answer: RawAnswer): void {
    const inBody = /grpc-status: [1-9]/.test(answer.body.toString("latin1"));
    const failed =
      (answer.status ?? 0) >= 400 || (answer.grpcStatus ?? "0") !== "0" || inBody || answer.resetCode !== 0;
    expect(failed, JSON.stringify(answer)).toBe(true);
  }

  describe.each(Object.entries(PROTOCOLS))("%s", (_, { type, wrap }) => {
    it.each([
      ["random bytes", Buffer.from("f3a9c1d2e4ff00112233445566778899", "hex")],
      ["a field that ends too early", Buffer.from("0a7f61", "hex")],
      ["a varint without end", Buffer.from("0affffffffffffffffffffff", "hex")],
      ["a field of length 2 GiB", Buffer.from("0affffffff07", "hex")],
      ["invalid UTF-8", Buffer.from("0a02fffe", "hex")],
      ["a field number of 0", Buffer.from("020161", "hex")],
      ["an unfinished group", Buffer.from("0b0b0b0b", "hex")],
      ["groups nested 10,000 deep", Buffer.alloc(10_000, 0x0b)],
      ["a Struct nested 10,000 deep", nestedStruct(10_000)],
    ])("%s", async (__, bytes) => {
      expectFailed(await post(REGISTER, type, wrap(bytes)));
    });

    it("too large", async () => {
      expectFailed(await post(REGISTER, type, wrap(registerRequest("x".repeat(70_000)))));
    });

    it("small, but large when it is decompressed", async () => {
      const bomb = gzipSync(Buffer.alloc(50_000_000));
      const body = type === "application/proto" ? bomb : envelope(bomb, 1);
      expect(body.length).toBeLessThan(64 * 1024);
      expectFailed(await post(REGISTER, type, body, { "grpc-encoding": "gzip", "content-encoding": "gzip" }));
    });

    it("another compression than we know", async () => {
      const headers = { "grpc-encoding": "snappy", "content-encoding": "snappy" };
      expectFailed(await post(REGISTER, type, wrap(registerRequest("a")), headers));
    });

    it("a deadline that has passed, or is none", async () => {
      for (const [timeout, ms] of [
        ["0m", "0"],
        ["-1S", "-1"],
        ["soon", "soon"],
        ["999999999S", "99999999999"],
      ] as const) {
        const headers = { "grpc-timeout": timeout, "connect-timeout-ms": ms };
        expectFailed(await post(REGISTER, type, wrap(registerRequest("a")), headers));
      }
    });
  });

  it.each([
    ["application/grpc", { "grpc-timeout": "597H" }],
    ["application/grpc-web", { "grpc-timeout": "99999999H" }],
    ["application/proto", { "connect-timeout-ms": "2147483648" }],
    ["application/proto", { "connect-timeout-ms": "9999999999" }],
  ])("a deadline in months is none: %s, %j", async (type, headers) => {
    const wait = { agentId: "nobody", states: [State.IDLE], timeout: durationFromMs(50) };
    const message = Buffer.from(toBinary(WaitForStateRequestSchema, create(WaitForStateRequestSchema, wait)));
    const wrapped = type.includes("grpc") ? envelope(message) : message;
    const answer = await post("opscore.v1.StateService/WaitForState", type, wrapped, headers);
    // It ended when the wait did, and not with a deadline of the call.
    expect(`${String(answer.headers["grpc-message"])} ${answer.body.toString("latin1")}`).toMatch(
      /did not get there in time/,
    );
  });

  describe.each(["application/grpc", "application/grpc-web"])("%s envelopes", (type) => {
    const good = registerRequest("a");
    it.each([
      ["none", Buffer.alloc(0)],
      ["half a header", Buffer.from([0, 0])],
      ["less than announced", envelope(good, 0, 1000)],
      ["4 GiB announced", envelope(good, 0, 0xffffffff)],
      ["compressed without a compression", envelope(good, 1)],
      ["two messages", Buffer.concat([envelope(good), envelope(good)])],
      ["bytes after the message", Buffer.concat([envelope(good), Buffer.from([1, 2])])],
    ])("%s", async (_, body) => {
      expectFailed(await post(REGISTER, type, body));
    });
  });

  it("unknown flags of an envelope", async () => {
    expectFailed(await post(REGISTER, "application/grpc", envelope(registerRequest("a"), 0x42)));
  });

  it.each(["text/plain", "application/grpc+thrift", "application/xml", "multipart/form-data", "", "a".repeat(1000)])(
    "content type %.30j",
    async (type) => {
      expectFailed(await post(REGISTER, type, registerRequest("a")));
    },
  );

  it.each([
    ["no authority", { ":authority": "" }],
    ["an authority that is none", { ":authority": "[" }],
    ["a path that is none", { ":path": "*" }],
    ["a path with a fragment", { ":path": `/${REGISTER}#x` }],
    ["another method", { ":method": "TRACE" }],
  ])("%s", async (_, headers) => {
    const session = await http2Session(running.url);
    const stream = session.request({
      ":method": "POST",
      ":path": `/${REGISTER}`,
      "content-type": "application/proto",
      ...headers,
    });
    stream.end(registerRequest("a"));
    const { status, resetCode } = await answerOf(stream);
    // An empty authority is allowed: the request names no host, and needs none.
    expect(status !== undefined || resetCode !== 0).toBe(true);
    session.close();
  });

  it("10,000 headers", async () => {
    const session = await http2Session(running.url);
    const headers = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`x-${i}`, "y".repeat(100)]));
    const stream = session.request({ ":method": "POST", ":path": `/${REGISTER}`, ...headers });
    const { resetCode } = await answerOf(stream);
    expect(resetCode).not.toBe(0);
  });
});

function nestedJson(depth: number): string {
  return `{"agentId":"a","metadata":{"x":${"[".repeat(depth)}${"]".repeat(depth)}}}`;
}

function registerRequest(agentId: string): Buffer {
  return Buffer.from(toBinary(RegisterAgentRequestSchema, create(RegisterAgentRequestSchema, { agentId })));
}

/** `metadata` whose Struct holds a Struct that holds a Struct ..., written by hand: the library refuses to. */
function nestedStruct(depth: number): Buffer {
  let value = Buffer.alloc(0);
  // Built inside out: Value{struct_value: Struct{fields: {"": Value}}}.
  for (let i = 0; i < depth; i += 1) {
    const entry = Buffer.concat([Buffer.from([0x12]), varint(value.length), value]);
    const struct = Buffer.concat([Buffer.from([0x0a]), varint(entry.length), entry]);
    value = Buffer.concat([Buffer.from([0x2a]), varint(struct.length), struct]);
  }
  const entry = Buffer.concat([Buffer.from([0x12]), varint(value.length), value]);
  const struct = Buffer.concat([Buffer.from([0x0a]), varint(entry.length), entry]);
  return Buffer.concat([Buffer.from([0x3a]), varint(struct.length), struct]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  return Buffer.from([...bytes, rest]);
}
