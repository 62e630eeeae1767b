import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import type { Condition } from "../live/live-table.js";
import { SignIn } from "./access-forms.js";
import { ConditionMark, Failure } from "./notice.js";

/** A view: what it is of, how it is doing, and what it shows when it may. */
export function Page({
  title,
  condition,
  children,
}: {
  readonly title: string;
  readonly condition: Condition;
  readonly children: ComponentChildren;
}) {
  useEffect(() => {
    document.title = `${title} · Ops-Core`;
  }, [title]);
  return (
    <>
      <div class="title">
        <h1>{title}</h1>
        <ConditionMark condition={condition} />
      </div>
      {condition.kind === "refused" && <SignIn />}
      {condition.kind === "away" && <Failure what="The server cannot be reached" error={condition.error} />}
      {condition.kind === "failed" && <Failure what="The server will not show this" error={condition.error} />}
      {condition.kind !== "refused" && children}
    </>
  );
}
