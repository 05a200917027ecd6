/** Logs as the tests of the message log need them. */
import { MessageLog, type LogSettings } from "../../../worker/message-log/message-log.ts";
import type { Message } from "../../../worker/message-log/message.ts";
import type { VoiceChange } from "../../../worker/message-log/stored-row.ts";
import { MemoryLogStore } from "./memory-log-store.ts";

/** One sample is one ms, of the encoded stream and of the PCM. */
export const SETTINGS: LogSettings = { sampleRateHz: 1_000, pcmRateHz: 1_000, runUpStart: (samples) => samples };

/** Bytes that tell where they stand in a stream. */
export const countingBytes = (length: number, from = 0) => Uint8Array.from({ length }, (_, i) => (from + i) % 251);

export function openLog(
  store = new MemoryLogStore(),
  settings: Partial<LogSettings> = {},
  onChange: (change: VoiceChange) => void = () => {},
): MessageLog {
  return new MessageLog(store, { ...SETTINGS, ...settings }, onChange);
}

/** So many messages of 100 samples and `bytesEach`. */
export function appendMessages(log: MessageLog, count: number, bytesEach = 10): void {
  for (let i = 0; i < count; i++) log.append(100, countingBytes(bytesEach, log.end.bytes));
}

export function messagesOf(log: MessageLog, after = 0): Message[] {
  const read = log.reader();
  return Array.from({ length: log.end.seq - after }, (_, i) => read(after + 1 + i));
}
