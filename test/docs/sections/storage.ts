import { KEY_NAMES } from "../../../src/storage/redis/keys.js";
import { code, table } from "../markdown.js";

type Name = keyof typeof KEY_NAMES;

/** Of each key: what stands behind its name, its type, and what is in it. A key that is not described does not compile. */
const DESCRIPTIONS: Readonly<Record<Name, readonly [rest: string, type: string, holds: string]>> = {
  meta: [
    "",
    "hash",
    "`schema`; `epoch` and `source`: which history this is, and the replication id of the server that began it; `revision`, `time` and `ordinal`: the newest that were given out; `workflows`: the newest revision of one",
  ],
  log: ["", "stream", "every commit, by `REVISION-EPOCH`; cut at `OPSCORE_LOG_MAX_ENTRIES` divided by the partitions"],
  agent: [
    "NAMESPACE/AGENT",
    "hash",
    "`state` and `record` as JSON arrays, `capabilities`, `labels`; `ttl` of its lease and when that runs out (`due`, 0 without one); the newest `sequence` and report time; `ordinal`: its place in lists",
  ],
  history: ["NAMESPACE/AGENT", "list", "its states, oldest first; expires after `OPSCORE_HISTORY_MAX_AGE`"],
  removed: ["NAMESPACE/AGENT", "hash", "of an agent that was deregistered: its last `incarnation`, and when"],
  removals: ["", "sorted set", "all of these, by the revision of their removal"],
  agents: ["NAMESPACE", "sorted set", "agents by the order of their registration (microseconds since 1970)"],
  state: ["NAMESPACE/STATE", "sorted set", "the same, those in one state (its number in the API)"],
  label: ["NAMESPACE/LABEL=VALUE", "sorted set", "the same, those with one label"],
  capability: ["NAMESPACE/CAPABILITY", "sorted set", "the same, those with one capability"],
  leases: ["", "sorted set", "`NAMESPACE/AGENT` by when to look at its lease next (milliseconds since 1970)"],
  overdue: ["", "sorted set", "`NAMESPACE/AGENT` of agents that are SUSPECT and due to become LOST"],
  held: ["NAMESPACE/AGENT", "hash", "reports that wait for the agent's registration; expires after the last of them"],
  answer: ["NAMESPACE/AGENT/REPORT", "string", "what became of such a report; expires after a minute"],
  request: [
    "COMMAND:NAMESPACE/ID/REQUEST",
    "string",
    "the answer to a request with a `request_id`; expires after 10 minutes",
  ],
  requests: ["", "list", "all of these, oldest first"],
  document: ["KIND/NAMESPACE/ID", "string", "a document, such as a subscription to webhooks: its revision, then JSON"],
  documents: ["KIND", "sorted set", "`NAMESPACE/ID` of all documents of a kind"],
  claim: [
    "KEY",
    "string",
    "that something was done once, such as taking a signed notification; expires after 15 minutes",
  ],
  session: ["NAMESPACE/SESSION", "string", "a session, as a JSON array"],
  sessions: ["NAMESPACE", "sorted set", "sessions by the order of their start"],
  sessionsOf: ["NAMESPACE/AGENT", "sorted set", "the same, those of one agent"],
  ended: ["", "sorted set", "`NAMESPACE/SESSION` of sessions by their end"],
  tasks: ["NAMESPACE/SESSION", "hash", "the tasks of a session, by id, as JSON arrays"],
  run: ["NAMESPACE/SESSION", "hash", "how they hang together: their statuses, who waits for whom, who has or had one"],
  runs: ["NAMESPACE", "sorted set", "sessions that have tasks, by the order of their start"],
  runsIn: ["NAMESPACE/STATUS", "sorted set", "the same, those with a task in one status (its number in the API)"],
  runsOf: ["NAMESPACE/AGENT", "sorted set", "the same, those with a task that one agent has or had"],
  open: ["", "sorted set", "`NAMESPACE/SESSION` of sessions with a task that is READY or LEASED"],
  attempts: ["", "sorted set", "`NAMESPACE/SESSION/TASK` of what is LEASED, by the end of the lease"],
  assigned: ["NAMESPACE/AGENT", "sorted set", "`SESSION/TASK` of what one agent has"],
  slots: [
    "NAMESPACE/AGENT",
    "hash",
    "what takes up room at an agent: `SESSION/TASK`, with the attempt and when it began",
  ],
  workflow: ["NAMESPACE/WORKFLOW", "string", "the definition of a workflow: its revision and parts, as a JSON array"],
  workflows: ["NAMESPACE", "sorted set", "all of them, in the order of their ids"],
};

/** Every key of a partition. */
export function keys(): string {
  const names = Object.keys(KEY_NAMES) as Name[];
  return table(
    ["Key", "Type", "What is in it"],
    names.map((name) => {
      const [rest, type, holds] = DESCRIPTIONS[name];
      return [code(KEY_NAMES[name] + rest), type, holds];
    }),
  );
}
