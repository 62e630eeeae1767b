/** The service that the lanes are tried with: every kind of RPC, and messages that are nothing but bytes. */
import {
  create,
  createFileRegistry,
  fromBinary,
  toBinary,
  type DescMethod,
  type DescService,
} from "@bufbuild/protobuf";
import {
  BytesValueSchema,
  file_google_protobuf_wrappers,
  FileDescriptorProtoSchema,
  type BytesValue,
} from "@bufbuild/protobuf/wkt";

/** The kinds of RPC, by the name of the method that has that kind. */
export type Kind = "Unary" | "ServerStream" | "ClientStream" | "Bidi";

/** Declared, but nobody implements it. */
export const ABSENT = "Absent";

const TYPE = `.${BytesValueSchema.typeName}`;

export const Probe: DescService = describe();

function describe(): DescService {
  const method = (name: string, clientStreaming: boolean, serverStreaming: boolean) => ({
    name,
    inputType: TYPE,
    outputType: TYPE,
    clientStreaming,
    serverStreaming,
  });
  const file = create(FileDescriptorProtoSchema, {
    name: "lanes/v1/probe.proto",
    package: "lanes.v1",
    syntax: "proto3",
    dependency: [file_google_protobuf_wrappers.proto.name],
    service: [
      {
        name: "Probe",
        method: [
          method("Unary", false, false),
          method("ServerStream", false, true),
          method("ClientStream", true, false),
          method("Bidi", true, true),
          method(ABSENT, false, false),
        ],
      },
    ],
  });
  const service = createFileRegistry(file, () => file_google_protobuf_wrappers).getService("lanes.v1.Probe");
  if (service === undefined) throw new Error("the descriptor has no service");
  return service;
}

export function methodOf(kind: Kind): DescMethod {
  const method = Probe.methods.find(({ name }) => name === kind);
  if (method === undefined) throw new Error(`no method ${kind}`);
  return method;
}

export function pathOf(method: string): string {
  return `/${Probe.typeName}/${method}`;
}

export type Content = string | Uint8Array;

/** A message with this content. */
export function message(content: Content): BytesValue {
  return create(BytesValueSchema, { value: typeof content === "string" ? Buffer.from(content) : content });
}

export function encode(value: BytesValue): Buffer {
  return Buffer.from(toBinary(BytesValueSchema, value));
}

export function decode(bytes: Uint8Array): BytesValue {
  return fromBinary(BytesValueSchema, bytes);
}

export function textOf({ value }: BytesValue): string {
  return Buffer.from(value).toString();
}
