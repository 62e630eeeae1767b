import type { JsonObject as WireStruct } from "@bufbuild/protobuf";
import type { JsonObject } from "../../lib/json.js";

/**
 * Free data as the `google.protobuf.Struct` of a message. The message shares the record's object instead of copying it: messages
 * made from records are only ever serialised, never changed.
 */
export function toStruct(data: JsonObject | undefined): WireStruct | undefined {
  return data as WireStruct | undefined;
}
