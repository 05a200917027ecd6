/** The command line: speaks a text through a running gateway, into a file or to standard output. */
import { once } from "node:events";
import { extname } from "node:path";
import { text as readText } from "node:stream/consumers";
import { parseArgs, type ParseArgsConfig } from "node:util";
import { FORMAT_TRAITS, FORMATS, isAudioFormat, type AudioFormat } from "../../protocol/formats.ts";
import { languagesMatch } from "../../protocol/language.ts";
import { endingsOf, openFile, tellLength } from "./audio-file.ts";
import { TtsClient, TtsError, type Voice } from "../index.ts";

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

const OPTIONS = {
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
} satisfies ParseArgsConfig["options"];

/** npm keeps options for itself when there is no `--` before them, and leaves nothing of them but variables. */
function refuseSwallowedOptions(): void {
  if (process.env.npm_lifecycle_event !== "speak") return;
  const taken = [...Object.keys(OPTIONS), "o"].find((name) => process.env[`npm_config_${name}`] !== undefined);
  if (taken === undefined) return;
  const option = taken.length === 1 ? `-${taken}` : `--${taken}`;
  throw new UsageError(`npm took ${option} for itself; put -- before the text: npm run speak -- "Hello" ${option} ...`);
}

function parseCommandLine() {
  refuseSwallowedOptions();
  const { values, positionals } = parseArgs({ allowPositionals: true, options: OPTIONS });
  return { ...values, positionals };
}

type Arguments = ReturnType<typeof parseCommandLine>;

function chooseFormat({ format, output = "" }: Arguments): AudioFormat {
  if (format !== undefined) {
    if (isAudioFormat(format)) return format;
    throw new UsageError(`--format ${format}: choose one of ${FORMATS.join(", ")}`);
  }
  const ending = extname(output).slice(1).toLowerCase();
  if (ending === "") return "mp3";
  const byEnding = FORMATS.find((name) => endingsOf(name).includes(ending));
  if (byEnding) return byEnding;
  throw new UsageError(`-o ${output}: end it in .${FORMATS.flatMap(endingsOf).join(", .")}, or choose a --format`);
}

async function chooseProvider(client: TtsClient, { provider, voice }: Arguments): Promise<string> {
  if (provider) return provider;
  const voices = await client.voices();
  const match = voices.find(({ id }) => id === voice);
  if (match) return match.provider;
  const near = similarVoices(voices, voice);
  const hint =
    near.length > 0 ? `did you mean ${near.join(", ")}? --list shows them all` : "--list shows what there is";
  throw new UsageError(`no provider has a voice ${voice}; ${hint}`);
}

/** A hint names so many voices at most. */
const HINTS = 3;

/** Ids that differ in their capitals alone; else of voices that speak the language, or have the name, that was given. */
function similarVoices(voices: readonly Voice[], asked: string): string[] {
  const wanted = asked.toLowerCase().replaceAll("_", "-");
  const tests: ((voice: Voice) => boolean)[] = [
    ({ id }) => id.toLowerCase() === wanted,
    ({ language }) => languagesMatch(language.toLowerCase(), wanted),
    ({ name }) => name.toLowerCase().includes(wanted),
  ];
  const found = tests.map((test) => voices.filter(test)).find((matches) => matches.length > 0) ?? [];
  return found.slice(0, HINTS).map(({ id }) => id);
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
  if (sink === process.stdout) {
    await new Promise((resolve) => process.stdout.write("", resolve)); // it is all out, or its error was heard
  } else {
    await once(sink.end(), "close");
    if (format === "wav") await tellLength(output);
  }
  progress.finish(output === "-" ? "standard output" : output);
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
  const why = error.code === "EPIPE" ? "the program that reads it is not there, or has ended" : error.message;
  console.error(`standard output: ${why}; not everything was written`);
  process.exit(1);
});
main().catch((error: unknown) => {
  console.error(explain(error));
  process.exitCode = 1;
});
