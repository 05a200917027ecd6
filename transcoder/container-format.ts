import type { Encoded } from "./codec.ts";

/** Turns a codec's packets into the bytes of a stream. */
export interface Container {
  /** What a stream begins with; empty for formats that have no header. */
  readonly header: Uint8Array;
  /** The piece of the stream that `packet` completes, if it does. */
  push(packet: Encoded): Encoded | undefined;
  /**
   * What is left, to the stream's end.
   * @param tail the encoder's last packets.
   * @param inputSamples all that went into the encoder since the start of the stream, at its rate.
   */
  end(tail: readonly Encoded[], inputSamples: number): Encoded[];
}

/** For a format whose packets need nothing round them. */
export class PacketsAlone implements Container {
  readonly header: Uint8Array;

  constructor(header: Uint8Array) {
    this.header = header;
  }

  push(packet: Encoded): Encoded {
    return packet;
  }

  end(tail: readonly Encoded[]): Encoded[] {
    return [...tail];
  }
}
