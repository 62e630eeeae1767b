/** An authority of the tests, and what it has signed for this machine; made anew by `openssl`, gone when the tests are. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RedisTls } from "../../src/storage/redis/index.js";
import { requireCommand } from "./system.js";

const EXTENSIONS = "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n";
const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

export class Certificates {
  private readonly folder = mkdtempSync(join(tmpdir(), "opscore-tls-"));

  constructor() {
    requireCommand("openssl");
    this.openssl(
      "req",
      "-x509",
      ...NEW_KEY,
      "-days",
      "2",
      "-subj",
      "/CN=authority",
      "-keyout",
      "ca.key",
      "-out",
      "ca.pem",
    );
    writeFileSync(join(this.folder, "extensions"), EXTENSIONS);
    this.openssl("req", ...NEW_KEY, "-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "request.pem");
    const signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "extensions"];
    this.openssl("x509", "-req", "-in", "request.pem", ...signed, "-out", "cert.pem");
  }

  /** Settings of a Redis server that takes TLS only, on one port, and wants to see a certificate. */
  settings(port: number): Readonly<Record<string, string>> {
    return {
      port: "0",
      "tls-port": String(port),
      "tls-ca-cert-file": join(this.folder, "ca.pem"),
      "tls-cert-file": join(this.folder, "cert.pem"),
      "tls-key-file": join(this.folder, "key.pem"),
      "tls-replication": "yes",
    };
  }

  /** What a client needs. */
  get client(): RedisTls {
    return { ca: this.read("ca.pem"), cert: this.read("cert.pem"), key: this.read("key.pem") };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private read(name: string): string {
    return readFileSync(join(this.folder, name), "utf8");
  }

  private openssl(...args: readonly string[]): void {
    execFileSync("openssl", args, { cwd: this.folder, stdio: "pipe" });
  }
}
