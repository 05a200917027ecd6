/** A CPU profile of a Worker, through the inspector of its workerd (Chrome DevTools Protocol). */
import { once } from "node:events";
import { WebSocket } from "ws";

/** Of the protocol's Profiler.Profile, what is used here. */
interface Profile {
  nodes: { id: number; callFrame: CallFrame }[];
  samples: number[];
}

interface CallFrame {
  functionName: string;
  scriptId: string;
  /** Empty for what is not JavaScript. */
  url: string;
  /** From 0. */
  lineNumber: number;
}

export interface SelfTime {
  name: string;
  /** The source file that the function is built from; empty for what is not JavaScript. */
  file: string;
  ms: number;
  /** Of all samples that were not idle, 0 to 1. */
  share: number;
}

/** What V8 calls having nothing to do. */
const IDLE = "(idle)";

/** How often a sample is taken, in microseconds. */
const INTERVAL_US = 500;

export class Profiler {
  readonly #socket: WebSocket;
  #id = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  static async start(inspectorUrl: string): Promise<Profiler> {
    const targets = (await (await fetch(`${inspectorUrl}/json`)).json()) as { webSocketDebuggerUrl: string }[];
    const socket = new WebSocket(targets[0]!.webSocketDebuggerUrl, { maxPayload: 0 });
    await once(socket, "open");
    const profiler = new Profiler(socket);
    await profiler.#ask("Profiler.enable");
    await profiler.#ask("Profiler.setSamplingInterval", { interval: INTERVAL_US });
    await profiler.#ask("Profiler.start");
    return profiler;
  }

  #ask(method: string, params: object = {}): Promise<unknown> {
    const id = ++this.#id;
    return new Promise((resolve, reject) => {
      const hear = (data: Buffer) => {
        const answer = JSON.parse(data.toString()) as { id?: number; result?: unknown; error?: { message: string } };
        if (answer.id !== id) return;
        this.#socket.off("message", hear);
        if (answer.error) reject(new Error(`${method}: ${answer.error.message}`));
        else resolve(answer.result);
      };
      this.#socket.on("message", hear);
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }

  /** @returns the functions in which the time went, the largest first. */
  async stop(): Promise<SelfTime[]> {
    const { profile } = (await this.#ask("Profiler.stop")) as { profile: Profile };
    await this.#ask("Debugger.enable");
    const scripts = new Set(
      profile.nodes.filter(({ callFrame }) => callFrame.url).map((node) => node.callFrame.scriptId),
    );
    const files = new Map<string, string[]>();
    for (const scriptId of scripts) {
      const source = (await this.#ask("Debugger.getScriptSource", { scriptId })) as { scriptSource: string };
      files.set(scriptId, filesByLine(source.scriptSource));
    }
    this.#socket.close();
    return selfTimes(profile, ({ scriptId, lineNumber }) => files.get(scriptId)?.[lineNumber] ?? "");
  }
}

/** The bundler says in a comment from which file the lines below it come. */
function filesByLine(source: string): string[] {
  let file = "";
  return source.split("\n").map((line) => (file = /^\/\/ (\S+\.[jt]s)$/.exec(line)?.[1] ?? file));
}

function selfTimes({ nodes, samples }: Profile, fileOf: (frame: CallFrame) => string): SelfTime[] {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const times = new Map<string, SelfTime>();
  const busy = samples.filter((sample) => frames.get(sample)!.functionName !== IDLE);
  for (const sample of busy) {
    const frame = frames.get(sample)!;
    const name = frame.functionName || "(anonymous)";
    const file = fileOf(frame);
    const time = times.get(`${name} ${file}`) ?? { name, file, ms: 0, share: 0 };
    time.ms += INTERVAL_US / 1000; // not until the next sample: between two events of the Worker's there are none
    time.share += 1 / busy.length;
    times.set(`${name} ${file}`, time);
  }
  return [...times.values()].toSorted((a, b) => b.ms - a.ms);
}
