/**
 * A producer or an executor of ours, as a process of its own: the client of an operator, or the wire of
 * the real executor with a handler that does nothing. It speaks with race.ts over IPC.
 */
import { randomUUID } from "node:crypto";
import { signIn } from "../../../cli/backend.js";
import type { Assignment } from "../../../convex/protocol/executor.js";
import { HEARTBEAT_MS_DEFAULT, LEASE_MS_DEFAULT } from "../../../convex/protocol/limits.js";
import { connectBackend, enrolOver, type Backend } from "../../../executor/backend.js";
import { systemClock } from "../../../executor/clock.js";
import { loadIdentity } from "../../../executor/identity.js";
import { keysOf } from "../../../executor/keys.js";
import { createLogger } from "../../../executor/logger.js";
import { type Order, type Sample, type Told, stamp } from "./race.js";

/** What the parent passes on, in the one argument of the process. */
export type OursArgs = { url: string; role: "producer" | "worker" | "victim" } & (
  | { username: string; password: string }
  | { stateDir: string; name: string; enrolToken: string; slots: number }
);

const FLUSH_MS = 5;
const REPORT = {
  costUsd: 0,
  tokens: { input: 0, output: 0, cacheRead: 0, cacheCreation: 0 },
  turns: 0,
  permissionDenials: 0,
};

export async function actOurs(args: OursArgs): Promise<void> {
  const leave = "username" in args ? await produce(args) : await work(args);
  process.once("disconnect", () => {
    leave().then(() => process.exit(0), end);
  });
  tell({ ready: true });
}

function tell(told: Told): void {
  process.send?.(told);
}

/** What has to be done before the process ends. */
type Leave = () => Promise<void>;

async function produce(args: { url: string; username: string; password: string }): Promise<Leave> {
  const { url, username, password } = args;
  const people = await signIn(url, { username, password });
  const submit = (i: number) =>
    people.submit({ repository: "octo/hello", prompt: `job ${i}`, concurrencyKey: null });
  const obey = async ({ from, count, gapMs, parallel }: Order): Promise<void> => {
    const sent: Sample[] = [];
    let next = from;
    const lane = async (): Promise<void> => {
      while (next < from + count) {
        const i = next;
        next += 1;
        const at = stamp();
        await submit(i);
        sent.push([i, at, stamp()]);
        if (gapMs > 0) {
          await new Promise((resolve) => setTimeout(resolve, gapMs * (1 + Math.random())));
        }
      }
    };
    await Promise.all(Array.from({ length: parallel }, lane));
    tell({ sent });
  };
  process.on("message", (order: Order) => {
    obey(order).catch(end);
  });
  return () => people.close();
}

async function work(args: Extract<OursArgs, { stateDir: string }>): Promise<Leave> {
  const { url, stateDir, name, enrolToken, slots } = args;
  const identity = await loadIdentity({ stateDir, name, enrolToken, enrol: enrolOver(url) });
  const boot = { id: randomUUID(), at: systemClock.now() };
  const backend = connectBackend({
    url,
    clock: systemClock,
    logger: createLogger({ level: "error", write: say, redact: (text) => text }),
    keys: keysOf(identity, { stateDir, boot, clock: systemClock }),
    onFinal: end,
  });
  const versions = { version: "0.1.0", cliVersion: "0.0.0", labels: [] };
  await backend.register({ slots, leaseMs: LEASE_MS_DEFAULT, ...versions });
  setInterval(() => {
    backend.heartbeat([], undefined).catch(end);
  }, HEARTBEAT_MS_DEFAULT);
  const ran: Sample[] = [];
  setInterval(() => {
    if (ran.length > 0) tell({ ran: ran.splice(0) });
  }, FLUSH_MS);
  const begun = new Set<string>();
  await new Promise<void>((resolve) => {
    backend.watchAssignments((assignments) => {
      const seenAt = stamp();
      for (const assignment of assignments) {
        const key = `${assignment.jobId} ${assignment.token}`;
        if (begun.has(key)) continue;
        begun.add(key);
        handle(backend, assignment, (i) => {
          ran.push([i, stamp(), seenAt]);
          return args.role === "victim";
        }).catch(end);
      }
      resolve();
    });
  });
  return () => backend.goOffline();
}

/** Begins an attempt; `onWork` is the handler's first line, and says whether it is never to end. */
async function handle(
  backend: Backend,
  { jobId, token }: Assignment,
  onWork: (i: number) => boolean,
): Promise<void> {
  const { prompt } = await backend.start({ jobId, token });
  if (onWork(Number(prompt.replace("job ", "")))) return;
  await backend.finish({ jobId, token }, { outcome: { kind: "succeeded" }, report: REPORT });
}

function say(line: string): void {
  process.stderr.write(line);
}

function end(reason: unknown): void {
  say(`${String(reason)}\n`);
  process.exit(1);
}
