import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { Liveness, State } from "../../../gen/opscore/v1/common_pb.js";
import { WaitOutcome } from "../../../gen/opscore/v1/state_service_pb.js";
import { openSubject, type Deployment } from "./subject.js";

export function waitsContract(deployment: () => Deployment): void {
  describe("waits", () => {
    it("for an agent that is not there yet end with what happens on the other replica", async () => {
      const { here, there } = openSubject(deployment());
      const wait = there.states.waitForState({ agentId: "a", states: [State.ACTIVE] });
      await here.agents.registerAgent({ agentId: "a" });
      const { state } = await here.states.setState({ agentId: "a", state: State.ACTIVE });
      expect(await wait).toMatchObject({ outcome: WaitOutcome.REACHED, state });
    });

    it("see a state that was passed through before they began", async () => {
      const { here, there } = openSubject(deployment());
      const { agent } = await here.agents.registerAgent({ agentId: "a", initialState: State.IDLE });
      await here.states.setState({ agentId: "a", state: State.ACTIVE });
      await here.states.setState({ agentId: "a", state: State.IDLE });
      const wait = { agentId: "a", states: [State.ACTIVE], afterRevision: agent?.state?.revision ?? 0n };
      const { outcome, state } = await there.states.waitForState(wait);
      expect({ outcome, state: state?.state }).toEqual({ outcome: WaitOutcome.REACHED, state: State.ACTIVE });
    });

    it("end as FAILED, DEREGISTERED and LOST", async () => {
      const { here, there } = openSubject(deployment());
      const waits = await Promise.all(
        ["fails", "leaves", "dies"].map(async (agentId) => {
          const lease = agentId === "dies" ? { leaseTtl: durationFromMs(1000) } : {};
          const { agent } = await here.agents.registerAgent({ agentId, initialState: State.IDLE, ...lease });
          const afterRevision = agent?.state?.revision ?? 0n;
          const end = there.states.waitForState({
            ...{ agentId, states: [State.FINISHED], failStates: [State.ERROR], failOnLost: true },
            afterRevision,
          });
          return { end };
        }),
      );
      await here.states.setState({ agentId: "fails", state: State.ERROR });
      await here.agents.deregisterAgent({ agentId: "leaves" });
      const ended = await Promise.all(waits.map(({ end }) => end));
      expect(ended.map(({ outcome }) => outcome)).toEqual([
        WaitOutcome.FAILED,
        WaitOutcome.DEREGISTERED,
        WaitOutcome.LOST,
      ]);
      expect(ended[2]?.state?.liveness).toBe(Liveness.LOST);
    });
  });
}
