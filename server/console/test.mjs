// Runs the unit tests `src/**/*.test.ts` by Node's own runner.

import { build } from "esbuild";
import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

process.chdir(import.meta.dirname);
const sources = (await readdir("src", { recursive: true })).filter((file) => file.endsWith(".test.ts"));
const folder = await mkdtemp(join(tmpdir(), "millrace-console-"));
await build({
  entryPoints: sources.map((file) => join("src", file)),
  outdir: folder,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  logLevel: "warning",
});
const built = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith(".mjs"));
const { status } = spawnSync(process.execPath, ["--test", ...built.map((file) => join(folder, file))], {
  stdio: "inherit",
});
await rm(folder, { recursive: true });
process.exit(built.length > 0 ? (status ?? 1) : 1);
