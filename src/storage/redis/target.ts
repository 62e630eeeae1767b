/** Where Redis is, and how it is reached. */
export interface RedisTarget {
  /** `redis://` or `rediss://`, with user, password and database as usual. */
  readonly url: string;
}
