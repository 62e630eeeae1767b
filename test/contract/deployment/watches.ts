import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { Liveness, State, WatchKind } from "../../../gen/opscore/v1/common_pb.js";
import { StateEvent_Type, type StateEvent } from "../../../gen/opscore/v1/state_service_pb.js";
import { openSubject, Reader, refusal, type Deployment } from "./subject.js";

const line = ({ type, state }: StateEvent): string =>
  `${state?.agentId} ${StateEvent_Type[type]} ${state === undefined ? "" : State[state.state]}`;

export function watchesContract(deployment: () => Deployment): void {
  describe("watches", () => {
    it("begin with what is there and go on with what the other replica commits", async () => {
      const { here, there } = openSubject(deployment());
      await here.agents.registerAgent({ agentId: "a", initialState: State.IDLE });
      await here.agents.registerAgent({ agentId: "b", initialState: State.ACTIVE });
      const watch = Reader.open((options) => there.states.watchState({ includeSnapshot: true }, options));
      const states = (await watch.synced()).flatMap((answer) => answer.states);
      expect(states.map(({ agentId, state }) => `${agentId} ${State[state]}`).sort()).toEqual(["a IDLE", "b ACTIVE"]);

      await here.states.setState({ agentId: "a", state: State.ACTIVE });
      await here.agents.updateAgent({
        agent: { agentId: "a", labels: { zone: "eu" } },
        updateMask: { paths: ["labels"] },
      });
      await here.agents.deregisterAgent({ agentId: "a" });
      expect((await watch.events(3)).map(line)).toEqual([
        "a TRANSITION ACTIVE",
        "a UPDATED ACTIVE",
        "a DEREGISTERED ACTIVE",
      ]);
    });

    it("join snapshot and events without a window, whenever they begin", async () => {
      const { here, there } = openSubject(deployment());
      await here.agents.registerAgent({ agentId: "a", initialState: State.IDLE });
      const commits = (async () => {
        for (let i = 0; i < 200; i += 1) {
          await here.states.setState({ agentId: "a", state: i % 2 === 0 ? State.ACTIVE : State.IDLE });
        }
        return here.states.setState({ agentId: "a", state: State.FINISHED });
      })();
      const watched = async (): Promise<void> => {
        const watch = Reader.open((options) => there.states.watchState({ includeSnapshot: true }, options));
        // What is committed while the snapshot is under way may come before SYNCED.
        const start = await watch.synced();
        let last = start.flatMap(({ states, events }) => [...states, ...events.map(({ state }) => state)]).at(-1);
        while (last?.state !== State.FINISHED) {
          for (const { state, previous } of await watch.events(1)) {
            expect(previous?.revision).toBe(last?.revision);
            last = state;
          }
        }
      };
      await Promise.all([commits, ...Array.from({ length: 10 }, watched)]);
    });

    it("are resumed by the other replica's token without a gap and without a repeat", async () => {
      const { here, there } = openSubject(deployment());
      await here.agents.registerAgent({ agentId: "a", initialState: State.IDLE });
      let watch = Reader.open((options) => here.states.watchState({ agentIds: ["a"] }, options));
      await watch.synced();
      const seen: StateEvent[] = [];
      for (let i = 0; i < 10; i += 1) {
        const writer = i % 2 === 0 ? there : here;
        await writer.states.setState({ agentId: "a", state: i % 2 === 0 ? State.ACTIVE : State.IDLE });
        const { token } = watch;
        watch = Reader.open((options) => writer.states.watchState({ agentIds: ["a"], resumeToken: token }, options));
        seen.push(...(await watch.events(1)));
      }
      const { events } = await here.states.getStateHistory({ agentId: "a" });
      expect(seen.map(({ state }) => state?.revision)).toEqual(events.slice(1).map(({ state }) => state?.revision));
    });

    it("refuse a token that was given for another filter, whoever gave it", async () => {
      const { here, there } = openSubject(deployment());
      const watch = Reader.open((options) => here.states.watchState({ agentIds: ["a"] }, options));
      await watch.synced();
      const other = Reader.open((options) =>
        there.states.watchState({ agentIds: ["b"], resumeToken: watch.token }, options),
      );
      expect(await refusal(other.synced())).toBe("INVALID_RESUME_TOKEN");
    });

    it("show an agent that leaves their filter leaving it, and say nothing of others", async () => {
      const { here, there } = openSubject(deployment());
      const filter = { labelSelector: "zone=eu", states: [State.ACTIVE] };
      const watch = Reader.open((options) => there.states.watchState(filter, options));
      await watch.synced();
      await here.agents.registerAgent({ agentId: "other", labels: { zone: "us" }, initialState: State.ACTIVE });
      await here.agents.registerAgent({ agentId: "a", labels: { zone: "eu" }, initialState: State.IDLE });
      await here.states.setState({ agentId: "a", state: State.ACTIVE });
      await here.states.setState({ agentId: "a", state: State.IDLE });
      await here.states.setState({ agentId: "a", state: State.ACTIVE });
      await here.agents.updateAgent({ agent: { agentId: "a" }, updateMask: { paths: ["labels"] } });
      expect((await watch.events(4)).map(line)).toEqual([
        "a TRANSITION ACTIVE",
        "a TRANSITION IDLE",
        "a TRANSITION ACTIVE",
        "a EXITED ACTIVE",
      ]);
    });

    it("see a lease end once each, and its renewal, though both replicas look", async () => {
      const { here, there } = openSubject(deployment());
      const watch = Reader.open((options) => there.states.watchState({ includeSnapshot: true }, options));
      await watch.synced();
      await here.agents.registerAgent({ agentId: "a", leaseTtl: durationFromMs(1000), initialState: State.IDLE });
      const [, suspect, lost] = await watch.events(3);
      expect([suspect, lost].map((event) => [event?.type, event?.state?.liveness])).toEqual([
        [StateEvent_Type.LIVENESS, Liveness.SUSPECT],
        [StateEvent_Type.LIVENESS, Liveness.LOST],
      ]);
      await here.states.setState({ agentId: "a", state: State.ACTIVE });
      const [back] = await watch.events(1);
      expect(back?.previous?.liveness).toBe(Liveness.LOST);
      expect(back?.state?.liveness).toBe(Liveness.ALIVE);
    });

    it("tell how far they are while nothing happens", async () => {
      const { there } = openSubject(deployment());
      const watch = Reader.open((options) =>
        there.states.watchState({ progressInterval: durationFromMs(1000) }, options),
      );
      await watch.synced();
      const [progress] = await watch.until(() => true);
      expect(progress?.kind).toBe(WatchKind.PROGRESS);
      expect(progress?.resumeToken).not.toBe("");
    });
  });
}
