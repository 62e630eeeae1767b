/**
 * `grpc.reflection.v1` and `v1alpha`: what the server serves, as descriptors, for tools such as grpcurl. The two versions differ
 * in nothing but their name.
 */
import { toBinary, type DescFile, type DescService } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import type { ServerReflectionRequest as RequestV1 } from "../../../gen/grpc/reflection/v1/reflection_pb.js";
import type { ServerReflectionRequest as RequestV1Alpha } from "../../../gen/grpc/reflection/v1alpha/reflection_pb.js";
import { serverStopping } from "../../errors/index.js";
import { DescriptorIndex, withDependencies } from "./descriptor-index.js";
import type { Readiness } from "./readiness.js";

type Request = RequestV1 | RequestV1Alpha;

/** What a request is answered with, as both versions take it. */
type Answer =
  | { case: "fileDescriptorResponse"; value: { fileDescriptorProto: Uint8Array[] } }
  | { case: "allExtensionNumbersResponse"; value: { baseTypeName: string; extensionNumber: number[] } }
  | { case: "listServicesResponse"; value: { service: { name: string }[] } }
  | { case: "errorResponse"; value: { errorCode: number; errorMessage: string } };

/** @param services that are served; asked for with each question, so that they may name the reflection services too */
export function createReflection(services: () => readonly DescService[], readiness: Readiness) {
  let index: DescriptorIndex | undefined;

  return {
    async *serverReflectionInfo<R extends Request>(requests: AsyncIterable<R>) {
      for await (const request of untilStopping(requests, readiness)) {
        yield { validHost: request.host, originalRequest: request, messageResponse: answer(request) };
      }
    },
  };

  function answer({ messageRequest: query }: Request): Answer {
    index ??= new DescriptorIndex(services());
    switch (query.case) {
      case "fileByFilename":
        return files(index.fileByName(query.value), query.value);
      case "fileContainingSymbol":
        return files(index.fileContaining(query.value), query.value);
      case "fileContainingExtension":
        return notFound(`extension ${query.value.extensionNumber} of ${query.value.containingType}`);
      case "allExtensionNumbersOfType":
        // No served message is extended.
        if (index.fileContaining(query.value) === undefined) return notFound(query.value);
        return { case: "allExtensionNumbersResponse", value: { baseTypeName: query.value, extensionNumber: [] } };
      case "listServices":
        return {
          case: "listServicesResponse",
          value: { service: services().map(({ typeName }) => ({ name: typeName })) },
        };
      case undefined:
        return failure(Code.InvalidArgument, "message_request must be set");
    }
  }
}

/** The requests, until the client or the server stops. A tool may keep its stream open for as long as its window. */
async function* untilStopping<R>(requests: AsyncIterable<R>, readiness: Readiness): AsyncGenerator<R> {
  const iterator = requests[Symbol.asyncIterator]();
  let stop: (() => void) | undefined;
  const forget = readiness.onChange(() => {
    if (readiness.stopping) stop?.();
  });
  // Not by a race with one promise that lasts as long as the stream: that would keep every request that it was raced with.
  const next = (): Promise<IteratorResult<R> | undefined> =>
    new Promise((resolve, reject) => {
      stop = () => resolve(undefined);
      iterator.next().then(resolve, reject);
    });
  try {
    for (;;) {
      const result = readiness.stopping ? undefined : await next();
      if (result === undefined) throw serverStopping();
      if (result.done === true) return;
      yield result.value;
    }
  } finally {
    forget();
  }
}

/** A file with all that it needs, so that a client need not ask again. */
function files(file: DescFile | undefined, name: string): Answer {
  if (file === undefined) return notFound(name);
  return {
    case: "fileDescriptorResponse",
    value: {
      fileDescriptorProto: withDependencies(file).map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto)),
    },
  };
}

function notFound(name: string): Answer {
  return failure(Code.NotFound, `${name} is not known`);
}

function failure(code: Code, message: string): Answer {
  return { case: "errorResponse", value: { errorCode: code, errorMessage: message } };
}
