/** So many pieces that came one by one become one. */
const JOINED = 64;
/** A piece is copied when what it was received with is so many times as long. */
const MAX_EXCESS = 4;

/**
 * What came on a stream while nobody read it. A window counts bytes, not frames, and not what came with them: kept as they come, a
 * window of very small ones would take a hundred times its size.
 */
export class Unread {
  private readonly pieces: Buffer[] = [];
  /** The last so many have not been joined. */
  private loose = 0;
  /** All of it. */
  bytes = 0;

  get isEmpty(): boolean {
    return this.pieces.length === 0;
  }

  push(piece: Buffer): void {
    this.bytes += piece.length;
    this.pieces.push(owned(piece));
    this.loose += 1;
    if (this.loose < JOINED) return;
    this.pieces.push(joined(this.pieces.splice(-JOINED)));
    this.loose = 0;
  }

  shift(): Buffer | undefined {
    const piece = this.pieces.shift();
    this.loose = Math.min(this.loose, this.pieces.length);
    this.bytes -= piece?.length ?? 0;
    return piece;
  }
}

/** What may be kept: the piece, or a copy of it when it would keep much more than itself in memory. */
export function owned(piece: Buffer): Buffer {
  return piece.length * MAX_EXCESS >= piece.buffer.byteLength ? piece : joined([piece]);
}

/** One piece with memory of its own. */
function joined(pieces: readonly Buffer[]): Buffer {
  const whole = Buffer.allocUnsafeSlow(pieces.reduce((bytes, { length }) => bytes + length, 0));
  let at = 0;
  for (const piece of pieces) at += piece.copy(whole, at);
  return whole;
}
