/** The command line: speaks a text through a running gateway, into a file or to standard output. */
import { once } from "node:events";
import { createWriteStream, type WriteStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { extname } from "node:path";
import { text as readText } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { FORMAT_TRAITS, FORMATS, isAudioFormat, type AudioFormat } from "../protocol/formats.ts";
import { setWavLength, WAV_HEADER_BYTES } from "../protocol/wav.ts";
import { TtsClient, TtsError, type Voice } from "./tts-client.ts";

const HELP = `Speaks a text through a running gateway (npm start), while it is being synthesised.

  npm run speak -- "Hello there" --voice en-us --format mp3 -o hello.mp3
  npm run --silent speak -- "Hello there" --format wav -o - | aplay
  echo "Hello there" | npm run speak -- -

  TEXT                what to say; "-" reads it from standard input
  -v, --voice ID      default en-us; --list shows them all
  -p, --provider ID   default: the one that has the voice
  -l, --language TAG  BCP 47, such as en-US; default: the voice's own
  -f, --format NAME   ${FORMATS.join(", ")}; default: mp3, or by the ending of -o
  -r, --rate HZ       sample rate; default: the voice's own, or the nearest the format has
      --fallback PROVIDER/VOICE
                      goes on where the voice before cannot; may be given up to four times
  -o, --output FILE   default: speech.<format>; "-" is standard output
      --url URL       the gateway; default http://localhost:8787, or GATEWAY_URL
      --list          lists voices, those of --provider and --language if given
  -h, --help
`;

class UsageError extends Error {}

function parseCommandLine() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      voice: { type: "string", short: "v", default: "en-us" },
      provider: { type: "string", short: "p" },
      language: { type: "string", short: "l" },
      format: { type: "string", short: "f" },
      rate: { type: "string", short: "r" },
      fallback: { type: "string", multiple: true, default: [] },
      output: { type: "string", short: "o" },
      url: { type: "string", default: process.env.GATEWAY_URL ?? "http://localhost:8787" },
      list: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  return { ...values, positionals };
}

type Arguments = ReturnType<typeof parseCommandLine>;

function chooseFormat({ format, output = "" }: Arguments): AudioFormat {
  if (format !== undefined) {
    if (isAudioFormat(format)) return format;
    throw new UsageError(`--format ${format}: choose one of ${FORMATS.join(", ")}`);
  }
  const ending = extname(output).slice(1).toLowerCase();
  const extensions = FORMATS.map((name) => FORMAT_TRAITS[name].extension);
  const byEnding = FORMATS.find((name, i) => extensions[i] === ending || name === ending);
  if (byEnding || ending === "") return byEnding ?? "mp3";
  throw new UsageError(`-o ${output}: end it in .${extensions.join(", .")}, or choose a --format`);
}

async function chooseProvider(client: TtsClient, { provider, voice }: Arguments): Promise<string> {
  if (provider) return provider;
  const voices = await client.voices();
  const match = voices.find(({ id }) => id === voice);
  if (!match) throw new UsageError(`no provider has a voice ${voice}; --list shows what there is`);
  return match.provider;
}

function printVoices(voices: readonly Voice[]): void {
  for (const { provider, id, language, name } of voices) {
    console.log([provider.padEnd(10), id.padEnd(24), language.padEnd(10), name].join(" "));
  }
}

/** How a stream is doing, kept on one line of a terminal. */
class Progress {
  readonly #startedAt = performance.now();
  #firstAudio = "";
  #bytes = 0;
  #line = "";

  get seconds(): string {
    return `${((performance.now() - this.#startedAt) / 1000).toFixed(2)} s`;
  }

  update(audioMs: number, bytes: number): void {
    this.#firstAudio ||= this.seconds;
    this.#bytes += bytes;
    this.#line = `${(audioMs / 1000).toFixed(1)} s of audio, ${this.#bytes} bytes, first audio after ${this.#firstAudio}`;
    if (process.stderr.isTTY) process.stderr.write(`\r${this.#line}`);
  }

