/** The file that the Worker's bundle takes in, as wrangler builds it before it starts. */
import { execFileSync } from "node:child_process";
import { ROOT } from "./run-script.ts";

export default function setup(): void {
  execFileSync(process.execPath, ["scripts/build-client.ts"], { cwd: ROOT });
}
