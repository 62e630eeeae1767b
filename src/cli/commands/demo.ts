import type { Command } from "commander";
import { SessionStatus } from "../../../gen/opscore/v1/session_service_pb.js";
import { TaskStatus } from "../../../gen/opscore/v1/task_service_pb.js";
import type { StateEntry } from "../../client/index.js";
import { implement, type Host } from "../command.js";
import type { Context } from "../context.js";
import { Crew } from "../demo/crew.js";
import { Scene, SCENE_AGENT } from "../demo/scene.js";
import { DEMO_SESSION, TASK_COUNT, Troupe } from "../demo/workflow.js";
import { setStage, type Stage } from "../demo/stage.js";
import type { Exit } from "../exit-codes.js";
import { CommandFailure } from "../failure.js";
import { toggle } from "../flags.js";
import { LiveView } from "../live/live-view.js";
import { StateBoard } from "../live/state-board.js";
import { EventLines, SYNCED_NOTE, TASK_WIDTHS } from "../views/event-lines.js";
import { taskEventView } from "../views/events.js";
import { follow, type WatchSink } from "../watching.js";
import { STATE_ENTRIES } from "./state-watch.js";

/** The scene takes milliseconds; this is when something is wrong, not how long it lasts. */
const SCENE_LIMIT_MS = 30_000;
/** How long a task of the workflow takes at least when somebody looks, in milliseconds. */
const WORK_MS = 800;

/** `opscore demo` */
export function define(command: Command, host: Host): void {
  implement(command, host, {
    summary: "See a server, an agent and a watcher at work",
    details:
      "Starts a server on a free port, agents that report to it, and a watch that shows what they do. On a terminal it goes on until Ctrl-C; otherwise one agent goes through its states once, and the command ends when the watch has shown them all. --workflow shows how the tasks of a session reach agents, and ends with the session.",
    examples: [["opscore demo --workflow", "tasks that wait for each other, over four agents"]],
    positionals: {},
    flags: {
      plain: toggle("--plain", "the short one, also on a terminal"),
      workflow: toggle("--workflow", "a workflow of four tasks over four agents, from its trigger to its end"),
    },
    common: {},
    async run({ plain, workflow }, _common, context) {
      const stage = await setStage();
      try {
        if (workflow) return await showWorkflow(stage, context, plain);
        return await (context.out.forPeople && !plain ? showCrew(stage, context) : showScene(stage, context));
      } finally {
        await stage[Symbol.asyncDispose]();
      }
    },
  });
}

/** One agent, each of its steps taken when the one before was seen. */
async function showScene({ url, client }: Stage, { out, io, signal }: Context): Promise<Exit> {
  const lines = new EventLines(true);
  const { scheduler } = io;
  out.fields([
    ["server", [{ text: `listening on ${url}`, look: "cyan" }]],
    ["agent", [{ text: `${SCENE_AGENT} registers, waits for work, works, and waits again` }]],
    ["watcher", [{ text: "sees every change, in order and once:" }]],
  ]);
  out.line();

  const scene = new Scene(client);
  const watch = client.watchState({}, { signal });
  const cancel = scheduler.after(SCENE_LIMIT_MS, () => watch.close());
  try {
    for await (const item of watch) {
      if (item.type === "synced") out.line(lines.notice(scheduler.now(), "SYNCED", SYNCED_NOTE));
      else if (item.type !== "resync") out.line(lines.event(STATE_ENTRIES.view(item)));
      await scene.saw(item);
      if (scene.isOver) break;
    }
    signal.throwIfAborted();
    if (!scene.isOver) throw new CommandFailure("TIMEOUT", "the watch did not show every step in time");
  } finally {
    cancel();
    await scene.end();
  }
  out.line();
  out.line([{ text: "That was all of it: REGISTERED, then UNKNOWN → IDLE → ACTIVE → IDLE.", look: "green" }]);
  out.line("Next: `opscore serve` starts a server that stays, `opscore --help` shows what can be done with it.");
  return "OK";
}

/** A workflow, each of its steps as it progresses. */
async function showWorkflow({ client }: Stage, { out, io, signal }: Context, plain: boolean): Promise<Exit> {
  const lines = new EventLines(true, TASK_WIDTHS);
  const { scheduler } = io;
  const troupe = new Troupe(client, scheduler, out.forPeople && !plain ? WORK_MS : 0);
  const over = new AbortController();
  const cancel = scheduler.after(SCENE_LIMIT_MS, () => over.abort());
  const ending = AbortSignal.any([signal, over.signal]);
  const watch = client.watchTasks({ sessionIds: [DEMO_SESSION] }, { signal: ending });
  try {
    let left = TASK_COUNT;
    for await (const item of watch) {
      if (item.type === "synced") await troupe.start();
      if (item.type !== "event" || item.event.task === undefined) continue;
      out.line(lines.event(taskEventView(item.event, true)));
      if (item.event.task.status === TaskStatus.COMPLETED) left -= 1;
      if (left === 0) break;
    }
    signal.throwIfAborted();
    const session = await troupe.ended(ending);
    if (session?.status !== SessionStatus.COMPLETED)
      throw new CommandFailure("TIMEOUT", "the workflow did not end in time");
  } finally {
    cancel();
    await troupe.stop();
  }
  out.line();
  out.line([{ text: "The session is COMPLETED: each task began when those before it were done.", look: "green" }]);
  return "OK";
}

/** Several agents, for as long as somebody looks. */
async function showCrew({ url, client }: Stage, { out, io, signal }: Context): Promise<Exit> {
  const view = new LiveView({
    board: new StateBoard(io.scheduler),
    title: [
      { text: "opscore demo", look: "bold" },
      { text: `  three agents at work · ${url}/dashboard`, look: "dim" },
    ],
    footer: [
      { text: "Try in another terminal: ", look: "dim" },
      { text: `opscore state watch --url ${url}`, look: "cyan" },
      { text: " · Ctrl-C ends the demo", look: "dim" },
    ],
    terminal: io.stdout,
    out,
    scheduler: io.scheduler,
  });
  const crew = new Crew(client, io.scheduler);
  const sink: WatchSink<StateEntry> = {
    items(items) {
      view.items(items);
      // Nobody enters before somebody looks.
      crew.start();
    },
    lost: (reconnect) => view.lost(reconnect),
    found: () => view.found(),
    ended: () => view.ended(),
  };
  const ending = AbortSignal.any([signal, crew.failed]);
  const start = { resumeToken: undefined, snapshot: true };
  await follow({ signal: ending }, start, (options) => client.watchState({}, options), sink);
  await crew.stop();
  crew.failed.throwIfAborted();
  // The end of this command is Ctrl-C: nothing was interrupted.
  return "OK";
}
