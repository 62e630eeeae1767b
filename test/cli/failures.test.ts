import { Code, ConnectError } from "@connectrpc/connect";
import { createServer, request, type RequestListener } from "node:http";
import { createSecureServer } from "node:http2";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { callFailure } from "../../src/cli/call-failure.js";
import { CommandFailure } from "../../src/cli/failure.js";
import { REASONS, type Reason } from "../../src/errors/index.js";
import { Certificates } from "../helpers/certificates.js";
import { startServer } from "../helpers/server.js";
import { opscore, Shell } from "./harness.js";

const target = { url: "http://127.0.0.1:8080", namespace: "default" };

function failureOf(error: unknown): CommandFailure {
  const failure = callFailure(error, target);
  if (!(failure instanceof CommandFailure)) throw new Error("that was no failure of a call");
  return failure;
}

function serverError(code: Code, reason: Reason): ConnectError {
  const value = { reason, domain: "opscore", metadata: {} };
  return new ConnectError("as the server says", code, undefined, [{ desc: ErrorInfoSchema, value }]);
}

describe("the exit code", () => {
  it.each([
    [Code.InvalidArgument, "USAGE"],
    [Code.NotFound, "NOT_FOUND"],
    [Code.AlreadyExists, "CONFLICT"],
    [Code.FailedPrecondition, "CONFLICT"],
    [Code.Aborted, "CONFLICT"],
    [Code.DeadlineExceeded, "TIMEOUT"],
    [Code.ResourceExhausted, "UNAVAILABLE"],
    [Code.Unavailable, "UNAVAILABLE"],
    [Code.Unauthenticated, "UNAUTHENTICATED"],
    [Code.PermissionDenied, "UNAUTHENTICATED"],
    [Code.Internal, "FAILURE"],
    [Code.Unknown, "FAILURE"],
    [Code.Unimplemented, "FAILURE"],
    [Code.DataLoss, "FAILURE"],
  ])("of code %i is that of %s", (code, exit) => {
    expect(failureOf(new ConnectError("x", code)).exit).toBe(exit);
  });

  it("of what is too large is that of wrong usage: trying again does not help", () => {
    expect(failureOf(serverError(Code.ResourceExhausted, "TOO_LARGE")).exit).toBe("USAGE");
    expect(failureOf(serverError(Code.ResourceExhausted, "TOO_MANY")).exit).toBe("UNAVAILABLE");
  });
});

describe("what the user is told", () => {
  it.each(Object.keys(REASONS) as Reason[])("of %s is the server's message, with its reason", (reason) => {
    const { message, facts } = failureOf(serverError(Code.Internal, reason));
    expect(message).toBe("as the server says");
    expect(facts.reason).toBe(reason);
    for (const hint of facts.hints ?? []) expect(hint).toMatch(/^[A-Z`].*\.$/);
  });

  it.each<[Reason, string]>([
    ["AGENT_NOT_FOUND", "agent list"],
    ["SESSION_NOT_FOUND", "session list"],
    ["TASK_NOT_FOUND", "task list"],
    ["WORKFLOW_NOT_FOUND", "workflow list"],
    ["WEBHOOK_NOT_FOUND", "webhook list"],
  ])("of %s is where to look, by a command that there is", async (reason, command) => {
    const { facts } = failureOf(serverError(Code.NotFound, reason));
    expect(facts.hints).toEqual([expect.stringContaining(`\`opscore ${command}\``)]);
    expect((await opscore([...command.split(" "), "--help"])).code).toBe(0);
  });

  it("of everything that is no failure of a call is left to others", () => {
    const defect = new TypeError("x is not a function");
    expect(callFailure(defect, target)).toBe(defect);
  });
});

describe("a server with a key", () => {
  it.each([
    [{}, "CREDENTIALS_MISSING", "Set OPSCORE_API_KEY, or give --api-key."],
    [{ OPSCORE_API_KEY: "wrong" }, "CREDENTIALS_INVALID", "it is not the server's key"],
  ])("refuses %j with code 7", async (env, reason, hint) => {
    const { url } = await startServer({ apiKey: "right" });
    for (const line of ["agent list", "state watch", "state wait a idle"]) {
      const { code, stderr } = await new Shell(url, env).run(line);
      expect(code).toBe(7);
      expect(stderr).toContain(`(${reason})`);
      expect(stderr).toContain(hint);
    }
  });

  it("takes the key from the environment and from the option", async () => {
    const { url } = await startServer({ apiKey: "right" });
    expect((await new Shell(url, { OPSCORE_API_KEY: "right" }).run("agent list")).code).toBe(0);
    expect((await new Shell(url).run("agent list --api-key right")).code).toBe(0);
  });
});

it("namespaces are kept apart", async () => {
  const { url } = await startServer();
  await new Shell(url, { OPSCORE_NAMESPACE: "one" }).text("agent register a");
  expect((await new Shell(url).run("agent get a --namespace one")).code).toBe(0);
  const elsewhere = await new Shell(url).run("agent get a --namespace two");
  expect(elsewhere.code).toBe(3);
  expect(elsewhere.stderr).toContain("shows the agents of namespace two");
});

