/** A bad network: a TCP proxy in front of the gateway that cuts WebSocket connections in the middle of anything. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { between, seeded } from "./random.ts";

export interface CuttingProxyOptions {
  /** The gateway's address. */
  target: string;
  seed: number;
  /** Bytes from the gateway after which a connection is cut, those of its upgrade's answer too; uniform at random. */
  cutAfterBytes: { min: number; max: number };
}

export interface CuttingProxy extends AsyncDisposable {
  /** Its own address: a session created through it has a `ws_url` that leads through it. */
  url: string;
  /** Set to false, it lets everything through. */
  isCutting: boolean;
  /** WebSocket connections so far, and how many of them were cut. */
  readonly connections: number;
  readonly cuts: number;
  /** Cuts all WebSocket connections that are open now. */
  cutAll(): void;
}

/**
 * The header that offers compression. Without it a client gets what came before a cut: Node's WebSocket throws away what
 * it has not inflated when its connection ends, all of a burst (seen in Node 24), and would get no further for long.
 */
export const COMPRESSION = /^sec-websocket-extensions:.*\r\n/im;

export async function cuttingProxy({ target, seed, cutAfterBytes }: CuttingProxyOptions): Promise<CuttingProxy> {
  const random = seeded(seed);
  const { hostname, port } = new URL(target);
  const { min, max } = cutAfterBytes;
  const sockets = new Set<() => void>();
  const streams = new Set<() => void>();
  let connections = 0;
  let cuts = 0;

  const server = createServer((client) => {
    const gateway = connect(Number(port), hostname);
    let left = Infinity;
    const destroy = () => {
      client.destroy();
      gateway.destroy();
    };
    // By an end, or by a reset: that one also takes away what the client has not read yet.
    const cut = () => {
      if (!streams.delete(cut)) return;
      cuts++;
      if (random() < 0.5) client.resetAndDestroy();
      gateway.destroy();
    };
    sockets.add(destroy);
    client.on("data", (data: Buffer) => {
      const request = data.toString("latin1");
      // Perhaps not its first request: Node upgrades a connection on which it has asked for other things.
      if (!/^upgrade: *websocket/im.test(request)) return void gateway.write(data);
      connections++;
      streams.add(cut);
      left = between(random, min, max);
      gateway.write(request.replace(COMPRESSION, ""), "latin1");
    });
    gateway.on("data", (data: Buffer) => {
      const passed = proxy.isCutting ? data.subarray(0, left) : data;
      if (proxy.isCutting) left -= passed.length;
      const hasRoom = client.write(passed, left === 0 ? cut : undefined);
      if (left === 0) gateway.pause();
      else if (!hasRoom) {
        gateway.pause();
        client.once("drain", () => gateway.resume());
      }
    });
    gateway.on("error", () => client.destroy()).on("close", () => client.resume().end());
    client
      .on("error", () => {})
      .on("close", () => {
        gateway.destroy();
        sockets.delete(destroy);
        streams.delete(cut);
      });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  const proxy: CuttingProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    isCutting: true,
    get connections() {
      return connections;
    },
    get cuts() {
      return cuts;
    },
    cutAll() {
      for (const cut of streams) cut();
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const destroy of sockets) destroy();
      await closed;
    },
  };
  return proxy;
}
