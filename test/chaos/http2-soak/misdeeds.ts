/** Clients that do not behave, each on a connection of its own: it must come to its end, and leave nothing behind. */
import { connect, type Socket } from "node:net";
import { expect } from "vitest";
import { encodeHeaders } from "../../../src/transport/http2/hpack/index.js";
import { ErrorCode, Flag, FrameType, PREFACE, Setting } from "../../../src/transport/http2/protocol.js";
import { encodeSettings } from "../../../src/transport/http2/settings.js";
import { envelope, frame } from "../../server/abuse/raw.js";
import { HUNG_MS } from "./callers.js";

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

const grpc = (path: string): Buffer =>
  encodeHeaders({
    ...{ ":method": "POST", ":scheme": "http", ":authority": "soak", ":path": path },
    ...{ "content-type": "application/grpc", te: "trailers" },
  });
const WATCH = grpc("/opscore.v1.StateService/WatchState");
const REPORTS = grpc("/opscore.v1.StateService/ReportStates");
const LIST = grpc("/opscore.v1.AgentService/ListAgents");
const PLAIN = encodeHeaders({ ":method": "POST", ":scheme": "http", ":path": "/healthz", ":authority": "soak" });
const EVERYTHING = envelope("");
/** Below what a client may reset before it is sent away. */
const RESETS = 300;

/** A connection of which every frame is told to the misdeed. */
class Peer {
  private readonly socket: Socket;
  private readonly closing: Promise<void>;
  private unread = Buffer.alloc(0);

  constructor(
    port: number,
    settings: readonly (readonly [number, number])[],
    private readonly onFrame: (frame: Frame) => void,
  ) {
    this.socket = connect(port, "127.0.0.1");
    this.socket.on("data", (chunk) => this.receive(chunk)).on("error", () => undefined);
    this.closing = new Promise((resolve) => this.socket.once("close", () => resolve()));
    this.send(PREFACE, frame(FrameType.SETTINGS, 0, 0, encodeSettings(settings)));
  }

  send(...frames: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(frames));
  }

  headers(streamId: number, block: Buffer, flags = 0): void {
    this.send(frame(FrameType.HEADERS, flags | Flag.END_HEADERS, streamId, block));
  }

  data(streamId: number, payload: Buffer | string, flags = 0): void {
    this.send(frame(FrameType.DATA, flags, streamId, payload));
  }

  number(type: number, streamId: number, value: number): void {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(value);
    this.send(frame(type, 0, streamId, payload));
  }

  pause(): void {
    this.socket.pause();
  }

  halfClose(): void {
    this.socket.end();
  }

  cut(): void {
    this.socket.destroy();
  }

  /** @throws when the connection is not closed in time */
  async closed(): Promise<void> {
    let late: NodeJS.Timeout | undefined;
    const hung = new Promise<never>((_, reject) => {
      late = setTimeout(() => reject(new Error("a connection hung")), HUNG_MS);
    });
    try {
      await Promise.race([this.closing, hung]);
    } finally {
      clearTimeout(late);
      this.socket.destroy();
    }
  }

  private receive(chunk: Buffer): void {
    this.unread = Buffer.concat([this.unread, chunk]);
    while (this.unread.length >= 9 && this.unread.length >= 9 + this.unread.readUIntBE(0, 3)) {
      const end = 9 + this.unread.readUIntBE(0, 3);
      const [type, flags, streamId] = [this.unread.readUInt8(3), this.unread.readUInt8(4), this.unread.readUInt32BE(5)];
      const payload = this.unread.subarray(9, end);
      this.unread = this.unread.subarray(end);
      this.onFrame({ type, flags, streamId, payload });
    }
  }
}

/** Those that still have their connection, which the server has closed. */
const deaf: Peer[] = [];

const isEnd = ({ type, flags }: Frame): boolean => type <= FrameType.HEADERS && (flags & Flag.END_STREAM) !== 0;

/** What it does; it answers when its connection is closed. */
type Misdeed = (port: number) => Promise<void>;

