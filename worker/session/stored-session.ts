/** The request and the lifecycle of a session in the storage of its object; the rows of its message log lie beside them. */
import { log } from "../base/log.ts";
import type { SpeechRequest } from "../synthesis/speech-request.ts";
import { dueAt, NOTHING_SENT, type Lifecycle, type Lifetimes } from "./lifecycle.ts";

/** The request is written once, the lifecycle whenever it changes. */
const REQUEST = "request";
const LIFECYCLE = "lifecycle";

export class StoredSession {
  readonly request: SpeechRequest;
  readonly #storage: DurableObjectStorage;
  readonly #lifetimes: Lifetimes;
  #life: Lifecycle;

  private constructor(storage: DurableObjectStorage, lifetimes: Lifetimes, request: SpeechRequest, life: Lifecycle) {
    this.#storage = storage;
    this.#lifetimes = lifetimes;
    this.request = request;
    this.#life = life;
  }

  static load(storage: DurableObjectStorage, lifetimes: Lifetimes): StoredSession | undefined {
    const request = storage.kv.get<SpeechRequest>(REQUEST);
    const life = storage.kv.get<Lifecycle>(LIFECYCLE);
    return request && life && new StoredSession(storage, lifetimes, request, life);
  }

  static async create(
    storage: DurableObjectStorage,
    lifetimes: Lifetimes,
    request: SpeechRequest,
  ): Promise<StoredSession> {
    const life = { createdAt: Date.now(), droppedAt: 0, sent: NOTHING_SENT };
    const session = new StoredSession(storage, lifetimes, request, life);
    await Promise.all([storage.put(REQUEST, request), session.save()]);
    return session;
  }

  get life(): Lifecycle {
    return this.#life;
  }

  /** When it is time to give it up, in ms since 1970; while a client listens, when to look again. */
  get dueAt(): number {
    return dueAt(this.#life, this.#lifetimes, Date.now());
  }

  /** Changes the lifecycle in memory. */
  change(changes: Partial<Lifecycle>): void {
    this.#life = { ...this.#life, ...changes };
  }

  /** Writes the lifecycle, and sets the alarm that it calls for. */
  async save(options: DurableObjectPutOptions = {}): Promise<void> {
    const lifecycle = this.#storage.put(LIFECYCLE, this.#life, options);
    await Promise.all([lifecycle, this.#storage.setAlarm(this.dueAt, options)]);
  }

  /** As {@link save}; what is said meanwhile does not wait for it. */
  saveSoon(): void {
    this.save({ allowUnconfirmed: true }).catch((error: unknown) => log("save_failed", { error: String(error) }));
  }
}
