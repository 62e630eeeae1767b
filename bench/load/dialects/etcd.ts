/** etcd's KV and Watch services (etcd.api.etcdserverpb.rpc): the few fields that are used, by their numbers. */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { agentId, AGENT_PREFIX } from "../../systems/population.js";
import { countFields } from "../protobuf.js";
import type { Changing, Dialect, Operation, Request, Watching } from "./dialect.js";
import { Rota } from "./rota.js";

const KEY = 1;
const VALUE = 2;
const RANGE_END = 2;
const CREATE_REQUEST = 1;
const HEADER = 1;
const KEY_VALUES = 2;
const EVENTS = 11;
/** As many bytes as a small state has. */
const VALUE_BYTES = 64;

export const etcd: Dialect = {
  headers: [],
  commit: (changing) => new Puts(changing),
  read: () => new Ranges(),
  watch: (agent): Watching => ({
    path: "/etcdserverpb.Watch/Watch",
    message: new BinaryWriter()
      .tag(CREATE_REQUEST, WireType.LengthDelimited)
      .bytes(agent === undefined ? everyAgent() : fields([KEY, text(agentId(agent))]))
      .finish(),
    requestEnds: false,
    // The first answer says that the watch was created; the others have events.
    isStarted: (bytes, start, end) => countFields(bytes, start, end, EVENTS) === 0,
    events: (bytes, start, end) => countFields(bytes, start, end, EVENTS),
  }),
};

function everyAgent(): Uint8Array {
  return fields([KEY, text(AGENT_PREFIX)], [RANGE_END, text(endOfPrefix(AGENT_PREFIX))]);
}

class Puts implements Operation {
  private readonly rota: Rota;

  constructor(changing: Changing) {
    this.rota = new Rota(changing);
  }

  request(caller: number): Request {
    const { agent, round } = this.rota.next(caller);
    const value = String(round).padStart(VALUE_BYTES, "0");
    return { path: "/etcdserverpb.KV/Put", message: fields([KEY, text(agentId(agent))], [VALUE, text(value)]) };
  }

  isDone(bytes: Buffer, start: number, end: number): boolean {
    return countFields(bytes, start, end, HEADER) === 1;
  }
}

class Ranges implements Operation {
  request(caller: number): Request {
    return { path: "/etcdserverpb.KV/Range", message: fields([KEY, text(agentId(caller))]) };
  }

  isDone(bytes: Buffer, start: number, end: number): boolean {
    return countFields(bytes, start, end, KEY_VALUES) === 1;
  }
}

/** etcd's way to say "every key that begins so". */
function endOfPrefix(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}

function text(value: string): Uint8Array {
  return Buffer.from(value, "latin1");
}

function fields(...values: readonly (readonly [number: number, bytes: Uint8Array])[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const [number, bytes] of values) writer.tag(number, WireType.LengthDelimited).bytes(bytes);
  return writer.finish();
}
