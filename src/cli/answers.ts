/**
 * How answers of the API are shown: as its own JSON, or for people. Each says how the command ended, which is well.
 */
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { apiJson } from "./api-json.js";
import type { ClientContext } from "./connection.js";
import type { Exit } from "./exit-codes.js";
import { collectPages, type Page, type PageRequest } from "./paging.js";
import { printable } from "./text/printable.js";
import type { Printer } from "./text/printer.js";

/**
 * Shows an answer that is about one thing.
 *
 * @param item what `answer` is about
 * @param print shows it to a person
 */
export function showItem<Desc extends DescMessage, Item>(
  { io, out, json }: ClientContext,
  schema: Desc,
  answer: MessageShape<Desc>,
  item: Item | undefined,
  print: (out: Printer, item: Item, now: number) => void,
): Exit {
  if (json) out.json(apiJson(schema, answer));
  else if (item !== undefined) print(out, item, io.scheduler.now());
  return "OK";
}

/** Shows the answer to a request that something be removed. */
export function showDeleted<Desc extends DescMessage>(
  { out, json }: ClientContext,
  schema: Desc,
  answer: MessageShape<Desc>,
  id: string,
): Exit {
  if (json) {
    out.json(apiJson(schema, answer));
  } else {
    out.line([
      { text: printable(id), look: "bold" },
      { text: "  deleted", look: "dim" },
    ]);
  }
  return "OK";
}

/** A list of the API, and how it is shown. */
interface Listing<Desc extends DescMessage, Field extends string> {
  /** What a page is. */
  readonly schema: Desc;
  /** The field of a page that holds its items. */
  readonly field: Field;
  /** What a person is told when there is nothing. */
  readonly none: string;
  /** Reads one page. */
  readonly read: (page: PageRequest) => Promise<MessageShape<Desc> & Page<Field>>;
  /** Shows the items to a person. */
  readonly print: (out: Printer, items: (MessageShape<Desc> & Page<Field>)[Field], now: number) => void;
}

/**
 * Reads a list, page by page, and shows it.
 *
 * @param limit how many items are wanted; undefined: all
 */
export async function showList<Desc extends DescMessage, Field extends string>(
  { io, out, err, json }: ClientContext,
  limit: number | undefined,
  { schema, field, none, read, print }: Listing<Desc, Field>,
): Promise<Exit> {
  const answer = await collectPages(limit, field, read);
  if (json) {
    out.json(apiJson(schema, answer));
  } else if (answer[field].length === 0) {
    err.line([{ text: none, look: "dim" }]);
  } else {
    print(out, answer[field], io.scheduler.now());
    if (answer.nextPageToken !== "") err.line([{ text: "there is more: raise --limit", look: "dim" }]);
  }
  return "OK";
}
