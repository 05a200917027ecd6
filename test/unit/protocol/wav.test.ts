import { expect, it } from "vitest";
import { setWavLength, wavHeader } from "../../../protocol/wav.ts";

it("a WAV header says 16-bit mono PCM at its rate, of unknown length", () => {
  const view = new DataView(wavHeader(22_050).buffer);
  const text = (at: number) => String.fromCharCode(...new Uint8Array(view.buffer, at, 4));
  expect(view.byteLength).toBe(44);
  expect([text(0), text(8), text(12), text(36)]).toEqual(["RIFF", "WAVE", "fmt ", "data"]);
  expect([view.getUint32(4, true), view.getUint32(40, true)]).toEqual([0xffff_ffff, 0xffff_ffff]);
  expect({
    formatBytes: view.getUint32(16, true),
    format: view.getUint16(20, true),
    channels: view.getUint16(22, true),
    rate: view.getUint32(24, true),
    bytesPerSecond: view.getUint32(28, true),
    blockAlign: view.getUint16(32, true),
    bits: view.getUint16(34, true),
  }).toEqual({
    formatBytes: 16,
    format: 1,
    channels: 1,
    rate: 22_050,
    bytesPerSecond: 44_100,
    blockAlign: 2,
    bits: 16,
  });
});

it("a WAV header can be told the length of its file afterwards", () => {
  const header = wavHeader(8_000);
  setWavLength(header, 1044);
  const view = new DataView(header.buffer);
  expect([view.getUint32(4, true), view.getUint32(40, true)]).toEqual([1036, 1000]);
});