  /** Says something on a line of its own. */
  note(text: string): void {
    console.error(process.stderr.isTTY && this.#line ? `\n${text}` : text);
  }

  finish(destination: string): void {
    const line = process.stderr.isTTY ? "" : this.#line;
    console.error(`${line}\n${destination}: complete after ${this.seconds}`);
  }
}

function chooseRate({ rate }: Arguments): number | undefined {
  if (rate === undefined) return undefined;
  if (/^\d+$/.test(rate)) return Number(rate);
  throw new UsageError(`--rate ${rate}: give a whole number of Hz, such as 24000`);
}

function parseFallback(choice: string): { provider: string; voice: string } {
  const [, provider, voice] = /^([^/]+)\/(.+)$/.exec(choice) ?? [];
  if (provider && voice) return { provider, voice };
  throw new UsageError(`--fallback ${choice}: give PROVIDER/VOICE, such as mock_tone/en-US-mock-1`);
}

async function speak(client: TtsClient, args: Arguments, text: string): Promise<void> {
  const sampleRateHz = chooseRate(args);
  const format = chooseFormat(args);
  const provider = await chooseProvider(client, args);
  const output = args.output ?? `speech.${FORMAT_TRAITS[format].extension}`;
  const fallback = args.fallback.map(parseFallback);
  const progress = new Progress();
  const stream = client.speak(
    {
      provider,
      voice: args.voice,
      text,
      target_format: format,
      ...(sampleRateHz !== undefined && { sample_rate_hz: sampleRateHz }),
      ...(args.language && { language: args.language }),
      ...(fallback.length > 0 && { fallback }),
    },
    {
      signal: interrupted(),
      onNotice: ({ message, provider: next, voice }) => progress.note(`${message}; ${next}/${voice} goes on`),
      onReconnect: (after, code) => progress.note(`connection lost (${code}), resuming after ${after}`),
    },
  );
  let next = await stream.next(); // a refused request leaves no empty file
  const sink = output === "-" ? process.stdout : await openFile(output);
  for (; !next.done; next = await stream.next()) {
    const { audio, ptsMs = 0 } = next.value;
    progress.update(ptsMs, audio.length);
    if (!sink.write(audio)) await once(sink, "drain");
  }
  progress.update(next.value.duration_ms, 0);
  if (sink !== process.stdout) await once(sink.end(), "close");
  if (sink !== process.stdout && format === "wav") await tellLength(output);
  progress.finish(output === "-" ? "standard output" : output);
}

/** A file that can be written to, or the error that says why not. */
async function openFile(path: string): Promise<WriteStream> {
  const file = createWriteStream(path);
  await once(file, "open");
  return file;
}

/** Puts its true length into a WAV file, which the stream could not know; a pipe or a device keeps none. */
async function tellLength(path: string): Promise<void> {
  const stats = await stat(path);
  if (!stats.isFile()) return;
  await using file = await open(path, "r+");
  const header = new Uint8Array(WAV_HEADER_BYTES);
  await file.read(header, 0, header.length, 0);
  setWavLength(header, stats.size);
  await file.write(header, 0, header.length, 0);
}

/** Ctrl-C, so that nothing goes on speaking to nobody. */
function interrupted(): AbortSignal {
  const controller = new AbortController();
  process.once("SIGINT", () => controller.abort(new Error("interrupted")));
  return controller.signal;
}

async function main(): Promise<void> {
  const args = parseCommandLine();
  if (args.help) return void process.stdout.write(HELP);
  if (!/^https?:\/\//.test(args.url))
    throw new UsageError(`--url ${args.url}: give an address such as http://localhost:8787`);
  const client = new TtsClient(args.url);
  if (args.list) {
    const { provider, language } = args;
    return printVoices(await client.voices({ ...(provider && { provider }), ...(language && { language }) }));
  }
  const [text, ...others] = args.positionals;
  if (text === undefined || others.length > 0) throw new UsageError("give one TEXT to speak (in quotes), or --help");
  await speak(client, args, text === "-" ? await readText(process.stdin) : text);
}

function explain(error: unknown): string {
  if (error instanceof TtsError) {
    const { reason, message, retryAfterMs } = error;
    const hint = reason === "unreachable" ? ": npm start runs one, and GATEWAY_URL or --url says where it is" : "";
    return `${reason}: ${message}${hint}${retryAfterMs ? `; try again in ${Math.ceil(retryAfterMs / 1000)} s` : ""}`;
  }
  return error instanceof Error ? error.message : String(error);
}

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") console.error(`standard output: ${error.message}`);
  process.exit(error.code === "EPIPE" ? 0 : 1); // the player that was piped to has closed
});
main().catch((error: unknown) => {
  console.error(explain(error));
  process.exitCode = 1;
});
