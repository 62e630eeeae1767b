import type { TargetedSubmitEvent } from "preact";
import { DEFAULT_NAMESPACE } from "../access.js";
import { useServer } from "../server.js";

/** Asks for the API key that the server wants. */
export function SignIn() {
  const { access, change } = useServer();
  return (
    <form class="sign-in" onSubmit={(event) => change({ ...access, apiKey: fieldOf(event, "key") })}>
      <label for="key">
        {access.apiKey === "" ? "This server wants its API key." : "This is not the server's API key."}
      </label>
      <div>
        <input
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

  function submit(event: TargetedSubmitEvent<HTMLFormElement>): void {
    const typed = fieldOf(event, "namespace");
    const namespace = typed === "" ? DEFAULT_NAMESPACE : typed;
    if (namespace !== access.namespace) change({ ...access, namespace });
  }

  return (
    <form class="namespace" onSubmit={submit}>
      <label for="namespace">namespace</label>
      <input
        key={access.namespace}
        id="namespace"
        name="namespace"
        defaultValue={access.namespace}
        pattern="[A-Za-z0-9._:\-]{1,128}"
        title="1 to 128 letters, digits and . _ : -"
        spellcheck={false}
        onBlur={(event) => event.currentTarget.form?.requestSubmit()}
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
