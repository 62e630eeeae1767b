/**
 * The settings of the Redis storage: a part of the one table. What tells where Redis is has the name that it has everywhere
 * (`REDIS_URL`); what tells what Ops-Core does with it begins with `OPSCORE_REDIS_`.
 */
import { duration, integer, optionalText, secret, text, type Setting } from "./kinds.js";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const PASSWORD = /^[^\r\n]{1,1024}$/;
const FILE = /^[^\0\r\n]{1,4096}$/;

export const REDIS_SETTINGS = {
  /** Where Redis is. A secret, because a password may be part of it. */
  redisUrl: secret({
    env: "REDIS_URL",
    flag: "redis-url",
    description:
      "Where Redis is: `redis://HOST:PORT`, `redis-sentinel://HOST:PORT,HOST:PORT/MASTER` or `redis-cluster://HOST:PORT,HOST:PORT`; `rediss` instead of `redis` for TLS. Wins over REDIS_HOST and REDIS_PORT. May hold a user and a password.",
    pattern: /^[a-z][a-z-]*:\/\/\S+$/,
    expects: "a URL such as redis://127.0.0.1:6379",
  }),
  /** The host of Redis, as the older service called it. */
  redisHost: text({
    env: "REDIS_HOST",
    flag: "redis-host",
    default: "127.0.0.1",
    description: "The host of Redis, when there is no REDIS_URL.",
    pattern: /^[A-Za-z0-9.:_%-]{1,255}$/,
    expects: "a host name or an IP address",
  }),
  /** The port of Redis, as the older service called it. */
  redisPort: integer({
    env: "REDIS_PORT",
    flag: "redis-port",
    default: 6379,
    min: 1,
    max: 65_535,
    description: "The port of Redis, when there is no REDIS_URL.",
  }),
  /** The ACL user. */
  redisUsername: optionalText({
    env: "REDIS_USERNAME",
    flag: "redis-username",
    description: "The ACL user of Redis, when REDIS_URL names none.",
    pattern: /^\S{1,256}$/,
    expects: "1 to 256 characters without spaces",
  }),
  /** The password. */
  redisPassword: secret({
    env: "REDIS_PASSWORD",
    flag: "redis-password",
    description: "The password of that user, or of the default one, when REDIS_URL has none.",
    pattern: PASSWORD,
    expects: "1 to 1024 characters on one line",
  }),
  /** As whom the Sentinels are asked. */
  redisSentinelUsername: optionalText({
    env: "REDIS_SENTINEL_USERNAME",
    flag: "redis-sentinel-username",
    description: "The ACL user of the Sentinels, when they ask for one and REDIS_URL names none.",
    pattern: /^\S{1,256}$/,
    expects: "1 to 256 characters without spaces",
  }),
  /** Their password. */
  redisSentinelPassword: secret({
    env: "REDIS_SENTINEL_PASSWORD",
    flag: "redis-sentinel-password",
    description: "The password of the Sentinels.",
    pattern: PASSWORD,
    expects: "1 to 1024 characters on one line",
  }),
  /** Who may have signed the certificate of Redis. */
  redisTlsCaFile: optionalText({
    env: "REDIS_TLS_CA_FILE",
    flag: "redis-tls-ca-file",
    description:
      "A PEM file with the authorities that may have signed the certificate of Redis. Not set: those that Node.js knows.",
    pattern: FILE,
    expects: "the name of a file",
  }),
  /** What the server shows of itself to Redis. */
  redisTlsCertFile: optionalText({
    env: "REDIS_TLS_CERT_FILE",
    flag: "redis-tls-cert-file",
    description: "A PEM file with the certificate to show to Redis.",
    pattern: FILE,
    expects: "the name of a file",
  }),
  /** Its key. */
  redisTlsKeyFile: optionalText({
    env: "REDIS_TLS_KEY_FILE",
    flag: "redis-tls-key-file",
    description: "A PEM file with the key of that certificate.",
    pattern: FILE,
    expects: "the name of a file",
  }),
  /** The name that the certificate of Redis must have. */
  redisTlsServername: optionalText({
    env: "REDIS_TLS_SERVERNAME",
    flag: "redis-tls-servername",
    description: "The name that the certificate of Redis must have. Not set: the host.",
    pattern: /^[A-Za-z0-9._-]{1,255}$/,
    expects: "a host name",
  }),
  /** What all keys begin with. */
  redisPrefix: text({
    env: "OPSCORE_REDIS_PREFIX",
    flag: "redis-prefix",
    default: "opscore",
    description: "What all keys begin with. Deployments with different prefixes share a Redis.",
    pattern: /^[A-Za-z0-9._-]{1,64}$/,
    expects: "1 to 64 characters of [A-Za-z0-9._-]",
  }),
  /** Over how many partitions the deployment is spread; 0: as many as it has. */
  redisPartitions: integer({
    env: "OPSCORE_REDIS_PARTITIONS",
    flag: "redis-partitions",
    default: 0,
    min: 0,
    max: 256,
    description:
      "Over how many partitions the state is spread: chosen when it is created, and never changed. 0: as many as it has, 16 when it is created.",
  }),
  /** For how long a command may take, in milliseconds. */
  redisCommandTimeoutMs: duration({
    env: "OPSCORE_REDIS_COMMAND_TIMEOUT",
    flag: "redis-command-timeout",
    default: 900,
    min: 50,
    max: MINUTE,
    description: "For how long Redis may take to answer before a call fails with UNAVAILABLE.",
  }),
  /** How many replicas of Redis must have a commit before it is answered. */
  redisWaitReplicas: integer({
    env: "OPSCORE_REDIS_WAIT_REPLICAS",
    flag: "redis-wait-replicas",
    default: 0,
    min: 0,
    max: 16,
    description:
      "How many replicas of Redis must have a commit before it is answered. With fewer it fails with UNAVAILABLE, though it may have happened.",
  }),
  /** For how long to try to reach Redis at the start, in milliseconds. */
  redisConnectTimeoutMs: duration({
    env: "OPSCORE_REDIS_CONNECT_TIMEOUT",
    flag: "redis-connect-timeout",
    default: 10 * SECOND,
    min: 100,
    max: 10 * MINUTE,
    description: "For how long to try to reach Redis at the start before giving up.",
  }),
} as const satisfies Record<string, Setting<unknown>>;
