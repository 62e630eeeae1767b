/** Reflection, asked by grpc-js with its own copy of the reflection protos. */
import { create } from "@bufbuild/protobuf";
import type { ClientDuplexStream } from "@grpc/grpc-js";
import { loadFileDescriptorSetFromBuffer } from "@grpc/proto-loader";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import {
  ServerReflectionRequestSchema,
  type ServerReflectionRequest,
} from "../../gen/grpc/reflection/v1/reflection_pb.js";
import { createReflection } from "../../src/transport/standard/reflection.js";
import { Readiness } from "../../src/transport/standard/readiness.js";
import { collectGarbage } from "../helpers/garbage.js";
import { DynamicClient, dynamicClient, LOAD_OPTIONS } from "../helpers/grpc-js.js";
import { startServer, type TestServer } from "../helpers/server.js";

interface Answer {
  readonly file_descriptor_response?: { readonly file_descriptor_proto: readonly Buffer[] };
  readonly list_services_response?: { readonly service: readonly { readonly name: string }[] };
  readonly all_extension_numbers_response?: { readonly base_type_name: string; readonly extension_number: number[] };
  readonly error_response?: { readonly error_code: number; readonly error_message: string };
  readonly original_request: object;
}

class ReflectionClient {
  private readonly answers: AsyncIterator<unknown>;

  constructor(private readonly stream: ClientDuplexStream<object, unknown>) {
    this.answers = stream[Symbol.asyncIterator]();
  }

  ask(request: object): Promise<Answer> {
    this.stream.write(request);
    return this.read();
  }

  async read(): Promise<Answer> {
    const result: IteratorResult<unknown> = await this.answers.next();
    return result.value as Answer;
  }

  close(): void {
    this.stream.end();
  }
}

describe.each(["v1", "v1alpha"])("grpc.reflection.%s", (version) => {
  const start = async (): Promise<TestServer & { reflection: ReflectionClient }> => {
    const running = await startServer();
    const service = `grpc.reflection.${version}.ServerReflection`;
    const client = dynamicClient(running.port, service, `grpc/reflection/${version}/reflection.proto`);
    return { ...running, reflection: new ReflectionClient(client.bidi("ServerReflectionInfo")) };
  };

  it("lists every service", async () => {
    const { reflection } = await start();
    const { list_services_response: list } = await reflection.ask({ list_services: "" });
    expect(list?.service.map(({ name }) => name).sort()).toEqual([
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
      "opscore.v1.AgentService",
      "opscore.v1.SessionService",
      "opscore.v1.StateService",
      "opscore.v1.TaskService",
      "opscore.v1.WebhookService",
      "opscore.v1.WorkflowService",
    ]);
    reflection.close();
  });

  it("gives all that a client needs to call a service it has never heard of", async () => {
    const { port, reflection } = await start();
    const answer = await reflection.ask({ file_containing_symbol: "opscore.v1.AgentService" });
    reflection.close();
    const set = descriptorSet(answer.file_descriptor_response?.file_descriptor_proto ?? []);
    const definition = loadFileDescriptorSetFromBuffer(set, LOAD_OPTIONS);
    const client = new DynamicClient(definition, "opscore.v1.AgentService", port);
    const registered = await client.unary("RegisterAgent", { agent_id: "a", lease_ttl: { seconds: 30 } });
    expect(registered).toMatchObject({ created: true, agent: { agent_id: "a", lease_ttl: { seconds: "30" } } });
  });

  it.each([
    "opscore.v1.StateService.SetState",
    "opscore.v1.SetStateRequest",
    "opscore.v1.SetStateRequest.agent_id",
    "opscore.v1.ReportStatesResponse.result",
    "opscore.v1.StateEvent.Type",
    "opscore.v1.StateEvent.TYPE_REGISTERED",
    "opscore.v1.STATE_IDLE",
    "google.protobuf.Timestamp",
  ])("finds %s", async (symbol) => {
    const { reflection } = await start();
    const request = { file_containing_symbol: symbol };
    const answer = await reflection.ask(request);
    expect(answer.file_descriptor_response?.file_descriptor_proto.length).toBeGreaterThan(0);
    expect(answer.original_request).toMatchObject(request);
    reflection.close();
  });

  it("ends when the server stops", async () => {
    const { server, reflection } = await start();
    await reflection.ask({ list_services: "" });
    const ended = expect(reflection.read()).rejects.toMatchObject({ code: 14 });
    await server.close();
    await ended;
  });

  it("finds a file by its name, and says what it does not find without ending the stream", async () => {
    const { reflection } = await start();
    const { error_response: noFile } = await reflection.ask({ file_by_filename: "nope.proto" });
    expect(noFile).toMatchObject({ error_code: 5, error_message: "nope.proto is not known" });
    const { error_response: noSymbol } = await reflection.ask({ file_containing_symbol: "opscore.v1.Nope" });
    expect(noSymbol).toMatchObject({ error_code: 5 });
    const { error_response: noExtension } = await reflection.ask({
      file_containing_extension: { containing_type: "opscore.v1.Agent", extension_number: 100 },
    });
    expect(noExtension).toMatchObject({ error_code: 5 });
    const { error_response: nothing } = await reflection.ask({});
    expect(nothing).toMatchObject({ error_code: 3 });
    const { all_extension_numbers_response: none } = await reflection.ask({
      all_extension_numbers_of_type: "opscore.v1.Agent",
    });
    expect(none).toEqual({ base_type_name: "opscore.v1.Agent", extension_number: [] });
    const { file_descriptor_response: files } = await reflection.ask({ file_by_filename: "opscore/v1/common.proto" });
    // Itself, with the well-known types that it uses.
    expect(files?.file_descriptor_proto).toHaveLength(4);
    reflection.close();
  });
});

it("keeps nothing of the requests that it has answered, however many a client sends on one stream", async () => {
  const readiness = new Readiness(() => true);
  const asked: WeakRef<object>[] = [];
  let kept = 0;
  async function* requests(): AsyncGenerator<ServerReflectionRequest> {
    for (let count = 0; count < 100; count += 1) {
      const request = create(ServerReflectionRequestSchema, { messageRequest: { case: "listServices", value: "" } });
      asked.push(new WeakRef(request));
      yield request;
    }
    await nextTurn();
    collectGarbage();
    kept = asked.filter((request) => request.deref() !== undefined).length;
  }
  let answered = 0;
  for await (const { originalRequest } of createReflection(() => [], readiness).serverReflectionInfo(requests())) {
    answered += Number(originalRequest.messageRequest.case === "listServices");
  }
  readiness.stop();
  expect(answered).toBe(100);
  // The last one may still be on its way.
  expect(kept).toBeLessThan(10);
});

/** `google.protobuf.FileDescriptorSet`: the files as its one repeated field, number 1. */
function descriptorSet(files: readonly Buffer[]): Buffer {
  return Buffer.concat(files.flatMap((file) => [Buffer.from([0x0a, ...varint(file.length)]), file]));
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}
