/** What answers for Docker here, asked from outside about the containers that `wrangler dev` started. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Wrangler's own variable for where the command is. */
const COMMAND = process.env.WRANGLER_DOCKER_BIN ?? "docker";

export type Kind = "Transcoder" | "Espeak" | "Coqui";

export async function docker(...args: string[]): Promise<string> {
  const { stdout } = await run(COMMAND, args, { maxBuffer: 64 * 1024 * 1024 });
  return stdout.trim();
}

async function namesOf(kind: Kind | "", ...options: string[]): Promise<string[]> {
  const names = await docker(
    "ps",
    ...options,
    "--filter",
    `name=tts-gateway-.*${kind}Container-`,
    "--format",
    "{{.Names}}",
  );
  return names.split("\n").filter(Boolean);
}

/** The running containers of a kind, without the proxy that stands beside each. */
export async function containersOf(kind: Kind): Promise<string[]> {
  return (await namesOf(kind)).filter((name) => !name.endsWith("-proxy"));
}

/** Wrangler names containers after their objects, so what an earlier run left would be taken for this run's. */
export async function removeContainers(): Promise<void> {
  const names = await namesOf("", "--all");
  // First the proxies' partners: what shares another's network has to go before it.
  names.sort((a, b) => Number(a.endsWith("-proxy")) - Number(b.endsWith("-proxy")));
  for (const name of names) await docker("rm", "-f", name).catch(() => {}); // it may be going already
}
