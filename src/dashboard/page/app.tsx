import { useEffect, useMemo, useState } from "preact/hooks";
import { currentAccess, keepAccess, openClient, type Access } from "./access.js";
import { NamespaceForm } from "./parts/access-forms.js";
import { Server } from "./server.js";
import { useRoute, type Route } from "./route.js";
import { AgentView } from "./views/agent.js";
import { AgentsView } from "./views/agents.js";
import { SessionView } from "./views/session.js";
import { SessionsView } from "./views/sessions.js";

export function App() {
  const [access, setAccess] = useState(currentAccess);
  const client = useMemo(() => openClient(access), [access]);
  useEffect(() => () => client.close(), [client]);
  useEffect(() => {
    const follow = () =>
      setAccess((known) => (known.namespace === currentAccess().namespace ? known : currentAccess()));
    addEventListener("popstate", follow);
    return () => removeEventListener("popstate", follow);
  }, []);
  const route = useRoute();

  function change(next: Access): void {
    keepAccess(next);
    setAccess(next);
  }

  return (
    <Server.Provider value={{ client, access, change }}>
      <Header route={route} />
      <main>
        <View route={route} />
      </main>
    </Server.Provider>
  );
}

function Header({ route: { page } }: { readonly route: Route }) {
  return (
    <header>
      <a class="brand" href="#/">
        <img src="dashboard/icon.svg" alt="" width="24" height="24" /> Ops-Core
      </a>
      <nav aria-label="What is shown">
        <a href="#/agents" aria-current={page === "agents" || page === "agent" ? "page" : undefined}>
          Agents
        </a>
        <a href="#/sessions" aria-current={page === "sessions" || page === "session" ? "page" : undefined}>
          Sessions
        </a>
      </nav>
      <NamespaceForm />
    </header>
  );
}

function View({ route }: { readonly route: Route }) {
  switch (route.page) {
    case "agents":
      return <AgentsView />;
    case "agent":
      return <AgentView key={route.agentId} agentId={route.agentId} />;
    case "sessions":
      return <SessionsView />;
    case "session":
      return <SessionView key={route.sessionId} sessionId={route.sessionId} />;
  }
}
