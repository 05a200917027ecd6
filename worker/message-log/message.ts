/** One numbered piece of an encoded stream, as every client gets it. */
export interface Message {
  /** 1, 2, 3, ... */
  seq: number;
  /** When its first sample is heard, in ms from the start of the stream; an encoder's delay is included. */
  startMs: number;
  /** When its last sample was heard, likewise. */
  endMs: number;
  /** Bytes of the stream up to its end. */
  endByte: number;
  data: Uint8Array;
}