export const MISDEEDS: Readonly<Record<string, Misdeed>> = {
  /** A large answer that is read in very small pieces, and then no more. */
  async tinyWindow(port) {
    let got = 0;
    const peer = new Peer(port, [[Setting.INITIAL_WINDOW_SIZE, 1]], ({ type, payload }) => {
      if (type !== FrameType.DATA) return;
      got += payload.length;
      if (got < 300) peer.number(FrameType.WINDOW_UPDATE, 1, got % 3 === 0 ? 7 : 1);
      else peer.cut();
    });
    peer.headers(1, LIST);
    peer.data(1, EVERYTHING, Flag.END_STREAM);
    await peer.closed();
    expect(got).toBeGreaterThanOrEqual(300);
  },

  /** Large answers that nobody reads, with all the window there is. The server lets go of it; this side notices nothing, and stays. */
  async readsNothing(port) {
    for (const peer of deaf.splice(0)) peer.cut();
    let turnedDeaf: () => void = () => undefined;
    const halfClosed = new Promise<void>((resolve) => (turnedDeaf = resolve));
    const peer = new Peer(port, [[Setting.INITIAL_WINDOW_SIZE, 0x7fff_ffff]], ({ type }) => {
      if (type !== FrameType.HEADERS) return;
      peer.pause();
      setImmediate(() => {
        peer.halfClose();
        turnedDeaf();
      });
    });
    deaf.push(peer);
    peer.number(FrameType.WINDOW_UPDATE, 0, 0x7fff_0000 - 65_535);
    for (let id = 1; id < 40; id += 2) {
      peer.headers(id, LIST);
      peer.data(id, EVERYTHING, Flag.END_STREAM);
    }
    await halfClosed;
  },

  /** The window taken away from answers that are on their way. */
  async windowBelowZero(port) {
    let isShrunk = false;
    const peer = new Peer(port, [[Setting.INITIAL_WINDOW_SIZE, 30_000]], (each) => {
      if (each.type === FrameType.DATA && !isShrunk) {
        isShrunk = true;
        peer.send(frame(FrameType.SETTINGS, 0, 0, encodeSettings([[Setting.INITIAL_WINDOW_SIZE, 0]])));
        peer.number(FrameType.WINDOW_UPDATE, 1, 4_000_000);
        peer.number(FrameType.WINDOW_UPDATE, 0, 4_000_000);
      }
      if (isEnd(each)) peer.cut();
    });
    peer.headers(1, LIST);
    peer.data(1, EVERYTHING, Flag.END_STREAM);
    await peer.closed();
  },

  async resets(port) {
    const peer = new Peer(port, [], ({ type }) => {
      if (type === FrameType.PING) peer.cut();
    });
    for (let i = 0; i < RESETS; i += 1) {
      const id = 2 * i + 1;
      peer.headers(id, i % 3 === 0 ? PLAIN : WATCH);
      if (i % 2 === 0) peer.data(id, EVERYTHING, i % 4 === 0 ? Flag.END_STREAM : 0);
      peer.number(FrameType.RST_STREAM, id, ErrorCode.CANCEL);
    }
    peer.send(frame(FrameType.PING, 0, 0, "complete"));
    await peer.closed();
  },

  /** Has the server reset its streams. */
  async wrongStreams(port) {
    let resets = 0;
    const peer = new Peer(port, [], ({ type }) => {
      if (type === FrameType.RST_STREAM) resets += 1;
      if (type === FrameType.PING) peer.cut();
    });
    for (let i = 0; i < RESETS; i += 1) {
      const id = 2 * i + 1;
      peer.headers(id, i % 2 === 0 ? WATCH : PLAIN);
      if (i % 3 === 0) peer.number(FrameType.WINDOW_UPDATE, id, 0);
      else peer.headers(id, encodeHeaders({ "X-Upper": "1" }));
    }
    peer.send(frame(FrameType.PING, 0, 0, "complete"));
    await peer.closed();
    expect(resets).toBeGreaterThan(0);
  },

  async badFrames(port) {
    const wrong: readonly Buffer[] = [
      frame(FrameType.PUSH_PROMISE, Flag.END_HEADERS, 1, "1234"),
      frame(FrameType.HEADERS, Flag.END_HEADERS, 3, Buffer.alloc(20, 0xff)),
      frame(FrameType.WINDOW_UPDATE, 0, 0, Buffer.alloc(4)),
      Buffer.from("ffffff0000000000010000", "hex"),
      frame(FrameType.CONTINUATION, 0, 1, "x"),
    ];
    for (const bytes of wrong) {
      let code = 0;
      const peer = new Peer(port, [], ({ type, payload }) => {
        if (type === FrameType.GOAWAY) code = payload.readUInt32BE(4);
      });
      peer.headers(1, WATCH);
      peer.data(1, EVERYTHING, Flag.END_STREAM);
      peer.send(bytes);
      await peer.closed();
      expect(code).not.toBe(ErrorCode.NO_ERROR);
    }
  },

  /** Gone in the middle of a frame, of a header block, of a message; with watches open. */
  async cutOff(port) {
    const rests: readonly Buffer[] = [
      frame(FrameType.DATA, 0, 3, Buffer.alloc(1000)).subarray(0, 500),
      frame(FrameType.HEADERS, 0, 5, WATCH),
      frame(FrameType.DATA, 0, 3, envelope("half", 0, 1_000_000)),
    ];
    for (const [index, rest] of rests.entries()) {
      const peer = new Peer(port, [], ({ type }) => {
        if (type !== FrameType.DATA) return;
        peer.send(rest);
        if (index === 1) peer.halfClose();
        else setImmediate(() => peer.cut());
      });
      peer.headers(1, WATCH);
      peer.data(1, EVERYTHING, Flag.END_STREAM);
      peer.headers(3, REPORTS);
      await peer.closed();
    }
  },

  /** Half-closes with a watch, a stream of reports and something for the bridge open. */
  async halfCloses(port) {
    const peer = new Peer(port, [], ({ type }) => {
      if (type === FrameType.DATA) peer.halfClose();
    });
    peer.headers(1, WATCH);
    peer.data(1, EVERYTHING, Flag.END_STREAM);
    peer.headers(3, REPORTS);
    peer.headers(5, PLAIN);
    await peer.closed();
  },

  /** Goes on sending when it has its answer, and then goes wrong. */
  async wrongAfterTheAnswer(port) {
    for (let i = 0; i < 10; i += 1) {
      const peer = new Peer(port, [], (each) => {
        if (each.type === FrameType.RST_STREAM) peer.cut();
        else if (isEnd(each)) peer.send(frame(FrameType.DATA, 0, 1, "more"), frame(FrameType.HEADERS, 4, 1, PLAIN));
      });
      peer.headers(1, PLAIN);
      if (i % 2 === 0) peer.send(frame(FrameType.DATA, 0, 1, "more"), frame(FrameType.HEADERS, 4, 1, PLAIN));
      await peer.closed();
    }
  },

  /** A message in single bytes, and frames that have nothing in them. */
  async crumbs(port) {
    const peer = new Peer(port, [], (each) => {
      if (isEnd(each)) peer.cut();
    });
    const message = envelope(Buffer.alloc(2_000));
    peer.headers(1, LIST);
    peer.send(...[...message].map((byte) => frame(FrameType.DATA, 0, 1, Buffer.of(byte))));
    for (let i = 0; i < 500; i += 1) peer.data(1, "");
    peer.data(1, "", Flag.END_STREAM);
    await peer.closed();
  },
};
