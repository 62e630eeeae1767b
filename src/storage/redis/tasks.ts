import type { TaskRecord } from "../records.js";
import type {
  AttemptKey,
  CancelTask,
  CompleteTask,
  FailTask,
  LeaseTask,
  RenewedTask,
  RenewTask,
  TaskKey,
} from "../storage.js";
import { canonicalJson } from "./canonical-json.js";
import type { Commands } from "./commands.js";
import { decodeTask } from "./decode-tasks.js";
import { isRefusal, taskRefusal } from "./failures.js";
import type { RedisStorageSettings } from "./options.js";
import type { ScriptName } from "./scripts.js";

/** How many tasks one call looks at to expire attempts: while it does, Redis does nothing else. */
const BUDGET = 150;

/** Where one task is. */
interface Place {
  readonly partition: number;
  /** Of the hash of its session's tasks. */
  readonly key: string;
}

/** The steps of sessions: who may work on them, who does, and what came of them. */
export class Tasks {
  constructor(
    private readonly commands: Commands,
    private readonly settings: Pick<RedisStorageSettings, "onEvent">,
  ) {}

  lease(command: LeaseTask): Promise<TaskRecord> {
    const { attempt, agentId, agentIncarnation, agentRevision, delivery, leaseMs } = command;
    const numbers = [agentIncarnation, agentRevision, delivery, leaseMs].map(String);
    return this.change("lease-task", command, [String(attempt), agentId, ...numbers], attempt);
  }

  async renew(command: RenewTask): Promise<RenewedTask> {
    const { attempt, leaseMs } = command;
    const answer = await this.call("renew-task", command, [String(attempt), String(leaseMs)], attempt);
    return { remainingMs: Number(answer) };
  }

  complete(command: CompleteTask): Promise<TaskRecord> {
    const { attempt, result } = command;
    return this.change("complete-task", command, [String(attempt), canonicalJson(result)], attempt);
  }

  fail(command: FailTask): Promise<TaskRecord> {
    const { attempt, reason, error, permanent, jitter } = command;
    const texts = [JSON.stringify(reason), JSON.stringify(error)];
    const args = [String(attempt), ...texts, permanent ? "1" : "0", String(jitter)];
    return this.change("fail-task", command, args, attempt);
  }

  cancel(command: CancelTask): Promise<TaskRecord> {
    return this.change("cancel-task", command, [JSON.stringify(command.message)]);
  }

  retry(key: TaskKey): Promise<TaskRecord> {
    return this.change("retry-task", key, []);
  }

  /** Each attempt is ended by one script, once, whoever looks for those that are over. */
  async expire(jitter: number): Promise<number> {
    let expired = 0;
    for (;;) {
      const replies = await this.commands.callAll("expire-tasks", [String(jitter), String(BUDGET)]);
      let isDone = true;
      for (const { cells } of replies) {
        const [count, more, ...corrupt] = cells;
        expired += Number(count);
        for (const key of corrupt) this.settings.onEvent({ kind: "corrupt", key });
        isDone &&= more !== "1";
      }
      if (isDone) return expired;
    }
  }

  async get(taskKey: TaskKey): Promise<TaskRecord | undefined> {
    const { key } = this.place(taskKey);
    const text = await this.commands.read(key, (client) => client.hget(key, taskKey.taskId));
    return text === null ? undefined : decodeTask(text, taskKey, key);
  }

  private async change(
    script: ScriptName,
    key: TaskKey,
    args: readonly string[],
    attempt?: AttemptKey["attempt"],
  ): Promise<TaskRecord> {
    return decodeTask(await this.call(script, key, args, attempt), key, this.place(key).key);
  }

  private async call(
    script: ScriptName,
    key: TaskKey,
    args: readonly string[],
    attempt?: AttemptKey["attempt"],
  ): Promise<string> {
    const { namespace, sessionId, taskId } = key;
    const { partition } = this.place(key);
    const answer = await this.commands.text(script, partition, [namespace, sessionId, taskId, ...args]);
    if (isRefusal(answer)) throw taskRefusal(answer, key, attempt);
    return answer;
  }

  private place({ namespace, sessionId }: TaskKey): Place {
    const { keys } = this.commands;
    const partition = keys.partitionOf(namespace, sessionId);
    return { partition, key: keys.tasks(partition, namespace, sessionId) };
  }
}
