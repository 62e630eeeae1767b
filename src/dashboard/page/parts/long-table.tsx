import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";

/** As many rows as a browser draws without effort, many times a second. */
const FIRST_ROWS = 200;

/** A table that shows its first rows, and more on request. */
export function LongTable<Row>({
  head,
  rows,
  row,
  empty,
}: {
  readonly head: readonly string[];
  readonly rows: readonly Row[];
  readonly row: (row: Row) => JSX.Element;
  /** Stands in the place of the rows when there are none. */
  readonly empty: ComponentChildren;
}) {
  const [most, setMost] = useState(FIRST_ROWS);
  const left = rows.length - most;
  return (
    <>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              {head.map((title) => (
                <th key={title} scope="col">
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>{rows.slice(0, most).map(row)}</tbody>
        </table>
      </div>
      {rows.length === 0 && <p class="empty">{empty}</p>}
      {left > 0 && (
        <button type="button" class="more" onClick={() => setMost(most + FIRST_ROWS)}>
          {Math.min(left, FIRST_ROWS)} more of {left.toLocaleString("en")} that are not shown
        </button>
      )}
    </>
  );
}
