import { timestampMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import type { JsonObject } from "@bufbuild/protobuf";
import { Fragment, type ComponentChildren } from "preact";
import { formatAge, formatTime } from "../../../lib/time-text.js";

/** What there is to say of one thing; what is empty is left out. */
export function Fields({ children }: { readonly children: ComponentChildren }) {
  return <dl class="fields">{children}</dl>;
}

export function Field({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  if (children === undefined || children === null || children === false || children === "") return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** A moment, and how long ago it was. */
export function Moment({ time, now }: { readonly time: Timestamp; readonly now: number }) {
  const ms = timestampMs(time);
  return (
    <time dateTime={new Date(ms).toISOString()}>
      {formatTime(time, true)}{" "}
      <span class="dim">({ms > now ? `in ${formatAge(ms - now)}` : `${formatAge(now - ms)} ago`})</span>
    </time>
  );
}

/** Words of others, each with a direction of its own: whatever is in one does not turn those after it. */
export function Words({ words }: { readonly words: readonly string[] }) {
  return words.map((word, index) => (
    <Fragment key={word}>
      {index > 0 && ", "}
      <bdi>{word}</bdi>
    </Fragment>
  ));
}

/** Free data. */
export function Json({ data }: { readonly data: JsonObject }) {
  return <pre class="json">{JSON.stringify(data, undefined, 2)}</pre>;
}
