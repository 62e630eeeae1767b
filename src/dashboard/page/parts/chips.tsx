import type { Colour } from "./badge.js";

export interface Chip<Value> {
  readonly value: Value;
  readonly name: string;
  readonly colour: Colour;
  /** How many rows have it. */
  readonly count: number;
}

/** What a list can be narrowed to, each with how many there are of it. */
export function Chips<Value>({
  label,
  chips,
  chosen,
  onChoose,
}: {
  readonly label: string;
  readonly chips: readonly Chip<Value>[];
  /** Undefined: everything. */
  readonly chosen: Value | undefined;
  readonly onChoose: (value: Value | undefined) => void;
}) {
  return (
    <div class="chips" role="group" aria-label={label}>
      {chips.map(({ value, name, colour, count }) => (
        <button
          key={name}
          type="button"
          class={`chip ${colour}`}
          aria-pressed={chosen === value}
          disabled={count === 0 && chosen !== value}
          onClick={() => onChoose(chosen === value ? undefined : value)}
        >
          {name} <b>{count}</b>
        </button>
      ))}
    </div>
  );
}
