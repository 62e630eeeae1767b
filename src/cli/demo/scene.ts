/**
 * The demonstration for a pipe, a log or a test: one agent goes through its states, each step taken only when the watch has shown the
 * one before. It cannot run ahead of what is seen, needs no sleep, and ends by itself.
 */
import { State } from "../../../gen/opscore/v1/common_pb.js";
import { StateEvent_Type, type StateEvent } from "../../../gen/opscore/v1/state_service_pb.js";
import { Agent, type OpsCoreClient, type StateEntry } from "../../client/index.js";
import { CommandFailure } from "../failure.js";
import type { Item } from "../watching.js";

export const SCENE_AGENT = "demo-agent";

interface Step {
  /** What the watch must show. */
  readonly type: StateEvent_Type;
  readonly from: State | undefined;
  readonly to: State;
  /** What the agent does about it. */
  act(agent: Agent): Promise<void> | undefined;
}

const STEPS: readonly Step[] = [
  {
    type: StateEvent_Type.REGISTERED,
    from: undefined,
    to: State.UNKNOWN,
    act: (agent) => agent.idle({ message: "ready for work" }),
  },
  {
    type: StateEvent_Type.TRANSITION,
    from: State.UNKNOWN,
    to: State.IDLE,
    act: (agent) => agent.active({ message: "summarising a report", details: { pages: 12 } }),
  },
  {
    type: StateEvent_Type.TRANSITION,
    from: State.IDLE,
    to: State.ACTIVE,
    act: (agent) => agent.idle({ message: "done, ready for more" }),
  },
  { type: StateEvent_Type.TRANSITION, from: State.ACTIVE, to: State.IDLE, act: () => undefined },
];

/** Plays the scene as far as it was seen. */
export class Scene {
  private step = 0;
  private agent: Agent | undefined;

  constructor(private readonly client: OpsCoreClient) {}

  /** Everything was shown. */
  get isOver(): boolean {
    return this.step === STEPS.length;
  }

  /**
   * Goes on after what the watch has shown.
   *
   * @throws CommandFailure when it is not what the agent did
   */
  async saw(item: Item<StateEntry>): Promise<void> {
    if (item.type === "synced") {
      this.agent = await Agent.start({
        client: this.client,
        agentId: SCENE_AGENT,
        displayName: "Demo agent",
        capabilities: ["summarise"],
      });
      return;
    }
    const step = this.isOver ? undefined : STEPS[this.step];
    if (step === undefined || item.type !== "event" || !isStep(item.event, step)) {
      throw new CommandFailure("FAILURE", "the watch showed something else than what the agent did", {
        hints: ["This is a defect of opscore; a report of it is welcome."],
      });
    }
    this.step += 1;
    if (this.agent !== undefined) await step.act(this.agent);
  }

  async end(): Promise<void> {
    await this.agent?.stop();
  }
}

function isStep({ type, state, previous }: StateEvent, step: Step): boolean {
  return type === step.type && state?.state === step.to && previous?.state === step.from;
}
