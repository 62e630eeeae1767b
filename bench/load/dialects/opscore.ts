import { create, toBinary, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { State } from "../../../gen/opscore/v1/common_pb.js";
import {
  GetStateRequestSchema,
  SetStateRequestSchema,
  WatchStateRequestSchema,
} from "../../../gen/opscore/v1/state_service_pb.js";
import { agentId, API_KEY } from "../../systems/population.js";
import { countFields } from "../protobuf.js";
import type { Dialect, Operation, Watching } from "./dialect.js";

const SERVICE = "/opscore.v1.StateService";
/** `changed: true`, the last field of a SetStateResponse. */
const CHANGED = [0x10, 0x01] as const;
/** `kind: WATCH_KIND_SYNCED`, the first field of a WatchStateResponse. */
const SYNCED = [0x08, 0x02] as const;
const EVENTS_FIELD = 2;
const SEQUENCE_TAG = 9 << 3;

export const opscore: Dialect = {
  headers: [["authorization", `Bearer ${API_KEY}`]],
  commit: () => new SetStates(),
  read: () => new GetStates(),
  watchAll: () => watching({}),
};

/** A watch of some agents. */
export function watchAgents(agentIds: readonly string[]): Watching {
  return watching({ agentIds: [...agentIds] });
}

/** IDLE and ACTIVE in turn, each report with the next sequence. */
export class SetStates implements Operation {
  readonly path = `${SERVICE}/SetState`;
  private readonly callers: { readonly reports: readonly Uint8Array[]; sequence: number }[] = [];

  request(caller: number): Uint8Array {
    const state = (this.callers[caller] ??= { reports: reportsOf(caller), sequence: 1 });
    const sequence = state.sequence++;
    // Odd ones are ACTIVE: agents begin IDLE.
    const report = state.reports[sequence % 2];
    if (report === undefined) throw new Error("there are two reports");
    return withSequence(report, sequence);
  }

  isDone(bytes: Buffer, _start: number, end: number): boolean {
    return bytes[end - 2] === CHANGED[0] && bytes[end - 1] === CHANGED[1];
  }
}

function reportsOf(caller: number): Uint8Array[] {
  return [State.IDLE, State.ACTIVE].map((state) => encode(SetStateRequestSchema, { agentId: agentId(caller), state }));
}

/** Appends field 9, so that the rest need not be encoded again. */
function withSequence(report: Uint8Array, sequence: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(report.length + 6);
  bytes.set(report);
  let at = report.length;
  bytes[at++] = SEQUENCE_TAG;
  let rest = sequence;
  for (; rest > 127; rest >>>= 7) bytes[at++] = (rest & 127) | 128;
  bytes[at++] = rest;
  return bytes.subarray(0, at);
}

class GetStates implements Operation {
  readonly path = `${SERVICE}/GetState`;
  private readonly requests: Uint8Array[] = [];

  request(caller: number): Uint8Array {
    return (this.requests[caller] ??= encode(GetStateRequestSchema, { agentId: agentId(caller) }));
  }

  isDone(_bytes: Buffer, start: number, end: number): boolean {
    return end > start;
  }
}

function watching(filter: MessageInitShape<typeof WatchStateRequestSchema>): Watching {
  return {
    path: `${SERVICE}/WatchState`,
    request: encode(WatchStateRequestSchema, filter),
    requestEnds: true,
    isStarted: (bytes, start) => bytes[start] === SYNCED[0] && bytes[start + 1] === SYNCED[1],
    events: (bytes, start, end) => countFields(bytes, start, end, EVENTS_FIELD),
  };
}

export function encode<T extends DescMessage>(schema: T, message: MessageInitShape<T>): Uint8Array {
  return toBinary(schema, create(schema, message));
}
