import type { Command } from "commander";
import { State } from "../../../gen/opscore/v1/common_pb.js";
import { Agent } from "../../client/index.js";
import { Ending } from "../../client/ending.js";
import { pause } from "../../client/scheduler.js";
import type { Host } from "../command.js";
import { implementLasting } from "../connection.js";
import { defaulted, repeated, required } from "../flags.js";
import { anyText, duration } from "../readers.js";
import { printable } from "../text/printable.js";
import type { Look } from "../text/style.js";

const DAY_MS = 86_400_000;
/** A server that was never there is waited for as long as by the watches, about; one that goes away later, for ever. */
const START_TIMEOUT_MS = 3_000;

/** `opscore agent simulate` */
export function defineSimulate(command: Command, host: Host): void {
  implementLasting(command, host, {
    summary: "Be an agent that waits and works in turn",
    details:
      "Registers, then reports idle and active in turn until Ctrl-C, and finished at its end. Killed with SIGKILL, or by a second Ctrl-C, it is silent, and lost when its lease runs out. Nothing is done in between; the reports are real. For trying out a deployment, its watches and its alerts.",
    examples: [["opscore agent simulate sim-1 --pace 500ms", "two changes a second"]],
    positionals: { agentId: required("agent-id", "the agent", anyText) },
    flags: {
      capability: repeated("--capability <word>", "what it can do", anyText),
      pace: defaulted("--pace <duration>", "how long it stays in a state", duration(1, DAY_MS), "2s"),
      leaseTtl: defaulted(
        "--lease-ttl <duration>",
        "how long it stays alive unheard; 0: for ever",
        duration(0, DAY_MS),
        "10s",
      ),
    },
    async run({ agentId, capability, pace, leaseTtl }, { client, io, out, json, signal }) {
      const { scheduler } = io;
      const tell = (event: string, text: string, message?: string, look?: Look): void => {
        if (json) out.jsonLine({ event, agentId, message });
        else out.line([{ text: printable(text), look }]);
      };
      const ending = new Ending();
      signal.addEventListener("abort", () => ending.end(), { once: true });
      const agent = await Agent.start({
        ...{ client, agentId, capabilities: capability, leaseTtlMs: leaseTtl, signal, scheduler },
        startTimeoutMs: START_TIMEOUT_MS,
      });
      tell("registered", `${agentId} is registered`, undefined, "green");
      for (const event of ["connected", "disconnected", "superseded", "error"] as const) {
        agent.on(event, (failure) => {
          tell(event, failure === undefined ? event : `${event}: ${failure.message}`, failure?.message);
        });
      }
      agent.on("superseded", () => ending.end());
      for (let round = 1; !ending.hasEnded(); round += 1) {
        void agent.idle({ message: "waiting for work" });
        await pause(scheduler, pace, ending);
        if (ending.hasEnded()) break;
        void agent.active({ message: `work ${round}` });
        await pause(scheduler, pace, ending);
      }
      // As an agent should: what is FINISHED is not waited for, and no alert tells that it was lost.
      const { unsent } = await agent.stop({ state: State.FINISHED });
      if (agent.status === "superseded") return "CONFLICT";
      if (unsent > 0) tell("unheard", "the server could not be told of the end");
      // The end of this command is Ctrl-C: nothing was interrupted.
      return "OK";
    },
  });
}
