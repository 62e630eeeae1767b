/** A client of `@grpc/grpc-js`: unary calls, a watch and a stream of reports, some of it cancelled. */
import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { fromBinary, toBinary, create } from "@bufbuild/protobuf";
import { expect } from "vitest";
import { RegisterAgentRequestSchema } from "../../../gen/opscore/v1/agent_service_pb.js";
import {
  GetStateHistoryRequestSchema,
  GetStateHistoryResponseSchema,
  ReportStatesRequestSchema,
  ReportStatesResponseSchema,
  SetStateRequestSchema,
  SetStateResponseSchema,
  WatchStateRequestSchema,
} from "../../../gen/opscore/v1/state_service_pb.js";
import { HUNG_MS, type Ledger } from "./callers.js";

const REPORTS = 60;
const CANCELLED = 1;
const asIs = (bytes: Buffer): Buffer => bytes;
const bytesOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes);

export async function callByGrpcJs(port: number, ledger: Ledger): Promise<void> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
  const deadline = Date.now() + HUNG_MS;
  const unary = (path: string, request: Buffer): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(path, asIs, asIs, request, { deadline }, (error, answer) => {
        if (error === null && answer !== undefined) resolve(answer);
        else reject(error ?? new Error("no answer"));
      });
    });
  try {
    const { agentId } = ledger;
    const registration = create(RegisterAgentRequestSchema, { agentId, keepState: true });
    await unary("/opscore.v1.AgentService/RegisterAgent", bytesOf(toBinary(RegisterAgentRequestSchema, registration)));

    const request = create(WatchStateRequestSchema, { agentIds: [agentId] });
    const watch = client.makeServerStreamRequest(
      "/opscore.v1.StateService/WatchState",
      asIs,
      asIs,
      bytesOf(toBinary(WatchStateRequestSchema, request)),
      { deadline },
    );
    const cancelled = new Promise<number>((resolve) => watch.once("error", ({ code }: ServiceError) => resolve(code)));
    // The second message is an event.
    let messages = 0;
    watch.on("data", () => {
      messages += 1;
      if (messages === 2) watch.cancel();
    });

    for (let i = 0; i < REPORTS; i += 1) {
      const report = ledger.next();
      const bytes = bytesOf(toBinary(SetStateRequestSchema, create(SetStateRequestSchema, report)));
      const answer = fromBinary(SetStateResponseSchema, await unary("/opscore.v1.StateService/SetState", bytes));
      if (answer.changed) ledger.took(report.message);
    }
    expect(await cancelled).toBe(CANCELLED);
    await reportStream(client, ledger, deadline);
    await ledger.check(async (page) => {
      const bytes = bytesOf(toBinary(GetStateHistoryRequestSchema, page));
      return fromBinary(GetStateHistoryResponseSchema, await unary("/opscore.v1.StateService/GetStateHistory", bytes));
    });
  } finally {
    client.close();
  }
}

function reportStream(client: Client, ledger: Ledger, deadline: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = client.makeBidiStreamRequest("/opscore.v1.StateService/ReportStates", asIs, asIs, { deadline });
    const sent: string[] = [];
    stream.on("data", (bytes: Buffer) => {
      const { index, result } = fromBinary(ReportStatesResponseSchema, bytes);
      if (result.case === "accepted" && result.value.changed) ledger.took(sent[Number(index)] ?? "");
    });
    stream.on("error", reject).on("end", resolve);
    for (let i = 0; i < REPORTS; i += 1) {
      const report = ledger.next();
      sent.push(report.message);
      stream.write(bytesOf(toBinary(ReportStatesRequestSchema, create(ReportStatesRequestSchema, { report }))));
    }
    stream.end();
  });
}
