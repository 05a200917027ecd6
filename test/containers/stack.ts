/** `wrangler dev` with everything in real containers; in Coqui's, a tiny model. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startGateway, type RunningGateway } from "../support/gateway.ts";
import { docker, removeContainers } from "./docker.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The product's configuration from anywhere, with another Coqui image and, if given, another Worker. */
async function writeConfig(folder: string, main: string | undefined): Promise<string> {
  const product = await readFile(join(root, "wrangler.toml"), "utf8");
  const config = product
    .replace("engines/coqui/Dockerfile", "test/containers/tiny-coqui.Dockerfile")
    .replace(/^image_vars.*$/m, "")
    .replace(/^main = "(.*)"$/m, (_, path: string) => `main = "${main ?? path}"`)
    .replaceAll(
      /^(main|image|image_build_context) = "(.*)"$/gm,
      (_, key, path: string) => `${key} = "${join(root, path)}"`,
    );
  const file = join(folder, "wrangler.toml");
  await writeFile(file, config);
  return file;
}

export interface ContainerGateway extends RunningGateway {
  remove(): Promise<void>;
}

/** @param main a Worker other than the product's, from the root. */
export async function startWithContainers(
  vars: Record<string, string | number> = {},
  main?: string,
): Promise<ContainerGateway> {
  await removeContainers();
  // The tiny model's image is made from this one. No model is in it, and none downloaded.
  await docker("build", "-q", "-f", "engines/coqui/Dockerfile", "-t", "tts-gateway-coqui", root);
  const folder = await mkdtemp(join(tmpdir(), "tts-gateway-containers-"));
  const gateway = await startGateway(vars, { containersConfig: await writeConfig(folder, main) });
  const remove = async () => {
    await gateway.stop();
    await removeContainers();
    await rm(folder, { recursive: true });
  };
  return { ...gateway, remove };
}
