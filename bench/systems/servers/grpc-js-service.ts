/** Implementations in Connect's form, as `@grpc/grpc-js` wants them. */
import { create, fromBinary, toBinary, type DescMessage, type DescService, type Message } from "@bufbuild/protobuf";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { createServiceImplSpec, type MethodImplSpec, type ServiceImpl } from "@connectrpc/connect";
import { createMethodUrl } from "@connectrpc/connect/protocol";
import type {
  handleBidiStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  MethodDefinition,
  ServiceDefinition,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import type { Gate } from "../../../src/interceptors/index.js";
import { GrpcJsCall } from "./grpc-js-call.js";
import { sendPushed } from "./grpc-js-push.js";
import { statusOf } from "./grpc-js-status.js";

type Answer = MessageInitShape<DescMessage>;
type Handler =
  | handleUnaryCall<Message, Answer>
  | handleServerStreamingCall<Message, Answer>
  | handleBidiStreamingCall<Message, Answer>;

export interface GrpcJsService {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

export function toGrpcJs<T extends DescService>(
  gate: Gate,
  desc: T,
  implementation: Partial<ServiceImpl<T>>,
): GrpcJsService {
  const definition: Record<string, MethodDefinition<Message, Answer>> = {};
  const handlers: Record<string, Handler> = {};
  for (const [name, spec] of Object.entries(createServiceImplSpec(desc, implementation).methods)) {
    definition[name] = toDefinition(spec);
    handlers[name] = toHandler(gate, spec);
  }
  return { definition, implementation: handlers };
}

function toDefinition({ kind, method }: MethodImplSpec): MethodDefinition<Message, Answer> {
  const write = (schema: DescMessage) => (message: Answer) =>
    Buffer.from(toBinary(schema, "$typeName" in message ? (message as Message) : create(schema, message)));
  return {
    path: createMethodUrl("/", method),
    requestStream: kind === "client_streaming" || kind === "bidi_streaming",
    responseStream: kind === "server_streaming" || kind === "bidi_streaming",
    requestDeserialize: (bytes) => fromBinary(method.input, bytes),
    requestSerialize: write(method.input),
    responseDeserialize: (bytes) => fromBinary(method.output, bytes),
    responseSerialize: write(method.output),
  };
}

function toHandler(gate: Gate, spec: MethodImplSpec): Handler {
  switch (spec.kind) {
    case "unary": {
      const handler: handleUnaryCall<Message, Answer> = (call, callback) => {
        const context = new GrpcJsCall(gate, spec.method, call);
        const fail = (thrown: unknown): void => callback(statusOf(context.failed(thrown)));
        const succeed = (answer: Answer): void => {
          context.succeeded();
          callback(null, answer);
        };
        try {
          context.enter(call.request);
          const answer = spec.impl(call.request, context);
          if (answer instanceof Promise) answer.then(succeed, fail);
          else succeed(answer);
        } catch (thrown) {
          fail(thrown);
        }
      };
      return handler;
    }
    case "server_streaming": {
      const handler: handleServerStreamingCall<Message, Answer> = (call) => {
        const context = new GrpcJsCall(gate, spec.method, call);
        sendPushed(context, call, () => {
          context.enter(call.request);
          return spec.impl(call.request, context);
        });
      };
      return handler;
    }
    case "bidi_streaming": {
      const handler: handleBidiStreamingCall<Message, Answer> = (call) => {
        const context = new GrpcJsCall(gate, spec.method, call);
        sendPushed(context, call, () => {
          context.enter(undefined);
          return spec.impl(call as AsyncIterable<Message>, context);
        });
      };
      return handler;
    }
    case "client_streaming":
      throw new Error(`${spec.method.name}: no service has such a method`);
  }
}
