/** How browsers get the page: of a server as it is shipped, as other programs see it. */
import { gunzipSync } from "node:zlib";
import { request } from "node:http";
import { beforeAll, afterAll, describe, expect, it } from "vitest";
import { ServerProcess } from "../helpers/server-process.js";

let server: ServerProcess;

beforeAll(async () => {
  server = await ServerProcess.startUnowned();
});

afterAll(() => server.stop());

interface Answer {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** As it is sent: nothing is unpacked, nothing followed. */
function get(path: string, headers: Readonly<Record<string, string>> = {}, method = "GET"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request(server.url + path, { headers, method }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () =>
        resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    })
      .on("error", reject)
      .end();
  });
}

describe("the page", () => {
  it("is what a browser is sent to, and nobody else", async () => {
    const browser = await get("/", { accept: "text/html,application/xhtml+xml,*/*;q=0.8" });
    expect(browser).toMatchObject({ status: 307, headers: { location: "dashboard" } });
    expect(await get("/", { accept: "*/*" })).toMatchObject({ status: 404 });
    // Nothing here knows what a proxy has put before the path.
    const named = { "/?namespace=a": "dashboard?namespace=a", "/dashboard/": "../dashboard" };
    for (const [path, location] of Object.entries({ ...named, "/dashboard//?a": "../../dashboard?a" })) {
      expect(await get(path, { accept: "text/html" }), path).toMatchObject({ status: 307, headers: { location } });
    }
  });

  it("consists of files that it names, and of no more", async () => {
    const { status, headers, body } = await get("/dashboard");
    expect(status).toBe(200);
    expect(headers["content-type"]).toBe("text/html; charset=utf-8");
    const named = [...body.toString().matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => `/${path ?? ""}`);
    expect(named.sort()).toEqual(["/dashboard/app.js", "/dashboard/icon.svg", "/dashboard/style.css"]);
    for (const path of named) expect((await get(path)).status, path).toBe(200);
    for (const path of ["/dashboard/main.tsx", "/dashboard/..%2f..%2fserver.js", "/dashboard/app.js.map"]) {
      expect((await get(path)).status, path).toBe(404);
    }
  });

  it("may load and call nothing but its own server, and be shown in no other page", async () => {
    const { headers } = await get("/dashboard");
    expect(headers["content-security-policy"]).toContain("default-src 'none'");
    expect(headers["content-security-policy"]).toContain("frame-ancestors 'none'");
    expect(headers["content-security-policy"]).not.toContain("unsafe");
    expect(headers).toMatchObject({ "x-content-type-options": "nosniff", "referrer-policy": "no-referrer" });
  });

  it("is sent packed to those who can unpack it, and only when it has changed", async () => {
    const plain = await get("/dashboard/app.js");
    const packed = await get("/dashboard/app.js", { "accept-encoding": "br, gzip" });
    expect(packed.headers["content-encoding"]).toBe("gzip");
    expect(packed.headers["vary"]).toBe("accept-encoding");
    expect(packed.body.length).toBeLessThan(plain.body.length / 2);
    expect(gunzipSync(packed.body).equals(plain.body)).toBe(true);

    for (const refusal of ["gzip;q=0", "identity, gzip; q=0.000", "x-gzip-like", "*;q=0"]) {
      const { headers } = await get("/dashboard/app.js", { "accept-encoding": refusal });
      expect(headers["content-encoding"], refusal).toBeUndefined();
    }
    for (const wish of ["gzip;q=0.5", "br;q=1.0,GZIP"]) {
      const { headers } = await get("/dashboard/app.js", { "accept-encoding": wish });
      expect(headers["content-encoding"], wish).toBe("gzip");
    }

    const { etag = "" } = plain.headers;
    const same = await get("/dashboard/app.js", { "if-none-match": String(etag) });
    expect(same).toMatchObject({ status: 304, body: Buffer.alloc(0) });
    expect((await get("/dashboard/app.js", { "if-none-match": '"another"' })).status).toBe(200);
    const head = await get("/dashboard/app.js", {}, "HEAD");
    expect(head).toMatchObject({ status: 200, body: Buffer.alloc(0) });
    expect(head.headers["content-length"]).toBe(String(plain.body.length));
  });

  it("says whose code is in it", async () => {
    const code = (await get("/dashboard/app.js")).body.toString();
    for (const name of ["preact", "@connectrpc/connect", "@connectrpc/connect-web", "@bufbuild/protobuf"]) {
      expect(code).toMatch(new RegExp(`/\\*! ${name} \\d+\\.\\d+\\.\\d+ \\| Copyright `));
    }
  });

  it("is not there when it is not wanted", async () => {
    const without = await ServerProcess.start({ OPSCORE_DASHBOARD: "false" });
    for (const path of ["/", "/dashboard", "/dashboard/app.js"]) {
      const { status } = await fetch(without.url + path, { headers: { accept: "text/html" } });
      expect(status, path).toBe(404);
    }
  });
});
