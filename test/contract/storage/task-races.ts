import { describe, expect, it } from "vitest";
import { SessionStatus, State, TaskStatus } from "../../../src/storage/records.js";
import { aRegistration, aSessionUpdate, NAMESPACE } from "../../helpers/records.js";
import {
  AGENT,
  aCancellation,
  aChain,
  aCompletion,
  aFailure,
  aLease,
  aRelease,
  aRenewal,
  aReservation,
  aRun,
  aTask,
  aTaskKey,
  aWorkflow,
  RETRY,
  SESSION,
  TASK_LEASE_MS,
} from "../../helpers/tasks.js";
import { attempt, present, times, useStorage, type StorageFactory } from "./harness.js";
import { CALLERS, race, tally } from "./racing.js";

/** Commands about tasks from many callers at once: one order of them explains what all of them saw. */
export function taskRacesContract(factory: StorageFactory): void {
  describe("races for tasks", () => {
    const subject = useStorage(factory);

    it("give an attempt to one of many agents", async () => {
      await subject.storage.startSession(aRun([aTask("t")]));
      await subject.changes();
      const outcomes = await race(subject, (on, caller) => on.leaseTask(aLease("t", 1, { agentId: `a-${caller}` })));
      expect(tally(outcomes)).toEqual({ OK: 1, STALE_ATTEMPT: CALLERS - 1 });
      const winner = present(outcomes.find(({ value }) => value !== undefined)?.value);
      expect(await subject.storage.getTask(aTaskKey("t"))).toEqual(winner);
      expect(await subject.events()).toEqual(["TASK s/t: READY>LEASED", "UPDATED s: STARTED>RUNNING"]);
    });

    it("give the same lease to all who ask for the same", async () => {
      await subject.storage.startSession(aRun([aTask("t")]));
      const outcomes = await race(subject, (on) => on.leaseTask(aLease("t")));
      const [first] = outcomes;
      for (const { value } of outcomes) expect(value).toEqual(first?.value);
      expect(await subject.events()).toHaveLength(4);
    });

    it("take one of many answers to an attempt", async () => {
      await subject.storage.startSession(aRun([...aChain("t", "u")]));
      await subject.storage.leaseTask(aLease("t"));
      await subject.changes();
      const outcomes = await race(subject, (on, caller) =>
        on.completeTask(aCompletion("t", 1, { result: { caller } })),
      );
      expect(tally(outcomes)).toEqual({ OK: CALLERS });
      const task = present(await subject.storage.getTask(aTaskKey("t")));
      for (const { value } of outcomes) expect(value).toEqual(task);
      expect(await subject.events()).toEqual(["TASK s/t: LEASED>COMPLETED", "TASK s/u: PENDING>READY"]);
    });

    it("end an attempt once, as completed, failed, called off or expired", async () => {
      await subject.storage.startSession(aRun([aTask("t"), aTask("u")]));
      await subject.storage.leaseTask(aLease("t"));
      await subject.advance(TASK_LEASE_MS);
      await subject.changes();
      const outcomes = await race<unknown>(subject, (on, caller) => {
        switch ((caller >> 1) % 4) {
          case 0:
            return on.expireTasks({ jitter: 0 });
          case 1:
            return on.completeTask(aCompletion("t"));
          case 2:
            return on.failTask(aFailure("t"));
          default:
            return on.cancelTask(aCancellation("t"));
        }
      });
      for (const { failure } of outcomes) expect([undefined, "STALE_ATTEMPT", "TASK_ENDED"]).toContain(failure?.reason);
      const events = await subject.events();
      // What made it READY again did not end it: a call-off may follow.
      expect([
        ["TASK s/t: LEASED>COMPLETED"],
        ["TASK s/t: LEASED>CANCELLED"],
        ["TASK s/t: LEASED>READY", "TASK s/t: READY>CANCELLED"],
      ]).toContainEqual(events);
    });

    it("take either a completion or its expiry", async () => {
      const sessions = times(10, (index) => `s-${index}`);
      for (const sessionId of sessions) {
        await subject.storage.startSession(aRun([aTask("t", { retry: { ...RETRY, maxAttempts: 1 } })], { sessionId }));
        await subject.storage.leaseTask(aLease("t", 1, { sessionId }));
      }
      await subject.advance(TASK_LEASE_MS);
      const [expired, ...completed] = await Promise.all([
        subject.replica.expireTasks({ jitter: 0 }),
        ...sessions.map((sessionId) => attempt(() => subject.storage.completeTask(aCompletion("t", 1, { sessionId })))),
      ]);
      let failures = 0;
      for (const [index, sessionId] of sessions.entries()) {
        const task = present(await subject.storage.getTask(aTaskKey("t", { sessionId })));
        const wasTaken = completed[index]?.failure === undefined;
        expect(task.status).toBe(wasTaken ? TaskStatus.COMPLETED : TaskStatus.FAILED);
        const session = await subject.storage.getSession({ namespace: NAMESPACE, sessionId });
        expect(session?.status).toBe(wasTaken ? SessionStatus.COMPLETED : SessionStatus.FAILED);
        if (!wasTaken) failures += 1;
      }
      expect(expired).toBe(failures);
    });

    it("expire an attempt once, however many sweep", async () => {
      await subject.storage.startSession(aRun([aTask("t")]));
      await subject.storage.leaseTask(aLease("t"));
      await subject.changes();
      await subject.advance(TASK_LEASE_MS);
      const outcomes = await race(subject, (on) => on.expireTasks({ jitter: 0 }));
      expect(outcomes.reduce((sum, { value }) => sum + present(value), 0)).toBe(1);
      expect(await subject.events()).toEqual(["TASK s/t: LEASED>READY"]);
    });

    it("let a renewal win, or the expiry, but not both", async () => {
      await subject.storage.startSession(aRun([aTask("t")]));
      await subject.storage.leaseTask(aLease("t"));
      await subject.advance(TASK_LEASE_MS);
      await subject.changes();
      const outcomes = await race<unknown>(subject, (on, caller) =>
        caller % 4 < 2 ? on.expireTasks({ jitter: 0 }) : on.renewTask(aRenewal("t")),
      );
      const renewed = outcomes.filter(({ failure }, caller) => caller % 4 >= 2 && failure === undefined).length;
      const events = await subject.events();
      expect(events).toEqual(renewed > 0 ? [] : ["TASK s/t: LEASED>READY"]);
    });

    it("join once, whichever of many dependencies completes last", async () => {
      const ids = times(CALLERS, (index) => `t-${index}`);
      await subject.storage.startSession(
        aRun([...ids.map((id) => aTask(id)), aTask("join", { dependsOn: ids }), aTask("open")]),
      );
      for (const id of ids) await subject.storage.leaseTask(aLease(id));
      await subject.changes();
      await race(subject, (on, caller) => on.completeTask(aCompletion(`t-${caller}`, 1, { result: { caller } })));
      const events = await subject.events();
      expect(events.filter((event) => event === "TASK s/join: PENDING>READY")).toHaveLength(1);
      expect(events.at(-1)).toBe("TASK s/join: PENDING>READY");
      const { inputs } = present(await subject.storage.getTask(aTaskKey("join")));
      expect(inputs).toEqual(Object.fromEntries(ids.map((id, caller) => [id, { caller }])));
    });

    it("end a session once, with its last task or by hand", async () => {
      const ids = times(CALLERS, (index) => `t-${index}`);
      await subject.storage.startSession(aRun(ids.map((id) => aTask(id))));
      for (const id of ids) await subject.storage.leaseTask(aLease(id));
      await subject.changes();
      const outcomes = await race<unknown>(subject, (on, caller) =>
        caller === 13
          ? on.updateSession(aSessionUpdate(SESSION, { status: SessionStatus.CANCELLED }))
          : on.completeTask(aCompletion(`t-${caller}`)),
      );
      expect(outcomes[13]?.failure).toBeUndefined();
      const ends = (await subject.events()).filter((event) => event.startsWith("ENDED"));
      expect(ends).toEqual(["ENDED s: RUNNING>CANCELLED"]);
      for (const [caller, { failure }] of outcomes.entries()) {
        const task = present(await subject.storage.getTask(aTaskKey(`t-${caller}`)));
        const wasTaken = caller !== 13 && failure === undefined;
        expect(task.status).toBe(wasTaken ? TaskStatus.COMPLETED : TaskStatus.CANCELLED);
      }
    });

    it("take a task out of the dead letter once", async () => {
      await subject.storage.startSession(aRun([aTask("t")]));
      await subject.storage.leaseTask(aLease("t"));
      await subject.storage.failTask(aFailure("t", 1, { permanent: true }));
      await subject.changes();
      expect(tally(await race(subject, (on) => on.retryTask(aTaskKey("t"))))).toEqual({
        OK: 1,
        STATE_MISMATCH: CALLERS - 1,
      });
      expect(await subject.events()).toEqual(["TASK s/t: FAILED>READY", "UPDATED s: FAILED>RUNNING"]);
    });

    it("give the last slot to one of many", async () => {
      await subject.storage.registerAgent(aRegistration(AGENT, { initialState: State.IDLE, maxConcurrentTasks: 3 }));
      await subject.storage.reserveSlot(aReservation("first"));
      const outcomes = await race(subject, (on, caller) => on.reserveSlot(aReservation(`t-${caller}`)));
      const kinds = outcomes.map(({ value }) => value?.kind);
      expect(kinds.filter((kind) => kind === "reserved")).toHaveLength(2);
      expect(kinds.filter((kind) => kind === "full")).toHaveLength(CALLERS - 2);
    });

    it("never give more slots than there are while some are released", async () => {
      await subject.storage.registerAgent(aRegistration(AGENT, { initialState: State.IDLE }));
      let held = 0;
      await race(subject, async (on, caller) => {
        const taskId = `t-${caller}`;
        for (let tries = 0; tries < 5; tries += 1) {
          const outcome = await on.reserveSlot(aReservation(taskId));
          if (outcome.kind !== "reserved") continue;
          held += 1;
          await on.getAgent({ namespace: NAMESPACE, agentId: AGENT });
          expect(held).toBe(1);
          held -= 1;
          await on.releaseSlot(aRelease(taskId));
        }
      });
      expect(await subject.storage.reserveSlot(aReservation("after"))).toMatchObject({ kind: "reserved" });
    });

    it("let one of many store a definition in the place of the one that all have read", async () => {
      const { workflow } = await subject.storage.putWorkflow(aWorkflow("w"));
      const outcomes = await race(subject, (on, caller) =>
        on.putWorkflow(aWorkflow("w", { version: `${caller}`, expectedRevision: workflow.revision })),
      );
      expect(tally(outcomes)).toEqual({ OK: 1, STATE_MISMATCH: CALLERS - 1 });
    });

    it("make a session with its tasks once", async () => {
      const outcomes = await race(subject, (on) => on.startSession(aRun([aTask("t"), aTask("u")])));
      expect(tally(outcomes)).toEqual({ OK: 1, SESSION_ALREADY_EXISTS: CALLERS - 1 });
      expect(await subject.events()).toHaveLength(3);
    });
  });
}
