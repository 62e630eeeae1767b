/** The examples, each as its reader runs it. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { State } from "../../gen/opscore/v1/common_pb.js";
import { SessionStatus, type Session } from "../../gen/opscore/v1/session_service_pb.js";
import { createOpsCoreClient, type OpsCoreClient } from "../../src/client/index.js";
import type { Config } from "../../src/server.js";
import { compile, type CompiledModule } from "../docs/snippets.js";
import { root } from "../helpers/repository.js";
import { plainEnvironment, run, runToEnd } from "../helpers/run.js";
import { startServer, type TestServer } from "../helpers/server.js";
import { requirePythonGrpc } from "../helpers/system.js";

const EXAMPLES = join(root, "examples");
const SETTINGS = { workflowsDir: join(EXAMPLES, "workflows") };
const RESULT = { step_1: { said: "HELLO" }, step_2: { said: "GOODBYE" } };

let modules: ReadonlyMap<string, CompiledModule>;

beforeAll(async () => {
  const names = ["agent", "agent-test"];
  const sources = names.map(async (name) => [name, await readFile(join(EXAMPLES, `${name}.ts`), "utf8")] as const);
  modules = await compile(new Map(await Promise.all(sources)), "examples");
}, 120_000);

function compiled(name: string): string {
  const file = modules.get(name)?.file;
  if (file === undefined) throw new Error(`${name} was not compiled`);
  return file;
}

async function serve(settings: Partial<Config> = {}): Promise<TestServer & { readonly client: OpsCoreClient }> {
  const running = await startServer({ ...SETTINGS, ...settings });
  const client = createOpsCoreClient({ baseUrl: running.url, apiKey: settings.apiKey });
  onTestFinished(() => client.close());
  return { ...running, client };
}

/** Starts a program; what it says on standard error is shown when it fails. */
function start(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  const child = spawn(command, args, { env: { ...plainEnvironment(), ...env }, stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

/** Triggers the sample workflow, and resolves with its session when that has ended. */
async function runSample(client: OpsCoreClient): Promise<Session> {
  const { session } = await client.workflows.triggerWorkflow({
    definition: { case: "workflowId", value: "sample_workflow_id" },
  });
  for await (const item of client.watchSessions({ sessionIds: [session?.sessionId ?? ""] })) {
    const now = item.type === "snapshot" ? item.session : item.type === "event" ? item.event.session : undefined;
    if (now !== undefined && now.status >= SessionStatus.COMPLETED) return now;
  }
  throw new Error("the watch ended before the session");
}

/** Starts an agent in Python, over plain HTTP. @param limit how many tasks it takes; not given: it goes on */
async function startHttpAgent(settings: Partial<Config> = {}, ...limit: readonly string[]) {
  const outboundSecret = "a secret of the test";
  const { url, client } = await serve({ outboundSecret, outboundAllowPrivate: true, ...settings });
  const args = [join(EXAMPLES, "agent_http.py"), url, outboundSecret, ...limit];
  return { client, agentId: "http-agent", agent: start("python3", args, keyOf(settings)) };
}

/** Starts an agent in Python, over gRPC, likewise. */
async function startGrpcAgent(settings: Partial<Config> = {}, ...limit: readonly string[]) {
  const python = requirePythonGrpc();
  const folder = await mkdtemp(join(tmpdir(), "opscore-python-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const descriptors = join(folder, "opscore.binpb");
  await run("npx", ["buf", "build", "proto", "--output", descriptors], { cwd: root });
  const { port, client } = await serve(settings);
  const args = [join(EXAMPLES, "agent_grpc.py"), `127.0.0.1:${port}`, descriptors, ...limit];
  return { client, agentId: "python-agent", agent: start(python, args, keyOf(settings)) };
}

function keyOf({ apiKey }: Partial<Config>): NodeJS.ProcessEnv {
  return apiKey === undefined ? {} : { OPSCORE_API_KEY: apiKey };
}

async function linesOf(child: ChildProcess): Promise<readonly string[]> {
  const lines: string[] = [];
  if (child.stdout !== null) for await (const line of createInterface(child.stdout)) lines.push(line);
  return lines;
}

describe("agents", () => {
  it("in TypeScript", async () => {
    const { url, client } = await serve();
    const agent = start(process.execPath, [compiled("agent")], { OPSCORE_URL: url });
    const said = linesOf(agent);
    expect(await runSample(client)).toMatchObject({ status: SessionStatus.COMPLETED, result: RESULT });
    const exit = once(agent, "exit");
    agent.kill("SIGTERM");
    expect(await exit).toEqual([0, null]);
    expect(await said).toEqual(['step_1, attempt 1: {"message":"hello"}', 'step_2, attempt 1: {"message":"goodbye"}']);
  });

  it.each([
    ["gRPC", startGrpcAgent],
    ["plain HTTP", startHttpAgent],
  ])("in Python, over %s", async (_lane, startAgent) => {
    const { client, agent } = await startAgent({}, "2");
    const [said, exit] = [linesOf(agent), once(agent, "exit")];
    expect(await runSample(client)).toMatchObject({ status: SessionStatus.COMPLETED, result: RESULT });
    expect(await exit).toEqual([0, null]);
    expect(await said).toEqual(["step_1, attempt 1", "step_2, attempt 1"]);
  });

  // Otherwise tasks would go on being sent to who is not there any more.
  it.each([
    ["gRPC", "SIGINT", startGrpcAgent],
    ["plain HTTP", "SIGINT", startHttpAgent],
    ["plain HTTP", "SIGTERM", startHttpAgent],
  ] as const)("in Python, over %s, says goodbye on %s", async (_lane, signal, startAgent) => {
    const { client, agent, agentId } = await startAgent({ apiKey: "correct-horse" });
    const exit = once(agent, "exit");
    expect(await runSample(client)).toMatchObject({ status: SessionStatus.COMPLETED, result: RESULT });
    agent.kill(signal);
    expect(await exit).toEqual([0, null]);
    expect((await client.states.getState({ agentId })).state?.state).toBe(State.FINISHED);
  });

  it.each(["agent_grpc.py", "agent_http.py"])("in Python say how they are called: %s", async (name) => {
    const { code, stderr } = await runToEnd("python3", [join(EXAMPLES, name)]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^usage: .+\n.+: error: the following arguments are required: .+\n$/);
  });
});

it("a test with the testing kit", async () => {
  await run(process.execPath, ["--test", compiled("agent-test")]);
});
