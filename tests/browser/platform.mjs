// The platform under test: `millrace dev` as a child process with data of its own, which can be stopped and started
// again on the same port; and calls over REST, which tell what the page does from what the server does.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { variable } from "./parts.mjs";

/** A debug build on a busy machine is slow to start. */
const startMaxMs = 60_000;

/** The ones that run. */
const running = new Set();

afterEach((test) => {
  for (const { output } of test.passed ? [] : running) {
    test.diagnostic(`what the platform printed last: ${output.slice(-4000)}`);
  }
});

export class Platform {
  static async start() {
    const platform = new Platform();
    running.add(platform);
    platform.folder = await mkdtemp(join(tmpdir(), "millrace-browser-"));
    platform.port = await freePort();
    platform.url = `http://127.0.0.1:${platform.port}`;
    try {
      await platform.run();
      // It is complete once it is there, and that is not before the platform is ready.
      const env = await untilWritten(join(platform.folder, "dev.env"));
      platform.key = valueOf(env, "MILLRACE_API_KEY");
      platform.operatorKey = valueOf(env, "MILLRACE_ADMIN_KEY");
      return platform;
    } catch (error) {
      await platform.remove();
      throw error;
    }
  }

  /** Starts the process, again if need be, and waits until it is ready. */
  async run() {
    const environment = Object.entries(process.env).filter(([name]) => !name.startsWith("MILLRACE_"));
    const listen = ["--listen", `127.0.0.1:${this.port}`, "--admin-listen", "off"];
    this.output = "";
    this.child = spawn(variable("MILLRACE_BIN"), ["dev", "--data-dir", this.folder, ...listen], {
      env: Object.fromEntries(environment),
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.on("data", (piece) => (this.output += piece));
    }
    const deadline = Date.now() + startMaxMs;
    for (;;) {
      if (this.child.exitCode !== null) throw new Error(`millrace ended:\n${this.output}`);
      const ready = await fetch(`${this.url}/readiness`).catch(() => undefined);
      if (ready?.ok) return;
      if (Date.now() > deadline) throw new Error(`millrace is not ready:\n${this.output}`);
      await sleep(50);
    }
  }

  /** Ends the process: SIGTERM drains it, SIGKILL is a crash. The data stays. */
  async end(signal) {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, "exit");
    this.child.kill(signal);
    await ended;
  }

  /** The end of the test. */
  async remove() {
    running.delete(this);
    await this.end("SIGKILL");
    await rm(this.folder, { recursive: true, force: true });
  }

  /** A call over REST; fails unless it succeeds. */
  async rest(method, path, body, key = this.key) {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, ...(body && { "content-type": "application/json" }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === "" ? {} : JSON.parse(text);
  }

  async products() {
    return (await this.rest("GET", "/v1/products?pageSize=1000")).products;
  }

  async orders() {
    return (await this.rest("GET", "/v1/users/me/orders?pageSize=1000")).orders;
  }

  /** Places an order behind the page's back. */
  async order(product, quantity = 1, key = this.key) {
    return this.rest("POST", "/v1/users/me/orders", { lines: [{ product, quantity }] }, key);
  }

  /** Signs somebody up who has no orders: the user's name and key. */
  async newUser() {
    const email = `${crypto.randomUUID()}@example.com`;
    const { name } = await this.rest("POST", "/v1/users", { displayName: "New", email });
    const { secret } = await this.rest("POST", `/v1/${name}/apiKeys`, {}, this.operatorKey);
    return { name, key: secret };
  }

  async cancel(order) {
    return this.rest("POST", `/v1/${order}:cancel`, {});
  }
}

async function untilWritten(file) {
  for (let attempt = 0; ; attempt++) {
    try {
      return await readFile(file, "utf8");
    } catch (error) {
      if (attempt === 100) throw error;
      await sleep(50);
    }
  }
}

function valueOf(env, name) {
  const value = new RegExp(`^(?:export )?${name}=["']?([^"'\n]+)`, "m").exec(env)?.[1];
  if (!value) throw new Error(`dev.env has no ${name}`);
  return value;
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}
