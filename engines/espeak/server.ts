/** The engine contract (docs/engines.md) over a pool of eSpeak threads. */
import espeakPackage from "@echogarden/espeak-ng-emscripten/package.json" with { type: "json" };
import { encodeEnd, encodeEvent } from "../../protocol/envelope.ts";
import { unreadLetters } from "../../protocol/scripts.ts";
import {
  HttpError,
  invalid,
  logLine,
  readJson,
  sendJson,
  startEnvelopes,
  startService,
  type Exchange,
  type Service,
  type ServiceOptions,
} from "../../service/http-service.ts";
import type { Config } from "./config.ts";
import type { EspeakReady, SynthesisTask } from "./synthesis-thread.ts";
import { ThreadCrash, ThreadPool } from "./thread-pool.ts";
import { describeVoices, speaks } from "./voices.ts";

const NAME = "espeak";

/** Longest text of a request, in UTF-16 code units: about three minutes of speech, made in half a second. */
const MAX_CHARS = 3_000;

/** Longest request body: MAX_CHARS as JSON escapes, and what else a client may send. */
const MAX_BODY_BYTES = 64 * 1024;

/** A reader that takes nothing for so long is cut off, in ms. */
const STALLED_MS = 60_000;

export interface EspeakOptions extends Config {
  /** How long a reader may take nothing before it is cut off, in ms. */
  stalledMs?: number;
}

interface Admitted {
  task: SynthesisTask;
  /** Letters of a script that the voice does not read. */
  unread: number;
}

function badField(message: string): HttpError {
  return new HttpError(400, invalid("invalid_request", message));
}

function unavailable(reason: string, message: string): HttpError {
  return new HttpError(503, { reason, message, retryable: true }, 1);
}

/** The engine as a service that is not listening yet, and what ends its threads. */
export function createEspeak(options: EspeakOptions): { service: ServiceOptions; stop: () => Promise<void> } {
  const { port, host, threads, queueLimit, stalledMs = STALLED_MS } = options;
  const pool = new ThreadPool<SynthesisTask, EspeakReady>(
    new URL("./synthesis-thread.ts", import.meta.url),
    threads,
    (cause) => logLine(NAME, "thread_crashed", { cause }),
  );
  let voices: ReturnType<typeof describeVoices> | undefined;
  let sampleRate = 0;
  let open = 0;

  async function load(): Promise<void> {
    const ready = await pool.ready;
    voices = describeVoices(ready.voices);
    sampleRate = ready.sampleRate;
  }
  void load();

  function readyVoices() {
    if (!voices) throw unavailable("not_ready", "the voices are still loading");
    return voices;
  }

  function admit({ text, voice: id, language, speed = 1 }: Record<string, unknown>): Admitted {
    const known = readyVoices();
    if (typeof text !== "string" || text.trim() === "") throw badField("text must be a string that is not blank");
    if (text.length > MAX_CHARS) {
      throw new HttpError(
        413,
        invalid("text_too_long", `text may have ${MAX_CHARS} characters, this one has ${text.length}`),
      );
    }
    if (typeof id !== "string") throw badField("voice must be a string");
    if (typeof speed !== "number" || !(speed >= 0.25 && speed <= 4)) {
      throw badField("speed must be a number from 0.25 to 4");
    }
    if (language !== undefined && typeof language !== "string") throw badField("language must be a string");
    const found = known.get(id);
    if (!found) throw new HttpError(404, invalid("unknown_voice", "voice must be one of GET /v1/voices"));
    const { voice, identifier } = found;
    if (language !== undefined && !speaks(voice, language)) {
      const spoken = (voice.languages ?? [voice.language]).join(", ");
      throw new HttpError(400, invalid("unsupported_language", `the voice ${id} speaks ${spoken}`));
    }
    // Counted until the last byte has left, so that readers that take nothing fill the queue and not the memory.
    if (open >= threads + queueLimit) throw unavailable("busy", "the engine has all the requests it can take");
    return { task: { text, identifier, speed }, unread: unreadLetters(text, voice.scripts) };
  }

  async function synthesize({ request, response, signal, log }: Exchange): Promise<void> {
    const { task, unread } = admit(await readJson(request, MAX_BODY_BYTES));
    signal.throwIfAborted(); // its close has been, and would not be counted
    open++;
    response.once("close", () => open--);
    log.voice = task.identifier;
    log.chars = task.text.length;
    if (unread > 0) log.unread_letters = unread; // it names them, one by one
    startEnvelopes(response);
    response.setTimeout(stalledMs);
    response.write(encodeEvent({ type: "format", sample_rate: sampleRate }));
    try {
      await pool.run(task, signal, (bytes, read) => response.write(bytes, read));
    } catch (error) {
      if (!(error instanceof ThreadCrash)) throw error;
      throw new HttpError(503, { reason: "engine_crashed", message: "the synthesis crashed", retryable: true });
    }
    response.end(encodeEnd());
  }

  const service: ServiceOptions = {
    name: NAME,
    port,
    host,
    notReady: () => (voices ? undefined : "the voices are still loading"),
    routes: {
      "POST /v1/synthesize": synthesize,
      "GET /v1/voices": ({ response }) => {
        sendJson(response, 200, { voices: Array.from(readyVoices().values(), ({ voice }) => voice) });
      },
      "GET /v1/info": ({ response }) => {
        readyVoices();
        sendJson(response, 200, {
          engine: "espeak-ng",
          version: espeakPackage.version,
          sample_rate: sampleRate,
          max_chars: MAX_CHARS,
          streaming: "native",
          repeatable: true,
          syntheses_started: pool.started,
          syntheses_active: pool.active,
          queued: pool.queued,
        });
      },
    },
  };
  return { service, stop: () => pool.close() };
}

/** Starts the engine in this process; rejects when its port is taken. */
export async function startEspeak(options: EspeakOptions): Promise<Service> {
  const { service, stop } = createEspeak(options);
  try {
    const listening = await startService(service);
    return { url: listening.url, close: (drainMs) => listening.close(drainMs).then(stop) };
  } catch (error) {
    await stop();
    throw error;
  }
}
