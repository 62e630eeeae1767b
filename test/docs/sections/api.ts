import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Idempotency } from "@bufbuild/protobuf/wkt";
import { AgentService } from "../../../gen/opscore/v1/agent_service_pb.js";
import { SessionService } from "../../../gen/opscore/v1/session_service_pb.js";
import { StateService } from "../../../gen/opscore/v1/state_service_pb.js";
import { TaskService } from "../../../gen/opscore/v1/task_service_pb.js";
import { WebhookService } from "../../../gen/opscore/v1/webhook_service_pb.js";
import { WorkflowService } from "../../../gen/opscore/v1/workflow_service_pb.js";
import { root } from "../../helpers/repository.js";
import { code, table } from "../markdown.js";

const KINDS = {
  unary: "one request, one answer",
  server_streaming: "a stream of answers",
  client_streaming: "a stream of requests",
  bidi_streaming: "streams both ways",
} as const;

const REPEATS = {
  [Idempotency.IDEMPOTENCY_UNKNOWN]: "",
  [Idempotency.NO_SIDE_EFFECTS]: "reads only",
  [Idempotency.IDEMPOTENT]: "safe to repeat",
} as const;

/** Every call of every service, with the first sentence of its comment. */
export function services(): string {
  return [AgentService, StateService, SessionService, WorkflowService, TaskService, WebhookService]
    .map(describeService)
    .join("\n\n");
}

function describeService(service: DescService): string {
  const file = `proto/${service.file.name}.proto`;
  const text = readFileSync(join(root, file), "utf8");
  return [
    `### ${service.name}`,
    `[${code(file)}](../${file})`,
    table(
      ["Call", "Kind", "", "What it does"],
      service.methods.map((method) => [
        code(method.name),
        KINDS[method.methodKind],
        method.input.fields.some(({ name }) => name === "request_id")
          ? "safe to repeat with a `request_id`"
          : REPEATS[method.idempotency],
        firstSentence(commentOf(method, text)),
      ]),
    ),
  ].join("\n\n");
}

function commentOf({ name }: DescMethod, text: string): string {
  const lines = text
    .slice(0, text.indexOf(`  rpc ${name}(`))
    .trimEnd()
    .split("\n");
  const start = lines.findLastIndex((line) => !line.trim().startsWith("//")) + 1;
  return lines
    .slice(start)
    .map((line) => line.replace(/^\s*\/\/ ?/, ""))
    .join(" ");
}

function firstSentence(text: string): string {
  return /^.*?\.(?= |$)/.exec(text)?.[0] ?? text;
}
