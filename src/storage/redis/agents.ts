import { historyPage } from "../pages.js";
import type { Agent, StateRecord } from "../records.js";
import type {
  AgentKey,
  DeregisterAgent,
  HistoryPage,
  ReadHistory,
  RegisterAgent,
  Registered,
  RenewedLease,
  RenewLease,
  UpdateAgent,
} from "../storage.js";
import { failureOfResult, type Commands } from "./commands.js";
import { decodeAgent, decodeRegistered, decodeState, type Identity } from "./decode.js";
import { encodeFirstState, encodeProfile } from "./encode.js";
import { agentRefusal, CorruptRecordError, isRefusal } from "./failures.js";
import type { HeldReports } from "./held-reports.js";
import { KEY_NAMES } from "./keys.js";

/** The fields of an agent's hash that an answer is made of, in their order there. */
const FIELDS = ["state", "record", "capabilities", "labels", "ttl", "due"] as const;

/** Where one agent is. */
interface Place extends Identity {
  readonly partition: number;
}

/** Which agents there are. */
export class Agents {
  constructor(
    private readonly commands: Commands,
    private readonly held: HeldReports,
  ) {}

  async register(command: RegisterAgent): Promise<Registered> {
    const place = this.place(command);
    const { namespace, agentId, requestId, keepState, initialState, actor, profile } = command;
    const reply = await this.commands.call("register-agent", place.partition, [
      namespace,
      agentId,
      requestId,
      keepState ? "1" : "0",
      ...encodeFirstState(agentId, initialState, actor),
      ...encodeProfile(profile),
    ]);
    const [answer = "", ...outcomes] = Array.isArray(reply) ? reply.map(String) : [];
    this.held.settleAll(namespace, agentId, outcomes);
    return decodeRegistered(answer, place);
  }

  async deregister(command: DeregisterAgent): Promise<Agent> {
    const place = this.place(command);
    const { namespace, agentId, incarnation, actor } = command;
    const args = [namespace, agentId, String(incarnation), JSON.stringify(actor)];
    const answer = await this.commands.text("deregister-agent", place.partition, args);
    if (isRefusal(answer)) throw agentRefusal(answer, command);
    return decodeAgent(answer, place);
  }

  async update(command: UpdateAgent): Promise<Agent> {
    const place = this.place(command);
    const { namespace, agentId, requestId, expectedRevision, patch } = command;
    const args = [namespace, agentId, requestId, String(expectedRevision), ...encodeProfile(patch)];
    const answer = await this.commands.text("update-agent", place.partition, args);
    if (isRefusal(answer)) throw agentRefusal(answer, { agentId, incarnation: 0, expectedRevision });
    return decodeAgent(answer, place);
  }

  async get(agentKey: AgentKey): Promise<Agent | undefined> {
    const place = this.place(agentKey);
    const { key } = place;
    const values = await this.readPresent(
      key,
      () => this.commands.read(key, (client) => client.hmget(key, ...FIELDS)),
      ([first]) => first != null,
    );
    if (values === undefined) return undefined;
    const [state, record, capabilities, labels, ttl, due] = values;
    if (values.some((value) => value === null)) throw new CorruptRecordError(key, "incomplete");
    const end = due === "0" ? "null" : due;
    return decodeAgent(`[${[state, record, capabilities, labels, ttl, end].join(",")}]`, place);
  }

  async getState(agentKey: AgentKey): Promise<StateRecord | undefined> {
    const place = this.place(agentKey);
    const { key } = place;
    const state = await this.readPresent(
      key,
      () => this.commands.read(key, (client) => client.hget(key, "state")),
      (value) => value !== null,
    );
    if (state === undefined) return undefined;
    if (state === null) throw new CorruptRecordError(key, "incomplete");
    return decodeState(state, place);
  }

  async renewLease(command: RenewLease): Promise<RenewedLease> {
    const { namespace, agentId, incarnation } = command;
    const { turn, keys } = this.commands;
    const meta = keys.meta(keys.partitionOf(namespace, agentId));
    const result = await turn.add("L", meta, namespace, agentId, String(incarnation));
    if (isRefusal(result)) throw agentRefusal(result, command);
    if (result.startsWith("!")) throw failureOfResult(result);
    const [leaseTtlMs = 0, remainingMs = 0] = result.split(" ").map(Number);
    return { leaseTtlMs, remainingMs };
  }

  async readHistory({ namespace, agentId, afterRevision, limit }: ReadHistory): Promise<HistoryPage | undefined> {
    const place = this.place({ namespace, agentId });
    const args = [namespace, agentId, String(afterRevision), String(limit)];
    const reply = await this.commands.call("read-history", place.partition, args);
    if (!Array.isArray(reply)) return undefined;
    const [more, before = "", ...entries] = reply.map(String);
    const identity = { ...place, key: `${KEY_NAMES.history}${namespace}/${agentId}` };
    return historyPage(
      entries.map((entry) => decodeState(entry, identity)),
      before === "" ? undefined : decodeState(before, identity),
      more === "1",
    );
  }

  /**
   * Reads a record of which something must be there if it is. A record that is there without it may have been made between the read
   * and the question whether it is there, so it is read once more before it counts as damaged.
   *
   * @returns undefined when there is no such record
   */
  private async readPresent<T>(
    key: string,
    read: () => Promise<T>,
    isThere: (value: T) => boolean,
  ): Promise<T | undefined> {
    const value = await read();
    if (isThere(value)) return value;
    if ((await this.commands.read(key, (client) => client.exists(key))) === 0) return undefined;
    const again = await read();
    if (isThere(again)) return again;
    return (await this.commands.read(key, (client) => client.exists(key))) === 0 ? undefined : again;
  }

  private place({ namespace, agentId }: AgentKey): Place {
    const { keys } = this.commands;
    const partition = keys.partitionOf(namespace, agentId);
    return { namespace, id: agentId, key: keys.agent(partition, namespace, agentId), partition };
  }
}
