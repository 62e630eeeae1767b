import { create, toBinary, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { State } from "../../../gen/opscore/v1/common_pb.js";
import { GetStateRequestSchema, WatchStateRequestSchema } from "../../../gen/opscore/v1/state_service_pb.js";
import { agentId, API_KEY } from "../../systems/population.js";
import { countFields } from "../protobuf.js";
import type { Changing, Dialect, Operation, Request, Watching } from "./dialect.js";
import { Rota } from "./rota.js";

export const STATES = "/opscore.v1.StateService";
/** `changed: true`, the last field of a SetStateResponse. */
const CHANGED = [0x10, 0x01] as const;
/** `kind: WATCH_KIND_SYNCED`, the first field of a WatchStateResponse. */
const SYNCED = [0x08, 0x02] as const;
const EVENTS_FIELD = 2;

export const opscore: Dialect = {
  headers: [["authorization", `Bearer ${API_KEY}`]],
  commit: (changing) => new SetStates(changing),
  read: () => new Reads(),
  watch: (agent) => watching(agent === undefined ? {} : { agentIds: [agentId(agent)] }),
};

/** Each agent is IDLE and ACTIVE in turn, with the next sequence each time. */
class SetStates implements Operation {
  private readonly rota: Rota;

  constructor(changing: Changing) {
    this.rota = new Rota(changing);
  }

  request(caller: number): Request {
    const { agent, round } = this.rota.next(caller);
    return { path: `${STATES}/SetState`, message: report(agent, round) };
  }

  isDone(bytes: Buffer, _start: number, end: number): boolean {
    return bytes[end - 2] === CHANGED[0] && bytes[end - 1] === CHANGED[1];
  }
}

/**
 * A SetStateRequest, written by hand because a load makes millions.
 *
 * @param sequence from 1; odd ones are ACTIVE, because agents begin IDLE
 */
export function report(agent: number, sequence: number): Uint8Array {
  const id = agentId(agent);
  const bytes = Buffer.allocUnsafe(id.length + 10);
  let at = 0;
  bytes[at++] = 0x0a; // agent_id
  bytes[at++] = id.length;
  at += bytes.write(id, at, "latin1");
  bytes[at++] = 0x10; // state
  bytes[at++] = sequence % 2 === 1 ? State.ACTIVE : State.IDLE;
  bytes[at++] = 0x48; // sequence
  let rest = sequence;
  for (; rest > 127; rest >>>= 7) bytes[at++] = (rest & 127) | 128;
  bytes[at++] = rest;
  return bytes.subarray(0, at);
}

/** The same report as a message of ReportStates. */
export function streamed(message: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.of(0x0a, message.length), message]);
}

/** Calls that only need an answer: requests by caller, made once. */
export class Repeated implements Operation {
  private readonly requests: Request[] = [];

  constructor(private readonly make: (caller: number) => Request) {}

  request(caller: number): Request {
    return (this.requests[caller] ??= this.make(caller));
  }

  isDone(_bytes: Buffer, start: number, end: number): boolean {
    return end > start;
  }
}

class Reads extends Repeated {
  constructor() {
    super((caller) => ({
      path: `${STATES}/GetState`,
      message: encode(GetStateRequestSchema, { agentId: agentId(caller) }),
    }));
  }
}

/** A watch of some agents, from somewhere. */
export function watching(request: MessageInitShape<typeof WatchStateRequestSchema>): Watching {
  return {
    path: `${STATES}/WatchState`,
    message: encode(WatchStateRequestSchema, request),
    requestEnds: true,
    isStarted: (bytes, start) => bytes[start] === SYNCED[0] && bytes[start + 1] === SYNCED[1],
    events: (bytes, start, end) => countFields(bytes, start, end, EVENTS_FIELD),
  };
}

export function encode<T extends DescMessage>(schema: T, message: MessageInitShape<T>): Uint8Array {
  return toBinary(schema, create(schema, message));
}
