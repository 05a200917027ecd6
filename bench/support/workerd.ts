/** The workerd that runs a Worker under `wrangler dev`, from Linux's /proc: its process and the ports it listens on. */
import { readdir, readFile, readlink } from "node:fs/promises";
import { descendants } from "../../test/support/processes.ts";
import type { RunningGateway } from "../../test/support/gateway.ts";

export interface Workerd {
  pid: number;
  /** Where the Worker itself listens: behind the workerd in which `wrangler dev` has its proxy. */
  url: string;
  /** Where the proxy's inspector listens: `wrangler dev` takes workerd's own, which has room for one, for itself. */
  inspectorUrl: string;
}

/** The Worker's own workerd listens on any port, the proxy on the one it was told. */
const WORKER = /workerd .*entry=127\.0\.0\.1:0/;
const PROXY = /workerd .*entry=localhost:\d/;

/** The state of a listening socket in /proc/net/tcp, TCP_LISTEN of Linux's tcp_states.h. */
const LISTENING = "0A";

async function listeningUrls(pid: number): Promise<string[]> {
  const files = await readdir(`/proc/${pid}/fd`);
  const links = await Promise.all(files.map((file) => readlink(`/proc/${pid}/fd/${file}`).catch(() => "")));
  const sockets = (await readFile(`/proc/${pid}/net/tcp`, "utf8")).trim().split("\n").slice(1);
  return sockets
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === LISTENING && links.includes(`socket:[${fields[9]}]`))
    .map((fields) => `http://127.0.0.1:${Number.parseInt(fields[1]!.split(":")[1]!, 16)}`);
}

async function answering(urls: readonly string[], path: string): Promise<string> {
  for (const url of urls) {
    const response = await fetch(url + path).catch(() => undefined);
    await response?.body?.cancel();
    if (response?.ok) return url;
  }
  throw new Error(`workerd answers ${path} at none of ${urls.join(", ")}`);
}

export async function findWorkerd(gateway: RunningGateway): Promise<Workerd> {
  const all = await descendants(gateway.child.pid!);
  const pidOf = (pattern: RegExp) => all.find(({ command }) => pattern.test(command))!.pid;
  const pid = pidOf(WORKER);
  return {
    pid,
    url: await answering(await listeningUrls(pid), "/healthz"),
    inspectorUrl: await answering(await listeningUrls(pidOf(PROXY)), "/json"),
  };
}
