import type { SessionRecord } from "../records.js";
import type { AgentKey, SessionKey, StartSession, UpdateSession } from "../storage.js";
import { canonicalJson } from "./canonical-json.js";
import type { Commands } from "./commands.js";
import { decodeSession, type Identity } from "./decode.js";
import { encodePlans, encodeSessionPatch } from "./encode.js";
import { isRefusal, sessionRefusal } from "./failures.js";

interface Place extends Identity {
  readonly partition: number;
}

/** What agents work on. */
export class Sessions {
  constructor(private readonly commands: Commands) {}

  /**
   * Two steps, for agent and session may lie in different partitions: is there such an agent, then the session with its tasks. An agent that is
   * deregistered between them leaves a session as it does when it is deregistered after them.
   */
  async start(command: StartSession): Promise<SessionRecord> {
    const place = this.place(command);
    const { namespace, sessionId, requestId, agentId, workflowId, metadata } = command;
    const isRegistered = agentId === "" || (await this.isRegistered({ namespace, agentId }));
    const answer = await this.commands.text("start-session", place.partition, [
      namespace,
      sessionId,
      requestId,
      isRegistered ? "1" : "0",
      JSON.stringify(agentId),
      JSON.stringify(workflowId),
      canonicalJson(metadata),
      ...encodePlans(command.tasks, workflowId),
    ]);
    if (isRefusal(answer)) throw sessionRefusal(answer, sessionId, agentId);
    return decodeSession(answer, place);
  }

  async update(command: UpdateSession): Promise<SessionRecord> {
    const place = this.place(command);
    const { namespace, sessionId, requestId, expectedRevision, patch } = command;
    const args = [namespace, sessionId, requestId, String(expectedRevision), ...encodeSessionPatch(patch)];
    const answer = await this.commands.text("update-session", place.partition, args);
    if (isRefusal(answer)) throw sessionRefusal(answer, sessionId);
    return decodeSession(answer, place);
  }

  async get(sessionKey: SessionKey): Promise<SessionRecord | undefined> {
    const place = this.place(sessionKey);
    const text = await this.commands.read(place.key, (client) => client.get(place.key));
    return text === null ? undefined : decodeSession(text, place);
  }

  private async isRegistered({ namespace, agentId }: AgentKey): Promise<boolean> {
    const { keys, turn } = this.commands;
    const key = keys.agent(keys.partitionOf(namespace, agentId), namespace, agentId);
    turn.flush();
    return (await this.commands.read(key, (client) => client.exists(key))) === 1;
  }

  private place({ namespace, sessionId }: SessionKey): Place {
    const { keys } = this.commands;
    const partition = keys.partitionOf(namespace, sessionId);
    return { namespace, id: sessionId, key: keys.session(partition, namespace, sessionId), partition };
  }
}
