import { toJson, type DescMessage, type JsonValue, type MessageShape } from "@bufbuild/protobuf";

/**
 * A message of the API as its own JSON: names, enumerations and times as HTTP clients get them. Fields that are empty are there, so
 * that programs need not ask.
 */
export function apiJson<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): JsonValue {
  return toJson(schema, message, { alwaysEmitImplicit: true });
}
