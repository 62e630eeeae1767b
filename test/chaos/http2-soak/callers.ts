/** Clients that behave, by every way in; and what they were told. */
import { create, type JsonObject } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Client, type Transport } from "@connectrpc/connect";
import {
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { setImmediate as turn } from "node:timers/promises";
import { expect } from "vitest";
import { AgentService } from "../../../gen/opscore/v1/agent_service_pb.js";
import { State, WatchKind } from "../../../gen/opscore/v1/common_pb.js";
import {
  GetStateHistoryRequestSchema,
  ReportStatesRequestSchema,
  StateService,
  type GetStateHistoryRequest,
  type GetStateHistoryResponse,
} from "../../../gen/opscore/v1/state_service_pb.js";

const REPORTS = 60;
const AT_ONCE = 10;
const WATCHES = 8;
const PAGE = 200;
/** Nothing may take longer. */
export const HUNG_MS = 30_000;

const LARGE: JsonObject = { text: "x".repeat(1024 * 1024) };
/** As much as metadata may be: a list of a few agents is a megabyte. */
const METADATA: JsonObject = { text: "m".repeat(60_000) };
const LISTED = 16;

type Dial = (baseUrl: string, sessionManager: Http2SessionManager) => Transport;

/** Two go over the lane, the others over the bridge. */
export const WAYS: Readonly<Record<string, Dial>> = {
  grpc: (baseUrl, sessionManager) => createGrpcTransport({ baseUrl, sessionManager }),
  "grpc-gzip": (baseUrl, sessionManager) =>
    createGrpcTransport({ baseUrl, sessionManager, sendCompression: compressionGzip, compressMinBytes: 0 }),
  "grpc-web": (baseUrl, sessionManager) => createGrpcWebTransport({ baseUrl, sessionManager, httpVersion: "2" }),
  "connect-proto": (baseUrl, sessionManager) => createConnectTransport({ baseUrl, sessionManager, httpVersion: "2" }),
  "connect-json": (baseUrl, sessionManager) =>
    createConnectTransport({ baseUrl, sessionManager, httpVersion: "2", useBinaryFormat: false }),
};

/** Reports of one agent, and which of them were acknowledged. */
export class Ledger {
  /** How many were in all rounds. */
  acknowledged = 0;
  private open = new Set<string>();
  private made = 0;
  private checked = 0n;

  constructor(readonly agentId: string) {}

  /** The next report: no two are alike. */
  next(): { agentId: string; state: State; message: string } {
    this.made += 1;
    const state = this.made % 2 === 0 ? State.IDLE : State.ACTIVE;
    return { agentId: this.agentId, state, message: `report ${this.made}` };
  }

  took(message: string): void {
    this.acknowledged += 1;
    this.open.add(message);
  }

  /** @throws unless every report that was acknowledged since the last time is in the history */
  async check(historyOf: (request: GetStateHistoryRequest) => Promise<GetStateHistoryResponse>): Promise<void> {
    for (let pageToken = ""; ;) {
      const page = { agentId: this.agentId, afterRevision: this.checked, pageSize: PAGE, pageToken };
      const { events, nextPageToken } = await historyOf(create(GetStateHistoryRequestSchema, page));
      for (const { state } of events) this.open.delete(state?.message ?? "");
      if (nextPageToken === "") {
        this.checked = events.at(-1)?.state?.revision ?? this.checked;
        break;
      }
      pageToken = nextPageToken;
    }
    expect([...this.open], `acknowledged, and not in the history of ${this.agentId}`).toEqual([]);
  }
}

/** Watches on a connection, over the lane and over the bridge; `look` runs while they are open. */
export async function whileWatching(url: string, look: () => Promise<void>): Promise<void> {
  const sessionManager = new Http2SessionManager(url);
  const dials = [createGrpcTransport, createGrpcWebTransport];
  for (const dial of dials) {
    const states = createClient(StateService, dial({ baseUrl: url, sessionManager, httpVersion: "2" }));
    await states.watchState({})[Symbol.asyncIterator]().next();
  }
  await look();
  sessionManager.abort();
}

/** One connection, on which everything is called; then it is closed. */
export async function call(url: string, way: string, ledger: Ledger): Promise<void> {
  const dial = WAYS[way];
  if (dial === undefined) throw new Error(`no way ${way}`);
  const sessionManager = new Http2SessionManager(url);
  const transport = dial(url, sessionManager);
  const states = createClient(StateService, transport);
  const agents = createClient(AgentService, transport);
  try {
    await agents.registerAgent({ agentId: ledger.agentId, keepState: true }, { timeoutMs: HUNG_MS });
    await watches(states, ledger, async () => {
      await Promise.all([reports(states, ledger), tooLarge(states, ledger), largeAnswers(agents)]);
    });
    // Bidi needs HTTP/2 from end to end.
    if (way !== "grpc-web") await reportStream(states, ledger);
    await ledger.check((request) => states.getStateHistory(request, { timeoutMs: HUNG_MS }));
  } finally {
    sessionManager.abort();
  }
}

async function reports(states: Client<typeof StateService>, ledger: Ledger): Promise<void> {
  const one = async (): Promise<void> => {
    for (let i = 0; i < REPORTS / AT_ONCE; i += 1) {
      const report = ledger.next();
      const { changed } = await states.setState(report, { timeoutMs: HUNG_MS });
      if (changed) ledger.took(report.message);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

/** A megabyte on its way in. */
async function tooLarge(states: Client<typeof StateService>, { agentId }: Ledger): Promise<void> {
  const refused = states.setState({ agentId, state: State.IDLE, details: LARGE }, { timeoutMs: HUNG_MS });
  expect(await codeOf(refused)).toBe(Code.InvalidArgument);
}

/** A megabyte on its way out. */
async function largeAnswers(agents: Client<typeof AgentService>): Promise<void> {
  const { agents: listed } = await agents.listAgents({ pageSize: LISTED, labelSelector: "large=yes" });
  expect(listed).not.toHaveLength(0);
}

/** Makes the agents that {@link call} lists. */
export async function prepare(url: string): Promise<void> {
  const sessionManager = new Http2SessionManager(url);
  const agents = createClient(AgentService, createGrpcTransport({ baseUrl: url, sessionManager }));
  for (let i = 0; i < LISTED; i += 1) {
    await agents.registerAgent({ agentId: `large-${i}`, labels: { large: "yes" }, metadata: METADATA });
  }
  sessionManager.abort();
}

/** Some are cancelled at once, some when they have been let in, some when they have seen an event of what `then` reports. */
async function watches(
  states: Client<typeof StateService>,
  { agentId }: Ledger,
  then: () => Promise<void>,
): Promise<void> {
  const one = async (index: number, onSynced: () => void): Promise<void> => {
    const left = new AbortController();
    const stream = states.watchState({ agentIds: [agentId] }, { signal: left.signal, timeoutMs: HUNG_MS });
    if (index % 4 === 0) left.abort();
    const wanted = index % 4 === 1 ? WatchKind.SYNCED : WatchKind.EVENTS;
    const ended = codeOf(
      (async () => {
        for await (const { kind } of stream) {
          if (kind === WatchKind.SYNCED) onSynced();
          if (kind === wanted) left.abort();
        }
      })(),
    );
    expect(await ended).toBe(Code.Canceled);
    onSynced();
  };
  const ended: Promise<void>[] = [];
  const synced = Array.from(
    { length: WATCHES },
    (_, index) => new Promise<void>((resolve) => ended.push(one(index, resolve))),
  );
  await Promise.race([Promise.all(synced), Promise.all(ended)]);
  await Promise.all([then(), ...ended]);
}

/** Reports on a stream: one that is ended well, and one that is cancelled in the middle. */
async function reportStream(states: Client<typeof StateService>, ledger: Ledger): Promise<void> {
  for (const isCut of [false, true]) {
    const sent: string[] = [];
    const left = new AbortController();
    const requests = async function* () {
      for (let i = 0; i < REPORTS; i += 1) {
        await turn();
        const report = ledger.next();
        sent.push(report.message);
        yield create(ReportStatesRequestSchema, { report });
      }
    };
    const answers = states.reportStates(requests(), { signal: left.signal, timeoutMs: HUNG_MS });
    const ended = codeOf(
      (async () => {
        for await (const { index, result } of answers) {
          if (result.case === "accepted" && result.value.changed) ledger.took(sent[Number(index)] ?? "");
          if (isCut && sent.length > REPORTS / 2) left.abort();
        }
      })(),
    );
    expect([undefined, Code.Canceled]).toContain(await ended);
  }
}

/** @returns the code with which it failed */
async function codeOf(calling: Promise<unknown>): Promise<Code | undefined> {
  try {
    await calling;
    return undefined;
  } catch (thrown) {
    return ConnectError.from(thrown).code;
  }
}
