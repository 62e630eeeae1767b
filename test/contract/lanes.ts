/**
 * The contract of the lanes: whoever calls, and whatever is wrong with the call, the gRPC lane and Connect's handlers do the same,
 * and where that can be asked, the server of `@grpc/grpc-js` does too.
 *
 * There is one table of calls (`lanes/cases`). Each call is made by every client that can make it: the two client libraries, and a
 * bare HTTP/2 stream that can do what they never would. What is seen on both sides is compared field by field: status, message,
 * details, headers, trailers, answers and their order, the form of the answer, how the stream closed, what the handler saw, what was
 * logged. What differs stands in `lanes/differences.ts` with its reason; a difference that is not listed there fails, and so does one
 * that is listed and no longer there.
 */
import { afterAll, describe, expect, it } from "vitest";
import type { JsonValue } from "../../src/lib/json.js";
import type { Case } from "./lanes/case.js";
import { TABLE } from "./lanes/cases/index.js";
import { DIFFERENCES } from "./lanes/differences.js";
import { compare, shown, type Mismatch, type Observation } from "./lanes/observation.js";
import { clientsOf, Servers, type ClientName } from "./lanes/observe.js";
import { Verdict, type Difference } from "./lanes/verdict.js";

/**
 * What a server that is not ours does in its own way by right: its log and its frames, what it tells handlers and says of compression;
 * and its words, where they are not the handler's.
 */
const OWN_WAY = /^(log|form|end|goaway|notes|reaches .*|message on the wire|(header|trailer) (content-type|grpc-.*))$/;

/** Declares the suite for the lane and the other servers. */
export function describeLanesContract(others: readonly Difference["from"][]): void {
  describe(`lanes contract: the lane and ${others.join(", ")}`, () => {
    const servers = new Servers();
    const verdict = new Verdict(DIFFERENCES);
    afterAll(() => servers.close());

    async function run(client: ClientName, testCase: Case): Promise<void> {
      const lane = await servers.observe("lane", client, testCase);
      expectPromised(lane, testCase);
      for (const other of others) {
        if (testCase.except?.[other] !== undefined) continue;
        const found = compare(lane, await servers.observe(other, client, testCase));
        const comparable = other === "grpc-js" ? found.filter(({ field }) => isPromised(field, lane, testCase)) : found;
        const unlisted = verdict.unexplained(other, testCase, comparable);
        expect(unlisted, unlisted.map((each) => mismatchText(each, other)).join("\n")).toEqual([]);
      }
    }

    for (const [subject, cases] of Object.entries(TABLE)) {
      describe(subject, () => {
        for (const testCase of cases) {
          for (const client of clientsOf(testCase)) it(`${testCase.name}, by ${client}`, () => run(client, testCase));
        }
      });
    }

    it.each(others)("every listed difference from %s is still there", (other) => {
      expect(verdict.stale(other)).toEqual([]);
    });
  });
}

function mismatchText({ field, lane, other }: Mismatch, name: string): string {
  return `${field}: ${valueText(lane)}, and not ${valueText(other)} as ${name} has it`;
}

function valueText(value: JsonValue | undefined): string {
  return value === undefined ? "none" : JSON.stringify(value);
}

function isPromised(field: string, lane: Observation, { ownWords = false }: Case): boolean {
  const own = field === "message" && (ownWords || lane["status"] === "OK");
  return !own && !OWN_WAY.test(field);
}

/** What the case itself says of the lane. */
function expectPromised(lane: Observation, { code, answers, notes, reaches }: Case): void {
  expect(lane["status"]).toBe(code);
  if (answers !== undefined) expect(lane["messages"]).toEqual(answers.map(shown));
  if (notes !== undefined) expect(lane["notes"]).toEqual(notes.map(shown));
  if (reaches !== undefined) expect(lane[`reaches ${reaches}`]).toBe(true);
}
