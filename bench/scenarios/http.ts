import { create, fromBinary } from "@bufbuild/protobuf";
import { SetStateResponseSchema } from "../../gen/opscore/v1/state_service_pb.js";
import { PutWorkflowRequestSchema, WorkflowSchema } from "../../gen/opscore/v1/workflow_service_pb.js";
import { percentile } from "../harness/statistics.js";
import { call } from "../load/call.js";
import { ClosedLoop } from "../load/closed-loop.js";
import { Connections } from "../load/connections.js";
import { cpuPer } from "../load/cpu.js";
import { JsonMix, JsonReports, WORKFLOW_ID } from "../load/dialects/http.js";
import { encode, report, STATES } from "../load/dialects/opscore.js";
import { HttpConnections } from "../load/http1/connections.js";
import type { Connection } from "../load/http2/connection.js";
import { measureRate } from "../load/unary.js";
import { Users, type Pause } from "../load/users.js";
import type { Load, Pace, Scenario, Target } from "../scenario.js";
import { atLeast, atMost } from "./claims.js";

const CONNECTIONS = 50;
const USERS = 500;
/** A tenth of the pause that such users are known to make, so that there is something to measure. */
const PAUSE: Pause = [500, 1_000];
const PAUSING = "with pauses";

/** Ten times what the service took that this API comes from, on two cores. */
const REPORTS_PER_SECOND = 6_400;
/** What that service needed at a tenth of this pace, in milliseconds. */
const OLDER_P99_MS = 230;

export const httpReports: Scenario = {
  name: "http-reports",
  title: "State reports over plain HTTP",
  description: `${CONNECTIONS} agents, each on a connection of its own that is kept, POST their next state as JSON over HTTP/1.1 once the one before is answered. That all were commits is read from the revision.`,
  cases: [{ name: "opscore", system: "opscore", server: { agents: CONNECTIONS + 1 }, open: openReports }],
  claims: [atLeast(REPORTS_PER_SECOND, "state reports over plain HTTP", "rate", "opscore")],
};

export const httpMix: Scenario = {
  name: "http-mix",
  title: "500 users over plain HTTP",
  description: `${USERS} users, each on a connection of its own: 80 % state reports, 15 % reads of a state, 5 % triggers of a workflow of two tasks. Without pauses: how many requests are answered. With pauses of ${PAUSE[0] / 1000} to ${PAUSE[1] / 1000} s: how long each takes.`,
  cases: [
    { name: "without pauses", system: "opscore", server: { agents: USERS }, open: openMix },
    { name: PAUSING, system: "opscore", server: { agents: USERS }, open: openUsers },
  ],
  claims: [atMost(OLDER_P99_MS, "500 users over plain HTTP, 99th percentile", "p99Ms", PAUSING)],
};

async function openReports(target: Target, pace: Pace): Promise<Load> {
  const connections = await HttpConnections.open(target, CONNECTIONS);
  const loop = new ClosedLoop(connections, new JsonReports(), CONNECTIONS);
  const grpc = await Connections.open(target, 1);
  let rounds = 0;
  const mark = (): Promise<number> => revisionAfter(grpc.for(0), CONNECTIONS, (rounds += 1));
  await loop.times(pace.warmUp);
  return {
    async measure() {
      const before = await mark();
      let requests = 0;
      const since = performance.now();
      const run = async (): Promise<number> => (requests = (await loop.forSeconds(pace.seconds)).operations);
      const { cpu } = await cpuPer(target.pid, run, (count) => count);
      const seconds = (performance.now() - since) / 1000;
      // The one that tells is a commit as well.
      const commits = (await mark()) - before - 1;
      if (commits !== requests) throw new Error(`${requests} reports were ${commits} commits`);
      return { rate: requests / seconds, ...cpu };
    },
    close() {
      connections.close();
      grpc.close();
      return Promise.resolve();
    },
  };
}

async function openMix(target: Target, pace: Pace): Promise<Load> {
  await putWorkflow(target);
  const connections = await HttpConnections.open(target, USERS);
  const loop = new ClosedLoop(connections, new JsonMix(), USERS);
  await loop.times(pace.warmUp);
  return {
    measure: () => measureRate(target, pace, loop),
    close() {
      connections.close();
      return Promise.resolve();
    },
  };
}

async function openUsers(target: Target, pace: Pace): Promise<Load> {
  await putWorkflow(target);
  const connections = await HttpConnections.open(target, USERS);
  const mix = new JsonMix();
  await new ClosedLoop(connections, mix, USERS).times(pace.warmUp);
  const users = new Users(connections, mix, USERS, PAUSE);
  return {
    async measure() {
      const times = await users.forSeconds(Math.max(pace.seconds, (2 * PAUSE[1]) / 1000));
      return { p50Ms: percentile(times, 0.5), p99Ms: percentile(times, 0.99) };
    },
    close() {
      connections.close();
      return Promise.resolve();
    },
  };
}

async function putWorkflow(target: Target): Promise<void> {
  const connections = await Connections.open(target, 1);
  const tasks = [{ taskId: "step_1" }, { taskId: "step_2", dependsOn: ["step_1"] }];
  const workflow = create(WorkflowSchema, { workflowId: WORKFLOW_ID, tasks });
  const request = encode(PutWorkflowRequestSchema, { workflow });
  await call(connections.for(0), "/opscore.v1.WorkflowService/PutWorkflow", request);
  connections.close();
}

/** Makes a commit that nobody else makes. @returns its revision */
function revisionAfter(connection: Connection, agent: number, round: number): Promise<number> {
  return new Promise((resolve, reject) => {
    connection.call(`${STATES}/SetState`, report(agent, round), true, {
      message: (bytes, start, end) => {
        resolve(Number(fromBinary(SetStateResponseSchema, bytes.subarray(start, end)).state?.revision));
      },
      ended: () => {
        // What was answered before stays answered.
        reject(new Error("a commit failed"));
      },
    });
  });
}
