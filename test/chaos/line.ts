/** The line between a client and the gateway: a TCP proxy of one session that is cut and held up as told. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { COMPRESSION } from "../support/cutting-proxy.ts";

export const CUTS = [
  /** Both ends learn of it at once. */
  "reset",
  /** Both ends see the other hang up, in the middle of whatever was being sent. */
  "hang_up",
  /** The client's end is lost; the gateway's stays open, and takes nothing. */
  "vanish",
] as const;

type Cut = (typeof CUTS)[number];

/** Something that happens to the line once so many bytes have gone to the client, on all its connections together. */
export interface LineEvent {
  atByte: number;
  what: Cut | "stall";
  /** Of a stall. */
  ms?: number;
}

/** A connection from the client, and the one to the gateway that goes with it. */
interface Pair {
  client: Socket;
  gateway: Socket;
  hangUp: () => void;
}

export class Line {
  /** To the client, on all connections together. */
  bytes = 0;
  connections = 0;
  cuts = 0;
  readonly #events: LineEvent[];
  readonly #gateway: URL;
  readonly #server = createServer((client) => this.#connect(client));
  readonly #sockets = new Set<Socket>();

  private constructor(gatewayUrl: string, events: readonly LineEvent[]) {
    this.#gateway = new URL(gatewayUrl);
    this.#events = events.toSorted((a, b) => a.atByte - b.atByte);
  }

  static async open(gatewayUrl: string, events: readonly LineEvent[] = []): Promise<Line> {
    const line = new Line(gatewayUrl, events);
    line.#server.listen(0, "127.0.0.1");
    await once(line.#server, "listening");
    return line;
  }

  /** The same address, through this line. */
  through(wsUrl: string): string {
    const url = new URL(wsUrl);
    url.host = `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return url.href;
  }

  #connect(client: Socket): void {
    this.connections++;
    const gateway = connect(Number(this.#gateway.port), this.#gateway.hostname);
    const pair: Pair = { client, gateway, hangUp: () => gateway.destroy() };
    for (const socket of [client, gateway]) {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.once("close", () => this.#sockets.delete(socket));
    }
    // Its first bytes ask for the upgrade. Compressed, a cut would take away all that came in one burst before it.
    client.once("data", (data: Buffer) => {
      gateway.write(data.toString("latin1").replace(COMPRESSION, ""), "latin1");
      client.pipe(gateway);
    });
    client.once("close", pair.hangUp);
    gateway.once("close", () => client.end());
    this.#carry(pair).catch(() => client.destroy());
  }

  async #carry(pair: Pair): Promise<void> {
    const { client, gateway } = pair;
    for await (const chunk of gateway.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      for (let rest = chunk; ;) {
        const event = this.#events[0];
        const now = event ? rest.subarray(0, Math.max(0, event.atByte - this.bytes)) : rest;
        rest = rest.subarray(now.length);
        this.bytes += now.length;
        if (!client.write(now)) await Promise.race([once(client, "drain"), once(client, "close")]);
        if (client.destroyed) return;
        if (!event || this.bytes < event.atByte) break;
        this.#events.shift();
        if (event.what !== "stall") return this.#cut(event.what, pair);
        await sleep(event.ms);
      }
    }
  }

  #cut(how: Cut, { client, gateway, hangUp }: Pair): void {
    this.cuts++;
    client.unpipe(gateway);
    if (how === "vanish") {
      client.off("close", hangUp).destroy();
    } else if (how === "hang_up") {
      client.end();
      gateway.end();
    } else {
      client.resetAndDestroy();
      gateway.resetAndDestroy();
    }
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}
