import { styleText } from "node:util";

/** A colour or other look, by the names of `styleText`; several are applied together. */
export type Look = Parameters<typeof styleText>[0];

/** Gives text a look, where looks are wanted. */
export type Style = (look: Look, text: string) => string;

export const plain: Style = (_look, text) => text;

const coloured: Style = (look, text) => (text === "" ? "" : styleText(look, text, { validateStream: false }));

/** @param colour whether looks are wanted */
export function createStyle(colour: boolean): Style {
  return colour ? coloured : plain;
}

/**
 * Whether output should have colours: `FORCE_COLOR` decides, else `NO_COLOR`, else whether a person looks at it.
 *
 * @see https://no-color.org
 */
export function wantsColour(env: Readonly<Record<string, string | undefined>>, isTTY: boolean): boolean {
  const force = env["FORCE_COLOR"];
  if (force !== undefined) return force !== "0" && force !== "false";
  if ((env["NO_COLOR"] ?? "") !== "") return false;
  return isTTY && env["TERM"] !== "dumb";
}
