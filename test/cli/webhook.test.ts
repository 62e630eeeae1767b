import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { WebhookStore } from "../../src/services/webhooks/store.js";
import { startServerUnowned, type TestServer } from "../helpers/server.js";
import { Receiver } from "../services/webhooks/receiver.js";
import { Shell } from "./harness.js";

let server: TestServer;
let shell: Shell;
let namespace: string;
let namespaces = 0;

beforeAll(async () => {
  server = await startServerUnowned({ outboundAllowPrivate: true, webhookTakeoverMs: 1_000 });
});
beforeEach(() => {
  namespaces += 1;
  namespace = `test-${namespaces}`;
  shell = new Shell(server.url, { OPSCORE_NAMESPACE: namespace });
});
afterAll(() => server.server.close());

const SECRET = "a-secret-of-16-or-more";

describe("webhook", () => {
  it("create, list, get and delete", async () => {
    const { url } = await Receiver.start();
    const filter = ["--agent", "a", "--agent", "b", "-l", "env=prod", "--capability", "write", "--state", "error,idle"];
    const created = await shell.run(["webhook", "create", url, "--id", "w", ...filter]);
    expect(created).toMatchObject({ code: 0, stderr: "the secret is not told again\n" });
    expect(created.stdout).toMatch(/^Secret +[\w-]{43}$/m);
    const text = await shell.text("webhook get w");
    expect(text).toMatch(/^Agents +a b$/m);
    expect(text).toMatch(/^Selector +env=prod$/m);
    expect(text).toMatch(/^Capabilities +write$/m);
    expect(text).toMatch(/^States +ERROR IDLE$/m);
    expect(text).toMatch(/^Status +OK$/m);
    expect(text).not.toMatch(/Secret/);
    expect(await shell.text("webhook list")).toMatch(
      /^WEBHOOK +STATUS +DELIVERED +DEAD +LAST +URL +ERROR\nw +OK +0 +0 /,
    );
    expect(await shell.json("webhook list")).toMatchObject({ webhooks: [{ webhookId: "w", url }], nextPageToken: "" });
    expect(await shell.json("webhook get w")).toMatchObject({
      webhook: { filter: { states: ["STATE_ERROR", "STATE_IDLE"] } },
    });
    expect(await shell.text("webhook delete w")).toBe("w  deleted\n");
    expect(await shell.run("webhook get w")).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(
        /^error: webhook w does not exist \(WEBHOOK_NOT_FOUND\)\nhint: `opscore webhook list` /,
      ) as string,
    });
    expect((await shell.run("webhook list")).stderr).toBe("no webhooks\n");
  });

  it("create takes a secret from a file or from standard input, and does not tell it", async () => {
    const folder = await mkdtemp(join(tmpdir(), "opscore-cli-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const path = join(folder, "secret.txt");
    await writeFile(path, `${SECRET}\n`);
    const url = "https://receiver.test/hook";
    for (const [secret, stdin = ""] of [[`@${path}`], ["-", `${SECRET}\r\n`], [SECRET]] as const) {
      const { code, stdout, stderr } = await shell.run(["webhook", "create", url, "--secret", secret], { stdin });
      expect([code, stderr]).toEqual([0, ""]);
      expect(stdout).not.toMatch(/secret/i);
    }
    const answer = await shell.json(["webhook", "create", url, "--secret", `@${path}`]);
    expect(answer).toMatchObject({ secret: SECRET });
  });

  it.each([
    ["an address that is none", ["receiver.test"], 2, "<receiver>  must be an http or https URL"],
    [
      "a secret that is too short",
      ["https://receiver.test", "--secret", "sh0rt"],
      2,
      "secret  must be 16 to 256 visible",
    ],
    ["a file that is not there", ["https://receiver.test", "--secret", "@/nowhere"], 2, "--secret  cannot be read"],
    ["a state that is none", ["https://receiver.test", "--state", "ilde"], 2, "did you mean idle?"],
    ["a token of another filter", ["https://receiver.test", "--resume-token", "x"], 2, "INVALID_RESUME_TOKEN"],
  ])("create refuses %s", async (_, words, code, message) => {
    const ended = await shell.run(["webhook", "create", ...words]);
    expect(ended).toMatchObject({ code, stdout: "" });
    expect(ended.stderr).toContain(message);
    expect(ended.stderr).not.toContain("sh0rt");
  });

  it("shows what fails, and replay sends it again at once", async () => {
    const receiver = await Receiver.start();
    receiver.answer = () => 500;
    await shell.text(["webhook", "create", receiver.url, "--id", "w"]);
    await shell.text("agent register a");
    // It is written down before it is sent again.
    await receiver.until(({ received }) => received.length === 2);
    expect(await shell.text("webhook list")).toMatch(/^w +FAILED [12]x +0 +0 .*answered 500$/m);
    const { stdout } = await shell.run("webhook get w", { tty: true });
    expect(stdout).toContain("\u001b[31manswered 500\u001b[39m");
    receiver.answer = () => 200;
    const before = receiver.received.length;
    expect(await shell.text("webhook replay w")).toMatch(/^Status +OK$/m);
    await receiver.until(({ received }) => received.length > before);
    const token = receiver.received.at(-1)?.message.resumeToken ?? "";
    await shell.text("agent register b");
    await receiver.until(({ events }) => events.includes("b UNKNOWN"));
    // Once more, from there.
    await shell.text(["webhook", "replay", "w", "--resume-token", token]);
    await receiver.until(({ events }) => events.filter((event) => event === "b UNKNOWN").length === 2);
    expect((await shell.run("webhook replay w --resume-token x")).stderr).toContain("INVALID_RESUME_TOKEN");
  });

  it("dead-deliveries lists what was given up, with the token to send it again", async () => {
    await shell.text("webhook create https://receiver.test/hook --id w");
    expect(await shell.run("webhook dead-deliveries w")).toMatchObject({ code: 0, stderr: "no dead deliveries\n" });
    const store = new WebhookStore(server.server.storage);
    const webhook = await store.require({ namespace, webhookId: "w" });
    const { resumeToken } = webhook;
    for (const delivery of [7, 8, 9]) {
      const dead = { delivery, eventCount: 3, attempts: 20, error: "answered 503", deadTime: Date.now(), resumeToken };
      await store.addDead(webhook, dead);
    }
    const text = await shell.text("webhook dead-deliveries w");
    expect(text).toMatch(
      /^DELIVERY +EVENTS +ATTEMPTS +GIVEN UP +ERROR +RESUME TOKEN\n +7 +3 +20 +0s +answered 503 +[\w-]+\n +8 /,
    );
    expect(text).toContain(resumeToken);
    // The token is what one needs: it is whole, however narrow the terminal is.
    expect((await shell.run("webhook dead-deliveries w", { tty: true })).stdout).toContain(resumeToken);
    const limited = await shell.run("webhook dead-deliveries w --limit 2");
    expect(limited.stderr).toBe("there is more: raise --limit\n");
    expect(await shell.json("webhook dead-deliveries w")).toMatchObject({
      deadDeliveries: [{ delivery: "7" }, { delivery: "8" }, { delivery: "9", error: "answered 503", resumeToken }],
    });
    expect(await shell.run("webhook dead-deliveries nope")).toMatchObject({ code: 3 });
  });
});
