/** Where Redis is, and how it is reached. A plain record: `parseRedisUrl` makes one from a URL. */
export type RedisTarget = StandaloneTarget | SentinelTarget | ClusterTarget;

/** A host name or an IP address, without brackets, and a TCP port. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

/** Who connects. Without a name, the password is that of the user `default`. */
export interface RedisUser {
  readonly username?: string;
  readonly password?: string;
}

/** How TLS is spoken. Certificates and keys are PEM texts. */
export interface RedisTls {
  /** Who may have signed the server's certificate; not given: the authorities that Node.js knows. */
  readonly ca?: string;
  /** What this client shows of itself, and its key. */
  readonly cert?: string;
  readonly key?: string;
  /** The name that the server's certificate must have; not given: the host. */
  readonly servername?: string;
  /** False takes any certificate: for tests. */
  readonly rejectUnauthorized?: boolean;
}

interface Common extends RedisUser {
  /** Not given: plain TCP. */
  readonly tls?: RedisTls;
}

/** One server. */
export interface StandaloneTarget extends Common {
  readonly kind: "standalone";
  readonly address: RedisAddress;
  readonly database?: number;
}

/** A primary that Sentinels know the address of. */
export interface SentinelTarget extends Common {
  readonly kind: "sentinel";
  /** Some of the Sentinels; they are asked in this order. */
  readonly sentinels: readonly RedisAddress[];
  /** What the Sentinels call the primary. */
  readonly masterName: string;
  /** As whom to ask the Sentinels. */
  readonly sentinelUser?: RedisUser;
  readonly database?: number;
}

/** A Redis Cluster. */
export interface ClusterTarget extends Common {
  readonly kind: "cluster";
  /** Some of the nodes; the others are found through them. */
  readonly seeds: readonly RedisAddress[];
}

/** A target for people to read, without what is secret: `redis-sentinel://10.0.0.1:26379,10.0.0.2:26379/primary`. */
export function describeTarget(target: RedisTarget): string {
  const scheme = target.tls === undefined ? "redis" : "rediss";
  switch (target.kind) {
    case "standalone":
      return `${scheme}://${formatAddress(target.address)}/${target.database ?? 0}`;
    case "sentinel":
      return `${scheme}-sentinel://${target.sentinels.map(formatAddress).join(",")}/${target.masterName}`;
    case "cluster":
      return `${scheme}-cluster://${target.seeds.map(formatAddress).join(",")}`;
  }
}

/** `HOST:PORT`, with brackets around an IPv6 address. */
export function formatAddress({ host, port }: RedisAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
