/**
 * What several commands take, in the same words.
 */
import { listed, optional, repeated, toggle, type Flag } from "./flags.js";
import { anyText, jsonObject, label, Unreadable, wholeNumber } from "./readers.js";
import { stateWord } from "./words.js";

/** How long a list becomes. */
export const LIMIT = optional("--limit <count>", "at most so many (default: all)", wholeNumber(1, 1_000_000));

export const METADATA = optional(
  "--metadata <json>",
  "free data: a JSON object, @FILE, or - for standard input",
  jsonObject,
);

export const REQUEST_ID = optional("--request-id <id>", "makes the call safe to repeat for 10 minutes", anyText);

/** For a watch that is a live view when a person looks. */
export const PLAIN = toggle("--plain", "one line for each event, also on a terminal");

const labelPairs = repeated("--label <key=value>", "a word to select it by", label);

/** The labels of an agent, by their keys. */
export const LABELS: Flag<Readonly<Record<string, string>>> = {
  ...labelPairs,
  async read(typed, io) {
    const labels = new Map<string, string>();
    for (const [key, value] of await labelPairs.read(typed, io)) {
      const other = labels.get(key) ?? value;
      if (other !== value) {
        const values = [other, value].map((each) => JSON.stringify(each)).join(" and ");
        throw new Unreadable(`must give a key one value, got ${values} for ${JSON.stringify(key)}`);
      }
      labels.set(key, value);
    }
    return Object.fromEntries(labels);
  },
};

/** Which agents a list or a watch is about. */
export const AGENT_FILTER = {
  labelSelector: optional("-l, --selector <selector>", "a label selector, such as env=prod,tier in (web,db)", anyText),
  capabilities: repeated("--capability <word>", "only agents that can do this", anyText),
};

/** Which events of those agents. */
export const EVENT_FILTER = {
  ...AGENT_FILTER,
  states: listed("--state <state>", "only events into or out of this state", stateWord),
};
