// The real parts that `tests/run` names in the environment: the binary, the browser, the npm packages.

import { createRequire } from "node:module";
import { join } from "node:path";

/** A variable that `tests/run` sets. */
export function variable(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run the tests by ./tests/run`);
  return value;
}

/** The folder of the packages of this folder's lock file. */
export const modules = variable("MILLRACE_NODE_MODULES");

/** Loads one of them. */
export const load = createRequire(join(modules, "any.cjs"));

export const root = join(import.meta.dirname, "../..");
