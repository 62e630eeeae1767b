/** `docker-compose.yml` as Compose reads it, as far as it is used here. Anything else in it is an error. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { root } from "../helpers/repository.js";

const Healthcheck = z.strictObject({
  test: z.tuple([z.enum(["CMD", "CMD-SHELL"])], z.string()),
  interval: z.string(),
  timeout: z.string(),
  retries: z.number(),
});

const Service = z.strictObject({
  image: z.string(),
  build: z.string().optional(),
  profiles: z.array(z.string()).optional(),
  restart: z.enum(["unless-stopped", "no"]),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()).optional(),
  ports: z.array(z.string()).optional(),
  volumes: z.array(z.string()).optional(),
  networks: z.union([z.array(z.string()), z.record(z.string(), z.strictObject({ ipv4_address: z.ipv4() }))]).optional(),
  healthcheck: Healthcheck.optional(),
  stop_grace_period: z.string().optional(),
  depends_on: z
    .record(z.string(), z.strictObject({ condition: z.enum(["service_healthy", "service_completed_successfully"]) }))
    .optional(),
});
export type Service = z.infer<typeof Service>;

const Compose = z.strictObject({
  name: z.string(),
  "x-server": z.unknown(),
  services: z.record(z.string(), Service),
  volumes: z.record(z.string(), z.null()),
  networks: z.record(z.string(), z.unknown()),
});

/** @param env what `${NAME:-default}` stands for; Compose takes it from its own environment */
export function readCompose(env: Readonly<Record<string, string>> = {}): ReadonlyMap<string, Service> {
  const text = readFileSync(join(root, "docker-compose.yml"), "utf8").replace(
    /\$\{(\w+):-([^}]*)\}/g,
    (_, name: string, otherwise: string) => env[name] ?? otherwise,
  );
  const { services } = Compose.parse(parse(text, { merge: true }));
  return new Map(Object.entries(services));
}

/** What the last stage of the `Dockerfile` says. */
export interface Image {
  readonly base: string;
  readonly user: string;
  readonly env: Readonly<Record<string, string>>;
  readonly ports: readonly number[];
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly healthcheck: readonly string[];
  /** What it takes from the stage before. */
  readonly copied: readonly string[];
  /** What the stage before takes from the project. */
  readonly sources: readonly string[];
}

const Words = z.array(z.string());

/** @throws when it holds an instruction that nobody knows here */
export function readDockerfile(): Image {
  const lines = readFileSync(join(root, "Dockerfile"), "utf8")
    .replace(/^#.*\n/gm, "")
    .replace(/\\\n\s*/g, " ")
    .split("\n")
    .filter((line) => line !== "");
  const image = {
    ...{ base: "", user: "root", env: {}, ports: [], entrypoint: [], command: [], healthcheck: [] },
    ...{ copied: [], sources: [] },
  } as { -readonly [K in keyof Image]: Image[K] };
  for (const line of lines) {
    const [, instruction = "", rest = ""] = /^(\w+) (.*)$/.exec(line) ?? [];
    switch (instruction) {
      case "FROM":
        [image.base = ""] = rest.split(" ");
        break;
      case "ENV":
        for (const pair of rest.trim().split(/\s+/)) {
          const [name = "", value = ""] = pair.split("=");
          image.env = { ...image.env, [name]: value };
        }
        break;
      case "COPY": {
        const words = rest.split(" ");
        if (words[0] === "--from=build") image.copied = [...image.copied, ...words.slice(1, -1)];
        else image.sources = [...image.sources, ...words.slice(0, -1)];
        break;
      }
      case "USER":
        image.user = rest;
        break;
      case "EXPOSE":
        image.ports = [...image.ports, Number(rest)];
        break;
      case "HEALTHCHECK":
        image.healthcheck = Words.parse(JSON.parse(rest.slice(rest.indexOf("CMD ") + 4)));
        break;
      case "ENTRYPOINT":
        image.entrypoint = Words.parse(JSON.parse(rest));
        break;
      case "CMD":
        image.command = Words.parse(JSON.parse(rest));
        break;
      case "WORKDIR":
      case "RUN":
        break;
      default:
        throw new Error(`nobody knows what ${line} does`);
    }
  }
  return image;
}
