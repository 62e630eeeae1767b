/** The name of an enumeration's value, without its prefix; the number of one that is newer than this client. */
export function enumName(names: Readonly<Record<number | string, string | number>>, value: number): string {
  const name: string | number | undefined = names[value];
  return typeof name === "string" ? name : String(value);
}
