/** The examples, each as its reader runs it. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { SessionStatus, type Session } from "../../gen/opscore/v1/session_service_pb.js";
import { createOpsCoreClient, type OpsCoreClient } from "../../src/client/index.js";
import type { Config } from "../../src/server.js";
import { compile, type CompiledModule } from "../docs/snippets.js";
import { root } from "../helpers/repository.js";
import { plainEnvironment, run } from "../helpers/run.js";
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
  const client = createOpsCoreClient({ baseUrl: running.url });
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

  it("in Python, over gRPC", async () => {
    const python = requirePythonGrpc();
    const folder = await mkdtemp(join(tmpdir(), "opscore-python-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const descriptors = join(folder, "opscore.binpb");
    await run("npx", ["buf", "build", "proto", "--output", descriptors], { cwd: root });
    const { port, client } = await serve();
    const agent = start(python, [join(EXAMPLES, "agent_grpc.py"), `127.0.0.1:${port}`, descriptors, "2"]);
    const [said, exit] = [linesOf(agent), once(agent, "exit")];
    expect(await runSample(client)).toMatchObject({ status: SessionStatus.COMPLETED, result: RESULT });
    expect(await exit).toEqual([0, null]);
    expect(await said).toEqual(["step_1, attempt 1", "step_2, attempt 1"]);
  });

  it("in Python, over plain HTTP", async () => {
    const outboundSecret = "a secret of the test";
    const { url, client } = await serve({ outboundSecret, outboundAllowPrivate: true });
    const agent = start("python3", [join(EXAMPLES, "agent_http.py"), url, outboundSecret, "2"]);
    const [said, exit] = [linesOf(agent), once(agent, "exit")];
    expect(await runSample(client)).toMatchObject({ status: SessionStatus.COMPLETED, result: RESULT });
    expect(await exit).toEqual([0, null]);
    expect(await said).toEqual(["step_1, attempt 1", "step_2, attempt 1"]);
  });
});

it("a test with the testing kit", async () => {
  await run(process.execPath, ["--test", compiled("agent-test")]);
});
