import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { constants } from "node:os";
import { connect, createServer } from "node:net";
import * as z from "zod/mini";

/**
 * What runs inside the jail around the CLI (`executor.mjs jail-bridge FILE`): the CLI speaks TCP, the
 * only way out is a socket file, so a port of the jail's own loopback is joined to it. The call of the
 * CLI is in a file, since arguments would show it to the whole machine.
 */
export const BRIDGE_COMMAND = "jail-bridge";

const call = z.object({
  file: z.string(),
  args: z.array(z.string()),
  env: z.record(z.string(), z.string()),
  cwd: z.string(),
  /** Port of the jail's loopback → socket file; absent when the run has no login. */
  gateway: z.optional(z.object({ port: z.number(), socket: z.string() })),
});
export type BridgeCall = z.output<typeof call>;

const CONNECTIONS_MAX = 128;
/** The shell's codes for a program that cannot be run, and for one that a signal ended. */
const NOT_RUN = 127;
const SIGNALED = 128;

/** Resolves with the exit code when the CLI has ended. */
export async function bridge(file: string): Promise<number> {
  const { gateway, ...command } = call.parse(JSON.parse(await readFile(file, "utf8")));
  if (gateway !== undefined) await join(gateway);
  // Signals reach the whole process group: the CLI has its own, and its end is ours.
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => undefined);
  const { args, env, cwd } = command;
  const child = spawn(command.file, args, { env, cwd, stdio: "inherit" });
  return new Promise((resolve) => {
    child.once("error", (error) => {
      process.stderr.write(`${error.message}\n`);
      resolve(NOT_RUN);
    });
    child.once("exit", (code, signal) => {
      resolve(code ?? SIGNALED + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}

async function join({ port, socket }: { port: number; socket: string }): Promise<void> {
  const server = createServer((client) => {
    const out = connect(socket);
    client.once("error", () => out.destroy());
    client.once("close", () => out.destroy());
    out.once("error", () => client.destroy());
    out.once("close", () => client.destroy());
    client.pipe(out).pipe(client);
  });
  server.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
}
