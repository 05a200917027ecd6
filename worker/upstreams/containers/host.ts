/**
 * The Durable Object in front of one container: it starts the container for whoever asks first, hands requests on, and
 * stops it when nobody has asked for a while. A class a kind, because wrangler binds an image to a class.
 */
import { DurableObject } from "cloudflare:workers";
import { log, logBug } from "../../base/log.ts";
import { config } from "../../config/config.ts";
import { sleep } from "../../base/sleep.ts";
import { KINDS, LOAD_HEADER, NO_CONTAINER, STARTING, type Kind } from "./kinds.ts";

const PORT = 8080;

/** Between two looks whether the container is ready, in ms. */
const PROBE_MS = 50;
const PROBE_TIMEOUT_MS = 2_000;

/**
 * How long a request waits for a container that is starting, in ms; then it is told that it is not ready. Work waits for
 * less than a segment does for its first audio, and asks again: a provider that is starting is not one that is slow.
 */
const PATIENCE_MS = { work: 5_000, questions: 20_000 } as const;

/** The container outlives the loss of its object by this much, in ms: the next object finds it running. */
const OUTLIVES_MS = 120_000;

abstract class ContainerHost extends DurableObject {
  protected abstract readonly kind: Kind;
  /** Settles when the container is ready or cannot be; undefined while there is none. */
  #ready: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  /** How often the container was run: what is heard of an earlier run says nothing of this one. */
  #runs = 0;
  /** Requests open, and those of them that are work: questions about voices and the like cost nothing. */
  #active = 0;
  #work = 0;
  #idle: ReturnType<typeof setTimeout> | null = null;

  override async fetch(request: Request): Promise<Response> {
    const { container } = this.ctx;
    if (!container) return new Response(null, { status: NO_CONTAINER });
    const work = request.method === "POST" ? 1 : 0;
    this.#active++;
    this.#work += work;
    clearTimeout(this.#idle);
    let isStreaming = false;
    try {
      const patienceMs = work ? PATIENCE_MS.work : PATIENCE_MS.questions;
      const refusal = await this.#awaken(container, patienceMs, request.signal);
      if (refusal) return refusal;
      const { pathname, search } = new URL(request.url);
      const address = `http://container:${PORT}${pathname}${search}`;
      // Before its headers too, an abort must get there: hence the signal, and the flags in wrangler.toml.
      const answer = await container.getTcpPort(PORT).fetch(address, request);
      const response = new Response(this.#counted(answer.body, work), answer);
      isStreaming = answer.body !== null;
      response.headers.set(LOAD_HEADER, this.#load());
      return response;
    } catch (error) {
      if (request.signal.aborted) return new Response(null, { status: 499 }); // nobody reads it
      throw error;
    } finally {
      if (!isStreaming) this.#left(work);
    }
  }

  /**
   * Starts the container if it is not running, and waits until it is ready.
   * @returns what to answer if it is not.
   */
  async #awaken(container: Container, patienceMs: number, signal: AbortSignal): Promise<Response | undefined> {
    const ready = (this.#ready ??= this.#run(container));
    const patience = new AbortController();
    const tooLate = sleep(patienceMs, AbortSignal.any([signal, patience.signal])).then(() => true);
    try {
      const isTooLate = await Promise.race([ready, tooLate]);
      return isTooLate ? this.#unavailable("the container is starting", STARTING) : undefined;
    } catch {
      signal.throwIfAborted();
      if (this.#ready === ready) this.#ready = undefined;
      return this.#unavailable("the container could not be started");
    } finally {
      patience.abort();
    }
  }

  /** Starts the container unless it runs already, and watches over it until it ends. */
  async #run(container: Container): Promise<void> {
    await this.#stopping;
    const startedAt = Date.now();
    const isNew = !container.running;
    if (isNew) container.start({ enableInternet: false, env: { HOST: "0.0.0.0", PORT: String(PORT) } });
    const ended = new AbortController();
    const run = ++this.#runs;
    const end = (how: string) => {
      if (run === this.#runs) this.#ready = undefined; // the next caller starts it again
      ended.abort(new Error(`the container ended: ${how}`));
      log("container_ended", { kind: this.kind.name, how, ms: Date.now() - startedAt });
    };
    container.monitor().then(
      () => end("exited"),
      (error: unknown) => end(String(error)),
    );
    try {
      await container.setInactivityTimeout(OUTLIVES_MS);
      await this.#probe(container, AbortSignal.any([ended.signal, AbortSignal.timeout(this.kind.startTimeoutMs)]));
    } catch (error) {
      log("container_not_ready", { kind: this.kind.name, error: String(error), ms: Date.now() - startedAt });
      await container.destroy().catch(() => {});
      throw error;
    }
    if (isNew) log("container_ready", { kind: this.kind.name, ms: Date.now() - startedAt });
  }

  async #probe(container: Container, signal: AbortSignal): Promise<void> {
    for (;;) {
      const timeout = AbortSignal.any([signal, AbortSignal.timeout(PROBE_TIMEOUT_MS)]);
      const answer = await container
        .getTcpPort(PORT)
        .fetch(`http://container:${PORT}/readyz`, { signal: timeout })
        .catch(() => undefined);
      await answer?.body?.cancel();
      if (answer?.ok) return;
      signal.throwIfAborted();
      await sleep(PROBE_MS, signal);
    }
  }

  /** The body as it is; the stream counts until it has ended in one way or the other. */
  #counted(body: ReadableStream<Uint8Array> | null, work: number): ReadableStream<Uint8Array> | null {
    if (!body) return null;
    const { readable, writable } = new IdentityTransformStream();
    const passed = body
      .pipeTo(writable)
      .catch(() => {}) // either end may go away; the other one is told by the pipe
      .finally(() => this.#left(work));
    this.ctx.waitUntil(passed);
    return readable;
  }

  #left(work: number): void {
    this.#active--;
    this.#work -= work;
    if (this.#active > 0) return;
    clearTimeout(this.#idle);
    // A pending monitor() keeps this object, and with it the container, from ever being idle to the platform.
    this.#idle = setTimeout(() => this.#stop(), config.CONTAINER_IDLE_MS);
  }

  #stop(): void {
    const { container } = this.ctx;
    if (!container?.running) return;
    this.#ready = undefined;
    this.#stopping = container.destroy().catch((error: unknown) => logBug(error));
  }

  #load(): string {
    return (this.#work / this.kind.capacity).toFixed(3);
  }

  #unavailable(message: string, load = ""): Response {
    const headers = { "retry-after": "1", [LOAD_HEADER]: load };
    return Response.json({ error: { reason: "not_ready", message, retryable: true } }, { status: 503, headers });
  }
}

export class TranscoderContainer extends ContainerHost {
  protected readonly kind = KINDS.transcoder;
}

export class EspeakContainer extends ContainerHost {
  protected readonly kind = KINDS.espeak;
}

export class CoquiContainer extends ContainerHost {
  protected readonly kind = KINDS.coqui;
}
