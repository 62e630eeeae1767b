import { agentNotFound, sessionNotFound } from "../../errors/index.js";
import { jsonEquals } from "../../lib/json.js";
import { SessionChangeType, SessionStatus, type SessionRecord } from "../records.js";
import { illegalStatus, sessionEnded, sessionExists, sessionMismatch } from "../refusals.js";
import { isEnded, isLegalSessionTransition } from "../state-machine.js";
import type { ListSessions, Page, SessionKey, StartSession, UpdateSession } from "../storage.js";
import type { Commits } from "./commits.js";
import { decodeCursor, encodeCursor } from "./cursor.js";
import { SessionEntry, type Namespaces } from "./entries.js";
import { OrderedIndex, toPage } from "./ordered-index.js";
import { requestKey, type RequestMemory } from "./request-memory.js";
import type { SessionCommits } from "./session-commits.js";
import { sessionRecord } from "./session-records.js";
import type { Tasks } from "./tasks.js";

/** How many sessions one page looks at, at most. */
const SCAN_BUDGET = 10_000;

/** Answers to repeated requests about sessions. */
export interface SessionAnswers {
  readonly sessionStarted: RequestMemory<SessionRecord>;
  readonly sessionUpdated: RequestMemory<SessionRecord>;
}

/** What agents work on. A running session is kept until it ends, an ended one for as long as the limits allow. */
export class Sessions {
  constructor(
    private readonly namespaces: Namespaces,
    private readonly commits: Commits,
    private readonly sessionCommits: SessionCommits,
    private readonly tasks: Tasks,
    private readonly answers: SessionAnswers,
  ) {}

  start(command: StartSession): SessionRecord {
    const { namespace, sessionId, agentId } = command;
    const key = requestKey(namespace, sessionId, command.requestId);
    const answered = command.requestId === "" ? undefined : this.answers.sessionStarted.recall(key);
    if (answered !== undefined) return answered;

    if (agentId !== "" && this.namespaces.agent(namespace, agentId) === undefined) throw agentNotFound(agentId);
    const table = this.namespaces.getOrCreate(namespace);
    if (table.sessions.has(sessionId)) throw sessionExists(sessionId);

    const { commitTime, revision } = this.commits.stamp;
    const record = sessionRecord({
      namespace,
      sessionId,
      agentId,
      workflowId: command.workflowId,
      status: SessionStatus.STARTED,
      metadata: command.metadata,
      result: undefined,
      error: "",
      startTime: commitTime,
      updateTime: commitTime,
      endTime: undefined,
      revision,
    });
    const entry = new SessionEntry(table, table.nextOrdinal(), record);
    table.sessions.set(sessionId, entry);
    table.sessionsInOrder.add(entry);
    if (agentId !== "") {
      const ofAgent = table.sessionsByAgent.get(agentId) ?? new OrderedIndex<SessionEntry>();
      table.sessionsByAgent.set(agentId, ofAgent);
      ofAgent.add(entry);
    }

    this.commits.session(SessionChangeType.STARTED, record, undefined);
    this.tasks.create(entry, command.tasks);
    if (command.requestId !== "") this.answers.sessionStarted.remember(key, record, record.size);
    return record;
  }

  update(command: UpdateSession): SessionRecord {
    const key = requestKey(command.namespace, command.sessionId, command.requestId);
    const answered = command.requestId === "" ? undefined : this.answers.sessionUpdated.recall(key);
    if (answered !== undefined) return answered;

    const entry = this.namespaces.session(command.namespace, command.sessionId);
    if (entry === undefined) throw sessionNotFound(command.sessionId);
    const record = this.apply(entry, command);
    if (command.requestId !== "") this.answers.sessionUpdated.remember(key, record, record.size);
    return record;
  }

  get(key: SessionKey): SessionRecord | undefined {
    return this.namespaces.session(key.namespace, key.sessionId)?.record;
  }

  list(query: ListSessions): Page<SessionRecord> {
    const after = decodeCursor("s", query.cursor);
    const table = this.namespaces.get(query.namespace);
    const index = query.agentId === "" ? table?.sessionsInOrder : table?.sessionsByAgent.get(query.agentId);
    if (index === undefined) return { items: [], next: undefined };
    const page = index.page(after, query.limit, SCAN_BUDGET, {
      matches: ({ record }) => isListed(record, query),
      sizeOf: ({ record }) => record.size,
    });
    return toPage(
      page,
      (entry) => entry.record,
      (ordinal) => encodeCursor("s", ordinal),
    );
  }

  private apply(entry: SessionEntry, { patch, expectedRevision }: UpdateSession): SessionRecord {
    const current = entry.record;
    if (isEnded(current.status)) throw sessionEnded(current.sessionId, current.status);
    if (expectedRevision !== 0 && expectedRevision !== current.revision)
      throw sessionMismatch(current.sessionId, current.status, current.revision);
    const next = { ...current, ...patch };
    if (!isLegalSessionTransition(current.status, next.status))
      throw illegalStatus(current.sessionId, current.status, next.status);
    if (isSameContent(current, next)) return current;
    if (isEnded(next.status)) this.tasks.cancelAll(entry, next.error);
    return this.sessionCommits.write(entry, next);
  }

  /** Forgets a session with its tasks. */
  drop(entry: SessionEntry): void {
    const { table, record } = entry;
    this.tasks.drop(entry);
    table.sessions.delete(record.sessionId);
    table.sessionsInOrder.remove(entry);
    const ofAgent = table.sessionsByAgent.get(record.agentId);
    ofAgent?.remove(entry);
    if (ofAgent?.size === 0) table.sessionsByAgent.delete(record.agentId);
    this.namespaces.dropIfEmpty(table);
  }
}

function isSameContent(a: SessionRecord, b: SessionRecord): boolean {
  return (
    a.status === b.status && a.error === b.error && jsonEquals(a.metadata, b.metadata) && jsonEquals(a.result, b.result)
  );
}

function isListed(record: SessionRecord, query: ListSessions): boolean {
  if (query.workflowId !== "" && query.workflowId !== record.workflowId) return false;
  return query.statuses.length === 0 || query.statuses.includes(record.status);
}
