import { bitrateRange } from "../protocol/bit-rates.ts";
import {
  describeRates,
  encodedRate,
  FORMATS,
  isAudioFormat,
  isRateAllowed,
  type AudioFormat,
  type ResumePoint,
} from "../protocol/formats.ts";
import { HttpError, invalid } from "../service/http-service.ts";
import type { EncoderSettings } from "./stream-encoder.ts";

/** Three days at the highest rate of input, and no more FLAC frames than have a number (RFC 9639, section 9.1.5). */
const MAX_POSITION = 99_999_999_999;

function refuse(message: string): HttpError {
  return new HttpError(400, invalid("invalid_request", message));
}

/**
 * What a request's query asks for.
 * @throws HttpError 400 naming the parameter and what is allowed.
 */
export function parseSettings(query: URLSearchParams): EncoderSettings {
  const format = query.get("format");
  if (!isAudioFormat(format)) throw refuse(`format must be one of ${FORMATS.join(", ")}`);
  const sampleRateHz = wholeNumber(query.get("sample_rate"));
  if (sampleRateHz === undefined || !isRateAllowed(format, sampleRateHz)) {
    throw refuse(`sample_rate of ${format} must be ${describeRates(format)}`);
  }
  const bitrate = parseBitrate(query.get("bitrate"), format, sampleRateHz);
  const resume = parseResume(query);
  if (format !== "opus" || resume.inputSample === 0) return { format, sampleRateHz, bitrate, resume };
  const lastToc = wholeNumber(query.get("last_toc"));
  if (lastToc === undefined || lastToc > 255) {
    throw refuse("last_toc of opus must be the first byte of the packet before output_sample, from 0 to 255");
  }
  return { format, sampleRateHz, bitrate, resume, lastToc };
}

function parseResume(query: URLSearchParams): ResumePoint {
  const resume = {
    inputSample: parsePosition(query, "input_sample"),
    outputSample: parsePosition(query, "output_sample"),
  };
  if (resume.inputSample > 0 && resume.outputSample === 0) {
    throw refuse("input_sample must be 0 where output_sample is 0: a stream begins with the first sample");
  }
  return resume;
}

function parsePosition(query: URLSearchParams, name: string): number {
  const text = query.get(name) ?? "0";
  if (!/^\d{1,11}$/.test(text)) throw refuse(`${name} must be a whole number of samples from 0 to ${MAX_POSITION}`);
  return Number(text);
}

function parseBitrate(value: string | null, format: AudioFormat, sampleRateHz: number): number | undefined {
  const range = bitrateRange(format, encodedRate(format, sampleRateHz));
  if (value === null) return range?.default;
  if (!range) throw refuse(`bitrate is not for ${format}: only opus, mp3 and aac have one`);
  const bitrate = wholeNumber(value);
  if (bitrate === undefined || bitrate < range.min || bitrate > range.max) {
    throw refuse(
      `bitrate of ${format} at ${sampleRateHz} Hz must be from ${range.min} to ${range.max} bits per second`,
    );
  }
  return bitrate;
}

function wholeNumber(value: string | null): number | undefined {
  return value !== null && /^\d{1,9}$/.test(value) ? Number(value) : undefined;
}
