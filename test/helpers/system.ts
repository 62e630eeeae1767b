/**
 * Programs of the system that tests call. A test that needs one says so here and then has it: what is missing is installed where
 * that is possible, and elsewhere the test fails and says what to install. It is never skipped.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { root } from "./repository.js";

/** Sees to it that a command is there whose Debian package has the same name: `requireCommand("curl")`. */
export function requireCommand(name: string): void {
  provide(name);
}

/** @returns the Python interpreter that has grpcio and protobuf; not always the first `python3` on the path */
export function requirePythonGrpc(): string {
  provide("python-grpc");
  const found = ["python3", "/usr/bin/python3"].find(
    (python) => spawnSync(python, ["-c", "import grpc, google.protobuf"]).status === 0,
  );
  if (found === undefined) throw new Error("no python3 that can import grpc and google.protobuf");
  return found;
}

function provide(name: string): void {
  execFileSync("bash", [".ci/system", name], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
}
