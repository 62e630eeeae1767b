/** What is counted of the watches and waits of a hub. Plain numbers, read when somebody asks for metrics. */
export class WatchStats {
  /** Watches that are open, and how many of them are pushed what happens; the others are catching up. */
  watchers = 0;
  live = 0;
  /** Waits that are open. */
  waits = 0;
  /** Events that watchers took. */
  events = 0;
  /** How often a watcher was told RESYNC. */
  resyncs = 0;
  /** How often a watcher was parked because its reader was too slow. */
  parked = 0;
  /** Changes that the log brought. */
  agentCommits = 0;
  sessionCommits = 0;
}
