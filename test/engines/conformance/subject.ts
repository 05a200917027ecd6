/** The engine that the conformance suite asks, as each of its parts finds it. */
import { onTestFinished } from "vitest";
import { info, post, untilIdle, untilReady, voices, type AnyRequest, type Info } from "../speech.ts";

export interface EngineUnderTest {
  /** Starts it, or finds it running. */
  start(): Promise<{ url: string; close(): Promise<void> }>;
  /** A voice id; otherwise the first that is listed. */
  voice?: string;
  /** A language the voice speaks; otherwise the one listed for it. */
  language?: string;
  /** A language the voice does not speak; otherwise Tongan, or Fijian for a voice that speaks Tongan. */
  otherLanguage?: string;
  /** A sentence in the voice's language. */
  text?: string;
  /** Long enough that its synthesis takes a while, at most max_chars. */
  longText?: string;
  /** Whether it says where its words are. */
  words?: boolean;
  /** Whether requests wait for others; an engine that speaks all at once has no queue to test. Absent: they do. */
  queues?: boolean;
  /** So many long requests at once that some must be refused; otherwise that is not tested. */
  burst?: number;
}

export const SENTENCE = "The quick brown fox jumps over the lazy dog, and then it goes home. ";

/** Its fields are known once it has started: read them inside tests. */
export class Subject {
  readonly engine: EngineUnderTest;
  url = "";
  about!: Info;
  voice = "";
  language = "";
  text = "";
  longText = "";
  #running: Awaited<ReturnType<EngineUnderTest["start"]>> | undefined;

  constructor(engine: EngineUnderTest) {
    this.engine = engine;
  }

  async start(): Promise<void> {
    const { engine } = this;
    this.#running = await engine.start();
    this.url = this.#running.url;
    await untilReady(this.url);
    this.about = await info(this.url);
    const listed = await voices(this.url);
    const chosen = engine.voice ? listed.find(({ id }) => id === engine.voice) : listed[0];
    if (!chosen) throw new Error(`there is no voice ${engine.voice ?? "at all"}`);
    this.voice = chosen.id;
    this.language = engine.language ?? chosen.language;
    this.text = engine.text ?? SENTENCE.trim();
    const sentences = Math.floor(Math.min(this.about.max_chars, 3000) / SENTENCE.length);
    this.longText = engine.longText ?? SENTENCE.repeat(sentences).trim();
  }

  async stop(): Promise<void> {
    await this.#running?.close();
  }

  /** A request that ends with its test. */
  async open(body: AnyRequest): Promise<{ response: Response; leave: () => void }> {
    const client = new AbortController();
    const leave = () => client.abort();
    onTestFinished(leave);
    return { response: await post(this.url, body, client.signal), leave };
  }

  /**
   * Sends long requests until `depth` of them wait for others; each has its headers by then.
   * @throws Error when the engine refuses one before, or queues none.
   */
  async fillQueue(depth: number) {
    await untilIdle(this.url);
    const clients: (() => void)[] = [];
    while (clients.length < 100) {
      const { response, leave } = await this.open({ text: this.longText, voice: this.voice });
      if (response.status !== 200) {
        throw new Error(`with ${clients.length} requests under way it answered ${response.status}: it queues too few`);
      }
      clients.push(leave);
      const now = await info(this.url);
      if (now.queued >= depth) return { clients, info: now };
    }
    throw new Error(`with ${clients.length} long requests under way, it never had ${depth} queued`);
  }

  /**
   * The status and the reason of a request's refusal.
   * @throws Error when it has no message, or is wrong on whether asking again can help.
   */
  async refusal(body: unknown) {
    const response = await post(this.url, body);
    const answer = (await response.json()) as { error: { reason: string; message: string; retryable: boolean } };
    const { reason, message, retryable } = answer.error;
    if (typeof message !== "string" || message === "") throw new Error(`the refusal ${reason} has no message`);
    if (retryable !== (response.status === 503))
      throw new Error(`${response.status} ${reason}: retryable ${retryable}`);
    return { status: response.status, reason };
  }
}
