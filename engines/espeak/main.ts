/** The engine as a process: `node engines/espeak/main.ts`, set by PORT, HOST, THREADS and QUEUE_LIMIT. */
import { availableParallelism } from "node:os";
import { runService } from "../../service/http-service.ts";
import { parseConfig, type Config } from "./config.ts";
import { createEspeak } from "./server.ts";

function configOrExit(): Config {
  try {
    return parseConfig(process.env, availableParallelism());
  } catch (error) {
    console.error(`espeak: ${(error as Error).message}`);
    process.exit(1);
  }
}

const { service, stop } = createEspeak(configOrExit());
await runService(service, stop);
