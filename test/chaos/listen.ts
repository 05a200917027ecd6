/** A listener: the client library, and what it heard. */
import { TtsClient, TtsError, type AudioChunk } from "../../client/index.ts";
import type { EndOfStreamMessage } from "../../protocol/messages.ts";

export interface Heard {
  audio: AudioChunk[];
  /** Exactly one of them. */
  eos?: EndOfStreamMessage;
  error?: TtsError;
  /** The last seq that was there each time the connection was lost. */
  lostAfter: number[];
}

export interface Listening {
  binary?: boolean;
  /** How long the client tries to have a lost connection back. */
  resumeForMs?: number;
  /** Waited for before the next chunk is taken. */
  onChunk?: () => Promise<void>;
}

export async function listen(wsUrl: string, { onChunk, ...options }: Listening = {}): Promise<Heard> {
  const heard: Heard = { audio: [], lostAfter: [] };
  const onReconnect = (after: number) => heard.lostAfter.push(after);
  const chunks = new TtsClient("").stream(wsUrl, { ...options, onReconnect });
  try {
    for (;;) {
      const { done, value } = await chunks.next();
      if (done) return { ...heard, eos: value };
      heard.audio.push(value);
      await onChunk?.();
    }
  } catch (error) {
    if (!(error instanceof TtsError)) throw error;
    return { ...heard, error };
  }
}
