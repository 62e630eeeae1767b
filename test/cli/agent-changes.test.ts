/** The commands that change agents which are there already. */
import { expect, describe, it } from "vitest";
import { BRAKE_MIN_AGENTS } from "../../src/storage/storage.js";
import { FakeClock } from "../helpers/fake-clock.js";
import { aRegistration } from "../helpers/records.js";
import { startServer } from "../helpers/server.js";
import { Shell } from "./harness.js";

describe("agent update", () => {
  it("changes what is given, and nothing else", async () => {
    const shell = new Shell((await startServer()).url);
    await shell.text("agent register a --display-name old --capability write --label env=prod --initial-state idle");
    const line = [
      ...["agent", "update", "a", "--display-name", "", "--agent-version", "2", "--capability", "read"],
      ...["--label", "tier=web", "--contact-endpoint", "http://127.0.0.1:9/", "--metadata", "{}", "--lease-ttl", "30s"],
    ];
    expect(await shell.json(line)).toMatchObject({
      agent: {
        displayName: "",
        version: "2",
        capabilities: ["read"],
        labels: { tier: "web" },
        contactEndpoint: "http://127.0.0.1:9/",
        metadata: {},
        leaseTtl: "30s",
        incarnation: "1",
        state: { state: "STATE_IDLE" },
      },
    });
    expect(await shell.text("agent update a --label env=test")).toMatch(/^Labels {8}env=test$/m);
    expect(await shell.json("agent get a")).toMatchObject({ agent: { version: "2", leaseTtl: "30s" } });
  });

  it("can take a lease away", async () => {
    const shell = new Shell((await startServer()).url);
    await shell.text("agent register a --lease-ttl 30s");
    expect(await shell.json("agent update a --lease-ttl 0")).not.toHaveProperty("agent.leaseTtl");
    expect(await shell.json("agent register b --lease-ttl 0")).not.toHaveProperty("agent.leaseTtl");
  });

  it("can leave no label and no capability", async () => {
    const shell = new Shell((await startServer()).url);
    await shell.text("agent register a --capability write --capability read --label env=prod --display-name A");
    expect(await shell.json("agent update a --clear labels --capability read")).toMatchObject({
      agent: { displayName: "A", capabilities: ["read"], labels: {} },
    });
    expect(await shell.json("agent update a --clear labels,capabilities")).toMatchObject({
      agent: { displayName: "A", capabilities: [], labels: {} },
    });
    const { code, stderr } = await shell.run("agent update a --clear labels --label env=prod");
    expect([code, stderr]).toEqual([2, expect.stringContaining("--clear  must not name what is given: labels")]);
    expect((await shell.run("agent update a --clear metadata")).stderr).toContain("--clear  must be");
  });

  it("refuses a label that no object can have", async () => {
    const { code, stderr } = await new Shell((await startServer()).url).run("agent update a --label __proto__=2");
    expect(code).toBe(2);
    expect(stderr).toContain("must be a key=value pair");
  });

  it("can depend on the revision, and be repeated", async () => {
    const shell = new Shell((await startServer()).url);
    await shell.text("agent register a");
    expect(await shell.run("agent update a --agent-version 2 --if-revision 99")).toMatchObject({
      code: 4,
      stderr: expect.stringContaining("(STATE_MISMATCH)") as string,
    });
    const first = await shell.json("agent update a --agent-version 2 --request-id r");
    expect(await shell.json("agent update a --agent-version 3 --request-id r")).toEqual(first);
  });
});

describe("agent confirm-expiry", () => {
  it("makes LOST what the server keeps at SUSPECT", async () => {
    const clock = new FakeClock();
    // The test sweeps for itself.
    const { url, server } = await startServer({ leaseSweepIntervalMs: 10_000 }, { clock });
    const shell = new Shell(url);
    expect(await shell.text("agent confirm-expiry")).toBe("no agent was kept: nothing has changed\n");
    for (let i = 0; i < BRAKE_MIN_AGENTS; i += 1) {
      await server.storage.registerAgent(aRegistration(`a${i}`, { leaseTtlMs: 1_000 }));
    }
    for (let step = 0; step < 2; step += 1) {
      clock.advance(1_001);
      await server.storage.expireLeases({ stalledMs: 0 });
    }
    expect(await shell.text("agent confirm-expiry")).toBe(`${BRAKE_MIN_AGENTS} agents are LOST now\n`);
    expect(await shell.json("agent confirm-expiry")).toEqual({ lostCount: 0 });
    expect(await shell.text("agent list --liveness lost")).toContain("a19");
  });
});
