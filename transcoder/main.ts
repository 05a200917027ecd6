import cluster from "node:cluster";
import { runService } from "../service/http-service.ts";
import { parseConfig, type Config } from "./config.ts";
import { endQuietlyWithSupervisor, FleetMember, superviseFleet } from "./fleet.ts";

function readConfig(): Config {
  try {
    return parseConfig(process.env);
  } catch (error) {
    console.error(`transcoder: ${(error as Error).message}`);
    process.exit(1);
  }
}

const config = readConfig();
if (cluster.isPrimary) {
  superviseFleet(config.processes);
} else {
  endQuietlyWithSupervisor();
  const { transcoderService } = await import("./server.ts"); // FFmpeg's 40 MB, which the supervisor does not need
  const fleet = new FleetMember();
  const onActivity = fleet.report.bind(fleet);
  await runService(transcoderService({ ...config, onActivity, totals: () => fleet.totals() }));
}
