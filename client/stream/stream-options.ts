/** What a stream takes and gives. */
import type { NoticeMessage } from "../../protocol/messages.ts";

/** A piece of audio, as long as the gateway makes its messages: 20 ms at the start, then up to 100 ms. */
export interface AudioChunk {
  /** Its number: 1, 2, 3, ... without a hole. */
  seq: number;
  /** Whole samples, packets or pages of the format that was asked for; its `buffer` holds nothing else. */
  audio: Uint8Array<ArrayBuffer>;
  /** When its first sample is heard, in ms from the stream's start; a `binary` stream does not say. */
  ptsMs?: number;
}

/** How a stream is received. */
export interface StreamOptions {
  /** Ends the stream with the signal's reason, and cancels its session: nothing goes on speaking to nobody. */
  signal?: AbortSignal;
  /** The `seq` of the last chunk that is there already, from a stream that was lost; default 0. */
  after?: number;
  /** Whether audio comes as binary frames: a quarter fewer bytes, but no `ptsMs`. Default false. */
  binary?: boolean;
  /**
   * For how long the client tries to get a lost connection back while nothing comes, in ms; 0: it does not try. Default
   * 60,000, as long as the gateway keeps a stream going without its client (RECONNECT_GRACE_MS).
   */
  resumeForMs?: number;
  /** Called when a connection was lost (1006) or closed, before the next one is made, which goes on after seq `after`. */
  onReconnect?: (after: number, closeCode: number) => void;
  /** Called when another voice goes on, and again on each connection that comes after it. */
  onNotice?: (notice: NoticeMessage) => void;
}
