/** The whole product under npm start, and an engine of numbered words; its processes are killed, and start again. */
import { startWordEngine, type WordEngine } from "../fakes/word-engine.ts";
import { descendants } from "../support/processes.ts";
import { startSupervised, type SupervisedGateway } from "../support/supervised.ts";
import { PROCESSES, type Household } from "./census.ts";
import { FaultProxy } from "./fault-proxy.ts";

export type Victim = keyof typeof PROCESSES;

export class MortalGateway {
  readonly url: string;
  readonly household: Household;
  readonly #gateway: SupervisedGateway;
  readonly #espeakLine: FaultProxy;
  readonly #wordsLine: FaultProxy;
  readonly #wordEngine: WordEngine;

  private constructor(gateway: SupervisedGateway, lines: [FaultProxy, FaultProxy], wordEngine: WordEngine) {
    this.url = gateway.url;
    this.household = { ...gateway, pid: gateway.supervisor.pid! };
    this.#gateway = gateway;
    [this.#espeakLine, this.#wordsLine] = lines;
    this.#wordEngine = wordEngine;
  }

  /** @param paced the engine of numbered words is so many times as fast as speech; absent: as fast as it is taken. */
  static async start(settings: Record<string, string>, paced?: number): Promise<MortalGateway> {
    const wordEngine = await startWordEngine(paced === undefined ? {} : { paced });
    const espeakLine = await FaultProxy.start();
    const wordsLine = await FaultProxy.start();
    wordsLine.upstreamUrl = wordEngine.url;
    const gateway = await startSupervised({ ...settings, ESPEAK_URL: espeakLine.url, COQUI_URL: wordsLine.url });
    espeakLine.upstreamUrl = gateway.espeakUrl;
    const mortal = new MortalGateway(gateway, [espeakLine, wordsLine], wordEngine);
    await mortal.ready();
    return mortal;
  }

  ready(): Promise<void> {
    return this.#gateway.ready();
  }

  /** From now on eSpeak's audio comes at the pace of a large model's, so that it is caught in mid-sentence; or not. */
  drip(isDripping: boolean): void {
    this.#espeakLine.faultOf = () => (isDripping ? { kind: "drip", atByte: 0 } : undefined);
  }

  /** With an engine goes what had left it already; the engine of numbered words, which is no process, goes with eSpeak. */
  async kill(victim: Victim): Promise<void> {
    const processes = await descendants(this.household.pid);
    const victims = processes.filter(({ command }) => PROCESSES[victim].test(command));
    for (const { pid } of victims) process.kill(pid, "SIGKILL");
    if (victim !== "espeak") return;
    this.#espeakLine.cutAll();
    this.#wordsLine.cutAll();
  }

  async stop(): Promise<void> {
    await this.#gateway.stop();
    this.#espeakLine.stop();
    this.#wordsLine.stop();
    await this.#wordEngine.close();
  }
}
