/**
 * Child processes that end with us. Each is the leader of its own process group, so a Ctrl-C in the
 * terminal reaches us alone and we decide the order of the end; whatever it started is ended too.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { CommandError } from "./errors.js";
import { lastWords } from "./lastWords.js";
import { descendantsOf, killQuietly } from "./processTree.js";

/** Characters of stderr kept to explain a failure. */
const STDERR_CHARS_KEPT = 8_000;
/** A process killed by SIGKILL is gone within this, unless the kernel holds it. */
const KILL_WAIT_MS = 2_000;

export type Exit = { code: number | null; signal: NodeJS.Signals | null };

export type Child = {
  name: string;
  pid: number;
  exited: Promise<Exit>;
  /** Why it ended, out of the newest part of what it wrote on stderr. */
  lastWords: () => string;
  /** Resolves with the first line of stdout; rejects when the child ends or the time is over before. */
  firstLine: (timeoutMs: number) => Promise<string>;
  /** SIGTERM, and after the grace SIGKILL to it and all it started. Resolves when it is gone. */
  stop: (graceMs: number) => Promise<void>;
};

export type ChildSpec = {
  name: string;
  command: string;
  args: readonly string[];
  cwd: string;
  environment: Readonly<Record<string, string>>;
  onStderrLine?: (line: string) => void;
};

const running = new Set<Running>();

/** The last resort when this process ends in a way that runs no `finally`: takes every child along. */
export function killChildrenOnExit(): void {
  process.once("exit", () => {
    for (const child of running) child.killTree();
  });
}

/** Starts a child. A command that cannot be started makes `exited` and `firstLine` tell. */
export function startChild(spec: ChildSpec): Child {
  return new Running(spec);
}

class Running implements Child {
  readonly name: string;
  readonly pid: number;
  readonly exited: Promise<Exit>;
  private readonly line: Promise<string>;
  private stderrTail = "";

  constructor({ name, command, args, cwd, environment, onStderrLine }: ChildSpec) {
    this.name = name;
    const child = spawn(command, [...args], {
      cwd,
      env: environment,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    this.pid = child.pid ?? 0;
    this.exited = new Promise((resolve) => {
      child.once("error", (error) => {
        this.stderrTail += error.message;
        running.delete(this);
        resolve({ code: null, signal: null });
      });
      child.once("close", (code, signal) => {
        running.delete(this);
        resolve({ code, signal });
      });
    });
    running.add(this);
    this.line = new Promise((resolve) => {
      createInterface({ input: child.stdout }).once("line", resolve);
      child.stdout.resume();
    });
    createInterface({ input: child.stderr }).on("line", (text) => {
      this.stderrTail = `${this.stderrTail}${text}\n`.slice(-STDERR_CHARS_KEPT);
      onStderrLine?.(text);
    });
  }

  lastWords(): string {
    return lastWords(this.stderrTail);
  }

  async firstLine(timeoutMs: number): Promise<string> {
    const over = new AbortController();
    try {
      return await Promise.race([
        this.line,
        this.exited.then((exit) => {
          throw new CommandError(this.lastWords() || `${this.name} ended (${describeExit(exit)})`);
        }),
        sleep(timeoutMs, undefined, { signal: over.signal }).then(() => {
          throw new CommandError(
            `${this.name} did not get ready within ${String(timeoutMs / 1000)} s`,
          );
        }),
      ]);
    } finally {
      over.abort();
    }
  }

  async stop(graceMs: number): Promise<void> {
    if (!running.has(this)) return;
    this.signal("SIGTERM");
    if (await this.endsWithin(graceMs)) return;
    this.killTree();
    await this.endsWithin(KILL_WAIT_MS);
  }

  /** Must not wait: it also runs while this process exits. */
  killTree(): void {
    // Tools of the CLI lead their own sessions: they are found by descent, while the parent still lives.
    const pids = descendantsOf(this.pid);
    this.signal("SIGKILL");
    for (const pid of pids) killQuietly(pid, "SIGKILL");
  }

  private signal(signal: NodeJS.Signals): void {
    if (this.pid > 0) killQuietly(-this.pid, signal);
  }

  private async endsWithin(ms: number): Promise<boolean> {
    const over = new AbortController();
    const ended = await Promise.race([
      this.exited.then(() => true),
      sleep(ms, false, { signal: over.signal }),
    ]);
    over.abort();
    return ended;
  }
}

function describeExit({ code, signal }: Exit): string {
  return signal ?? `exit code ${String(code)}`;
}