it("a failure is one JSON document with --json", async () => {
  const { url } = await startServer();
  const { code, stdout, stderr } = await new Shell(url).run("agent get nobody --json");
  expect({ code, stdout }).toEqual({ code: 3, stdout: "" });
  expect(JSON.parse(stderr)).toEqual({
    error: {
      message: "agent nobody is not registered",
      exitCode: 3,
      code: "NOT_FOUND",
      reason: "AGENT_NOT_FOUND",
      metadata: { agent_id: "nobody" },
      problems: [],
      hints: [expect.stringContaining("opscore agent list") as string],
    },
  });
});

describe("another kind of server", () => {
  async function otherServer(answer: RequestListener): Promise<Shell> {
    const other = createServer(answer);
    await once(other.listen(0, "127.0.0.1"), "listening");
    onTestFinished(() => {
      other.closeAllConnections();
      other.close();
    });
    return new Shell(`http://127.0.0.1:${(other.address() as AddressInfo).port}`);
  }

  it.each([
    ["grpc", "Is this an Ops-Core server?"],
    ["connect", "It is another kind of server"],
    ["grpc-web", "It is another kind of server"],
  ])("is recognised as one over %s", async (transport, hint) => {
    const shell = await otherServer((_request, response) => response.writeHead(404).end("nothing here"));
    const { code, stderr } = await shell.run(`agent list --transport ${transport}`);
    expect(code).toBe(1);
    expect(stderr).toContain(hint);
  });

  it.each(["grpc", "connect", "grpc-web"])("is not what a wrong path is taken for over %s", async (transport) => {
    const { url } = await startServer();
    const { code, stderr } = await new Shell(`${url}/foo`).run(`agent list --transport ${transport}`);
    expect(code).toBe(1);
    expect(stderr).toContain(`hint: Is /foo right? It is, where a proxy takes it off; without one: --url ${url}\n`);
    expect(stderr).not.toContain("another kind of server");
  });

  it("may be a proxy that takes a path off", async () => {
    const { url } = await startServer();
    const proxy = await otherServer((asked, answer) => {
      const { method, headers } = asked;
      const passOn = request(`${url}${(asked.url ?? "").replace(/^\/foo/, "")}`, { method, headers }, (answered) => {
        answer.writeHead(answered.statusCode ?? 500, answered.headers);
        answered.pipe(answer);
      });
      asked.pipe(passOn);
    });
    expect((await proxy.run(`agent register a --transport connect --url ${proxy.url}/foo`)).code).toBe(0);
    expect((await new Shell(url).run("agent get a")).code).toBe(0);
  });

  it("that does not answer in time ends with 5", async () => {
    const shell = await otherServer(() => undefined);
    const { code, stderr } = await shell.run("agent list --timeout 50ms --transport connect");
    expect(code).toBe(5);
    expect(stderr).toContain("--timeout gives it longer");
  });

  it("that hangs up may want TLS", async () => {
    const shell = await otherServer((request) => request.socket.destroy());
    const { code, stderr } = await shell.run("agent list --transport connect --timeout 500ms");
    expect(code).toBe(6);
    expect(stderr).toContain("hint: If it wants TLS, its URL begins with https:.");
  });
});

describe("without TLS, in words", () => {
  it.each(["grpc", "connect"])("because the server has none, over %s", async (transport) => {
    const { url } = await startServer();
    const https = url.replace("http:", "https:");
    const { code, stderr } = await new Shell(https).run(`agent list --transport ${transport}`);
    expect(code).toBe(1);
    expect(stderr).toBe(
      `error: no TLS with ${https}: it does not speak TLS (ERR_SSL_WRONG_VERSION_NUMBER)\n` +
        `hint: If it has no TLS, its URL begins with http: --url ${url}\n`,
    );
  });

  it.each(["grpc", "connect"])("because nobody knows who signed its certificate, over %s", async (transport) => {
    const certificates = new Certificates();
    onTestFinished(() => certificates.remove());
    const { cert, key } = certificates.client;
    const server = createSecureServer({ cert, key, allowHTTP1: true });
    await once(server.listen(0, "127.0.0.1"), "listening");
    onTestFinished(() => void server.close());
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { code, stderr } = await new Shell(url).run(`agent list --transport ${transport}`);
    expect(code).toBe(1);
    expect(stderr).toBe(
      `error: no TLS with ${url}: its certificate is not trusted (UNABLE_TO_VERIFY_LEAF_SIGNATURE)\n` +
        "hint: NODE_EXTRA_CA_CERTS names a file (PEM) with the authority that signed it, or with the certificate itself.\n",
    );
  });

  it.each([
    ["ERR_TLS_CERT_ALTNAME_INVALID", "Host: x. is not in the cert's altnames", "its certificate is for another name"],
    ["CERT_HAS_EXPIRED", "certificate has expired", "its certificate is not valid now"],
    [
      "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
      "80:error:0A000460:SSL routines:ssl3_read_bytes:tlsv1 alert no application protocol:rec_layer_s3.c:1605:",
      "it does not speak HTTP/2",
    ],
    [
      "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED",
      "80:error:0A00045C:SSL routines:ssl3_read_bytes:tlsv13 alert certificate required:rec_layer_s3.c:1605:",
      "tlsv13 alert certificate required",
    ],
  ])("because of %s", (code, message, meaning) => {
    const cause = Object.assign(new Error(message), { code });
    const failure = failureOf(new ConnectError(message, Code.Internal, undefined, undefined, cause));
    expect(failure.message).toBe(`no TLS with ${target.url}: ${meaning} (${code})`);
  });
});
