import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { expect, it, onTestFinished } from "vitest";
import { Http1Side } from "../../src/transport/http1-server.js";

/** A side behind a real port, and its requests, which the test answers. */
async function open() {
  const responses: ServerResponse[] = [];
  let asked: () => void = () => undefined;
  const side = new Http1Side({
    requestTimeoutMs: 10_000,
    idleTimeoutMs: 10_000,
    handle: (_request, response) => {
      responses.push(response);
      asked();
    },
  });
  const server = createServer({ allowHalfOpen: true }, (socket) => side.accept(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    side.close();
    server.close();
  });
  const client = (): Socket => connect((server.address() as AddressInfo).port, "127.0.0.1");
  const requested = async (count: number): Promise<void> => {
    while (responses.length < count) await new Promise<void>((resolve) => (asked = resolve));
  };
  return { side, client, responses, requested };
}

const REQUEST = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

it.each([
  ["before the first answer", 0],
  ["between the answers", 1],
])("answers every request of a client that has sent several, when it is to end %s", async (_, before) => {
  const { side, client, responses, requested } = await open();
  const socket = client();
  const received = text(socket);
  socket.write(REQUEST.repeat(2));
  await requested(2);
  const answer = async (index: number): Promise<void> => {
    const response = responses[index];
    response?.end(`answer ${index}`);
    if (response !== undefined) await once(response, "close");
  };
  if (before === 1) await answer(0);
  side.drain();
  if (before === 0) await answer(0);
  await answer(1);
  expect((await received).match(/answer \d/g)).toEqual(["answer 0", "answer 1"]);
});

it("closes what is idle when it is to end", async () => {
  const { side, client, responses, requested } = await open();
  const socket = client();
  const received = text(socket);
  socket.write(REQUEST);
  await requested(1);
  responses[0]?.end("answer 0");
  if (responses[0] !== undefined) await once(responses[0], "close");
  side.drain();
  expect((await received).match(/answer \d/g)).toEqual(["answer 0"]);
});
