import { Readable } from "node:stream";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { State, type AgentState } from "../../../gen/opscore/v1/common_pb.js";
import { openSubject, refusal, type Deployment } from "./subject.js";

const stateName = (state: AgentState | undefined): string =>
  String(state === undefined ? undefined : State[state.state]);

export function statesContract(deployment: () => Deployment): void {
  describe("states", () => {
    it("set through one replica are read through the other", async () => {
      const { here, there } = openSubject(deployment());
      await here.agents.registerAgent({ agentId: "a" });
      const { state, changed } = await here.states.setState({
        agentId: "a",
        state: State.ACTIVE,
        reason: "Cooking",
        message: "soup",
        details: { pot: 3 },
        sequence: 7n,
      });
      expect(changed).toBe(true);
      expect((await there.states.getState({ agentId: "a" })).state).toEqual(state);
      const again = await there.states.setState({
        agentId: "a",
        state: State.ACTIVE,
        reason: "Cooking",
        message: "soup",
        details: { pot: 3 },
        sequence: 8n,
      });
      expect(again.changed).toBe(false);
    });

    it("keep their preconditions on both", async () => {
      const { here, there } = openSubject(deployment());
      await here.agents.registerAgent({ agentId: "a", initialState: State.IDLE });
      await here.states.setState({ agentId: "a", state: State.ACTIVE, sequence: 5n });
      expect(await refusal(there.states.setState({ agentId: "a", state: State.IDLE, sequence: 5n }))).toBe(
        "STALE_SEQUENCE",
      );
      expect(
        await refusal(there.states.setState({ agentId: "a", state: State.IDLE, expectedStates: [State.ERROR] })),
      ).toBe("STATE_MISMATCH");
      await there.states.setState({ agentId: "a", state: State.FINISHED });
      expect(await refusal(here.states.setState({ agentId: "a", state: State.IDLE }))).toBe("ILLEGAL_TRANSITION");
    });

    it("are set by one of many that compare and set at once", async () => {
      const { here, there } = openSubject(deployment());
      const { agent } = await here.agents.registerAgent({ agentId: "a", initialState: State.IDLE });
      const outcomes = await Promise.allSettled(
        Array.from({ length: 20 }, (_, i) =>
          (i % 2 === 0 ? here : there).states.setState({
            agentId: "a",
            state: State.ACTIVE,
            message: `claimed by ${i}`,
            expectedRevision: agent?.state?.revision ?? 0n,
          }),
        ),
      );
      const won = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value.state] : []));
      expect(won).toHaveLength(1);
      expect((await there.states.getState({ agentId: "a" })).state).toEqual(won[0]);
    });

    it("answer a repeated request as the first time, from the other replica too", async () => {
      const { here, there } = openSubject(deployment());
      await here.agents.registerAgent({ agentId: "a" });
      const request = { agentId: "a", state: State.IDLE, requestId: "once" };
      const first = await here.states.setState(request);
      await there.states.setState({ agentId: "a", state: State.ACTIVE });
      expect(await there.states.setState(request)).toEqual(first);
      expect((await here.states.getState({ agentId: "a" })).state?.state).toBe(State.ACTIVE);
    });

    it("are held for an agent that registers elsewhere, and applied in the order of their arrival", async () => {
      const { here, there } = openSubject(deployment());
      const seen: string[] = [];
      const held = [State.INITIALIZING, State.IDLE, State.ACTIVE].map((state, i) =>
        there.states
          .setState({ agentId: "a", state, sequence: BigInt(i + 1) })
          .then((answer) => seen.push(stateName(answer.state))),
      );
      // A report that is not held says so at once, and shows that the ones before it have arrived.
      const now = durationFromMs(0);
      expect(await refusal(there.states.setState({ agentId: "a", state: State.IDLE, waitForRegistration: now }))).toBe(
        "AGENT_NOT_FOUND",
      );
      await here.agents.registerAgent({ agentId: "a" });
      await Promise.all(held);
      expect(seen).toEqual(["INITIALIZING", "IDLE", "ACTIVE"]);
      const { events } = await here.states.getStateHistory({ agentId: "a" });
      expect(events.map(({ state }) => stateName(state))).toEqual(["UNKNOWN", "INITIALIZING", "IDLE", "ACTIVE"]);
    });

    it("have one history, paged through both, in which each continues the one before", async () => {
      const { here, there } = openSubject(deployment());
      await here.agents.registerAgent({ agentId: "a", initialState: State.IDLE });
      for (let i = 0; i < 20; i += 1) {
        await (i % 2 === 0 ? here : there).states.setState({
          agentId: "a",
          state: i % 2 === 0 ? State.ACTIVE : State.IDLE,
        });
      }
      const events = [];
      let pageToken = "";
      let turn = 0;
      do {
        const page = await (turn++ % 2 === 0 ? there : here).states.getStateHistory({
          agentId: "a",
          pageSize: 6,
          pageToken,
        });
        events.push(...page.events);
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
      expect(events).toHaveLength(21);
      for (const [i, { previous }] of events.entries()) {
        if (i > 0) expect(previous?.revision).toBe(events[i - 1]?.state?.revision);
      }
    });

    it("reported on a stream are answered in order, each with what became of it", async () => {
      const { here, there } = openSubject(deployment());
      await here.agents.registerAgent({ agentId: "a", initialState: State.IDLE });
      const stateOf = (i: number): State => (i === 50 ? State.UNKNOWN : i % 2 === 0 ? State.ACTIVE : State.IDLE);
      const reports = Readable.from(
        Array.from({ length: 100 }, (_, i) => ({ report: { agentId: "a", state: stateOf(i) } })),
      );
      const failed: bigint[] = [];
      let answers = 0;
      for await (const { index, result } of there.states.reportStates(reports)) {
        expect(index).toBe(BigInt(answers));
        answers += 1;
        if (result.case === "failed") failed.push(index);
      }
      expect({ answers, failed }).toEqual({ answers: 100, failed: [50n] });
      expect((await here.states.getState({ agentId: "a" })).state?.state).toBe(State.IDLE);
    });
  });
}
