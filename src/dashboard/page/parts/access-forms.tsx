import type { TargetedFocusEvent, TargetedSubmitEvent } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { DEFAULT_NAMESPACE } from "../access.js";
import { useServer } from "../server.js";

/** Asks for the API key that the server wants. */
export function SignIn() {
  const { access, change } = useServer();
  const field = useRef<HTMLInputElement>(null);
  // There is nothing else to do here, and after a wrong key there is a new field.
  useEffect(() => field.current?.focus(), []);
  return (
    <form class="sign-in" onSubmit={(event) => change({ ...access, apiKey: fieldOf(event, "key") })}>
      <label for="key">
        {access.apiKey === "" ? "This server wants its API key." : "This is not the server's API key."}
      </label>
      <div>
        <input
          ref={field}
          id="key"
          name="key"
          type="password"
          autocomplete="off"
          required
          pattern="[!-~]+"
          title="visible ASCII characters"
        />
        <button type="submit">Show the agents</button>
      </div>
      <p class="dim">It is kept in this tab until the tab is closed, and sent to this server alone.</p>
    </form>
  );
}

/** Says, and changes, which namespace is shown. */
export function NamespaceForm() {
  const { access, change } = useServer();
  const field = useRef<HTMLInputElement>(null);
  useEffect(showCurrent, [access.namespace]);

  function showCurrent(): void {
    if (field.current !== null) field.current.value = access.namespace;
  }

  function submit(event: TargetedSubmitEvent<HTMLFormElement>): void {
    const typed = fieldOf(event, "namespace");
    const namespace = typed === "" ? DEFAULT_NAMESPACE : typed;
    if (namespace !== access.namespace) change({ ...access, namespace });
  }

  /** To refuse what is none would keep the keyboard in the field. */
  function leave(event: TargetedFocusEvent<HTMLInputElement>): void {
    const { form, validity } = event.currentTarget;
    if (validity.valid) form?.requestSubmit();
    else showCurrent();
  }

  return (
    <form class="namespace" onSubmit={submit}>
      <label for="namespace">namespace</label>
      <input
        ref={field}
        id="namespace"
        name="namespace"
        pattern="[A-Za-z0-9._:\-]{1,128}"
        title="1 to 128 letters, digits and . _ : -"
        spellcheck={false}
        onBlur={leave}
      />
    </form>
  );
}

/** What was typed into a field of the form that is sent. */
export function fieldOf(event: TargetedSubmitEvent<HTMLFormElement>, name: string): string {
  event.preventDefault();
  const value = new FormData(event.currentTarget).get(name);
  return typeof value === "string" ? value.trim() : "";
}
