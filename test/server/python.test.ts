/** A caller in another language: Python with grpcio, which knows the service by its descriptors alone. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { root } from "../helpers/repository.js";
import { run } from "../helpers/run.js";
import { startServer } from "../helpers/server.js";
import { requirePythonGrpc } from "../helpers/system.js";

describe("gRPC by Python's grpcio", () => {
  it("registers, watches, reports and waits", async () => {
    const python = requirePythonGrpc();
    const folder = mkdtempSync(path.join(tmpdir(), "opscore-python-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const descriptors = path.join(folder, "opscore.binpb");
    await run("npx", ["buf", "build", "proto", "--output", descriptors], { cwd: root });
    const { port } = await startServer();

    const script = path.join(import.meta.dirname, "interop", "client.py");
    const output = await run(python, [script, `127.0.0.1:${port}`, descriptors, "snake"]);
    const [registered, snapshot, synced, reported, event, waited, refused] = output
      .trim()
      .split("\n")
      .map((line): unknown => JSON.parse(line));
    expect(registered).toMatchObject({ agent: { agent_id: "snake", labels: { lang: "python" } }, created: true });
    expect(snapshot).toMatchObject({ kind: "WATCH_KIND_SNAPSHOT", states: [{ state: "STATE_UNKNOWN" }] });
    expect(synced).toMatchObject({ kind: "WATCH_KIND_SYNCED" });
    expect(reported).toMatchObject({ changed: true });
    expect(event).toMatchObject({
      kind: "WATCH_KIND_EVENTS",
      events: [{ type: "TYPE_TRANSITION", state: { state: "STATE_IDLE" }, previous: { state: "STATE_UNKNOWN" } }],
    });
    expect(waited).toMatchObject({ outcome: "WAIT_OUTCOME_REACHED", state: { state: "STATE_IDLE" } });
    expect(refused).toMatchObject({ code: "FAILED_PRECONDITION" });
  });
});
