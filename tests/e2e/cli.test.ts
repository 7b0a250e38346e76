/** The command line as people and scripts use it: the built program against a real stack. */
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { findRoot } from "../../cli/root.js";
import { gitRepo } from "../support/gitRepo.js";
import { runsLong, say } from "../support/scripts.js";
import { startStack, type Stack } from "../support/stack.js";
import { tempDir } from "../support/tempDir.js";

const repo = gitRepo();
const repositories = [repo.path];

type Ended = { code: number | null; out: string; err: string };
type Call = {
  stdin?: string;
  environment?: Record<string, string>;
  onTalk?: (text: string) => void;
};

/** A person's shell: a home of its own, and the program in it. */
class Shell {
  readonly stack: Stack;
  readonly home = tempDir("home");

  constructor(stack: Stack) {
    this.stack = stack;
  }

  /** Where login keeps its key. */
  get loginFile(): string {
    return path.join(this.home, ".config", "fondation", "login.json");
  }

  /** Starts `fondation …`; `ended` resolves with what it said. */
  start(args: readonly string[], { stdin = "", environment = {}, onTalk }: Call = {}) {
    const child = spawn(process.execPath, [path.join(findRoot(), "dist", "cli.mjs"), ...args], {
      env: { PATH: process.env["PATH"], HOME: this.home, ...environment },
    });
    const said = { out: "", err: "" };
    child.stdout.on("data", (data: Buffer) => (said.out += data.toString()));
    child.stderr.on("data", (data: Buffer) => {
      said.err += data.toString();
      onTalk?.(said.err);
    });
    child.stdin.end(stdin);
    const ended = new Promise<Ended>((resolve) => {
      child.once("close", (code) => {
        resolve({ code, ...said });
      });
    });
    return { child, ended };
  }

  run(...args: string[]): Promise<Ended> {
    return this.start(args).ended;
  }

  /** The one JSON value that a command prints. */
  async json(...args: string[]): Promise<unknown> {
    const { code, out, err } = await this.run(...args, "--json");
    expect({ code, err }).toMatchObject({ code: 0 });
    return JSON.parse(out);
  }

  async login(): Promise<Ended> {
    const { username, password } = await this.stack.credentials();
    const args = ["login", "--url", this.stack.url, "--username", username, "--password-stdin"];
    return this.start(args, { stdin: `${password}\n` }).ended;
  }
}

async function shell(stack: Stack): Promise<Shell> {
  const signedIn = new Shell(stack);
  expect(await signedIn.login()).toMatchObject({ code: 0, out: "" });
  return signedIn;
}

/** A stack without executors, one whose jobs succeed at once, one whose jobs never end by themselves. */
let idle: Stack;
let quick: Stack;
let long: Stack;
beforeAll(async () => {
  idle = await startStack({ script: say("Done."), repositories, executors: 0 });
  quick = await startStack({ script: say("All is well."), repositories });
  long = await startStack({ script: runsLong(), repositories });
});

describe("signing in", () => {
  it("keeps a key and no password, for its owner alone; logout ends the key", async () => {
    const person = await shell(idle);
    const me = { username: "admin", role: "administrator", url: person.stack.url };
    expect(await person.json("whoami")).toEqual(me);
    expect(statSync(person.loginFile).mode & 0o777).toBe(0o600);
    const { password } = await person.stack.credentials();
    const kept = readFileSync(person.loginFile, "utf8");
    expect(kept).not.toContain(password);
    const { key } = JSON.parse(kept) as { key: string };
    expect(await person.run("logout")).toMatchObject({ code: 0, out: "" });
    expect(await person.run("whoami")).toMatchObject({ code: 4, out: "" });
    const environment = { FONDATION_URL: person.stack.url, FONDATION_API_KEY: key };
    expect((await person.start(["whoami"], { environment }).ended).code).toBe(4);
  });

  it("a second login ends the key of the first", async () => {
    const person = await shell(idle);
    const ids = async () =>
      ((await person.json("api-keys", "list")) as { apiKeyId: string }[]).map(
        (key) => key.apiKeyId,
      );
    const before = await ids();
    await person.login();
    const after = await ids();
    expect(after).toHaveLength(before.length);
    expect(after).not.toContain(before[0]);
  });

  it("a wrong password, a backend that is away, an address that is none, a broken file", async () => {
    const person = new Shell(idle);
    const login = (url: string, stdin: string) => {
      const args = ["login", "--url", url, "--username", "admin", "--password-stdin"];
      return person.start(args, { stdin }).ended;
    };
    expect((await login(person.stack.url, "not the password")).code).toBe(4);
    expect((await login("http://127.0.0.1:9", "x".repeat(12))).code).toBe(69);
    expect((await login("nowhere", "x".repeat(12))).code).toBe(64);
    // Without a terminal nobody is asked.
    const asked = await person.run("login", "--url", person.stack.url, "--username", "admin");
    expect(asked).toMatchObject({ code: 64 });
    expect(asked.err).toContain("--password-stdin");
    mkdirSync(path.dirname(person.loginFile), { recursive: true });
    expect((await person.run("jobs", "list")).code).toBe(4);
  });

  it("a script acts with a key of its own, which may do no more than its role", async () => {
    const person = await shell(idle);
    const { password } = await person.stack.credentials();
    const made = await person.start(
      ["api-keys", "create", "dashboard", "--role", "viewer", "--password-stdin", "--json"],
      { stdin: password },
    ).ended;
    expect(made.code).toBe(0);
    const { key, apiKeyId } = JSON.parse(made.out) as { key: string; apiKeyId: string };
    const environment = { FONDATION_URL: person.stack.url, FONDATION_API_KEY: key };
    const script = (...args: string[]) => person.start(args, { environment }).ended;
    expect((await script("jobs", "list")).code).toBe(0);
    const refused = await script("pause", "because");
    expect(refused.code).toBe(4);
    expect(refused.err).toContain("operator");
    expect((await person.run("api-keys", "revoke", apiKeyId)).code).toBe(0);
    expect((await script("jobs", "list")).code).toBe(4);
  });
});

describe("a job", () => {
  it("runs to its end: log as talk, the job as data, exit code 0; list, show, logs, watch", async () => {
    const person = await shell(quick);
    const ran = await person.run("run", repo.path, "Say it.", "--json");
    expect(ran.code).toBe(0);
    expect(ran.err).toContain("All is well.");
    const job = JSON.parse(ran.out) as { jobId: string };
    expect(job).toMatchObject({ state: { kind: "succeeded" }, attempt: 1 });
    expect(await person.json("jobs", "list", "--state", "succeeded")).toMatchObject([
      { jobId: job.jobId },
    ]);
    const shown = await person.run("jobs", "show", job.jobId);
    expect(shown).toMatchObject({ code: 0 });
    expect(shown.out).toContain("All is well.");
    expect(shown.out).toContain("assigned → running");
    const logs = await person.run("jobs", "logs", job.jobId, "--json");
    const entries = logs.out.trim().split("\n");
    expect(entries.map((line) => JSON.parse(line) as unknown)).toContainEqual(
      expect.objectContaining({ kind: "text", text: "All is well." }),
    );
    const followed = await person.run("jobs", "logs", job.jobId, "--follow", "--json");
    expect(followed.out.trim().split("\n")).toEqual(entries);
    expect((await person.run("jobs", "watch", job.jobId, "--quiet")).code).toBe(0);
  });

  it("a prompt comes from stdin or a file, is needed, and comes once", async () => {
    const person = await shell(idle);
    const submit = (args: string[], stdin = "") =>
      person.start(["run", repo.path, ...args, "--detach", "--hold"], { stdin }).ended;
    const piped = await submit(["-"], "from a pipe");
    expect(piped.code).toBe(0);
    const file = path.join(repo.path, "README.md");
    expect((await submit(["--file", file])).code).toBe(0);
    expect((await submit([])).code).toBe(64);
    expect((await submit(["text", "--file", file])).code).toBe(64);
    expect((await submit(["--file", `${file}.missing`])).code).toBe(64);
    expect((await submit(["x", "--timeout", "soon"])).code).toBe(64);
    expect((await submit(["x", "--no-such-option"])).code).toBe(64);
    expect(await person.json("jobs", "list", "--state", "waiting")).toHaveLength(2);
  });

  it("ends with 1 failed, 3 out of time, 5 where there is none", async () => {
    const person = await shell(long);
    expect((await person.run("run", repo.path, "x", "--ref", "no-such-branch")).code).toBe(1);
    const late = await person.run("run", repo.path, "x", "--timeout", "2s", "--attempts", "1");
    expect({ code: late.code, out: late.out }).toMatchObject({ code: 3 });
    expect(late.out).toContain("timedOut");
    expect((await person.run("jobs", "show", "nothing")).code).toBe(5);
    expect((await person.run("jobs", "cancel", "nothing")).code).toBe(5);
    expect((await person.run("run", "--upload-pack=x", "x")).code).toBe(64);
  });

  it("Ctrl-C cancels it, says how to watch it, and ends with 2", async () => {
    const person = await shell(long);
    let isSent = false;
    const running = person.start(["run", repo.path, "x"], {
      onTalk: (text) => {
        if (isSent || !text.includes("running")) return;
        isSent = true;
        running.child.kill("SIGINT");
      },
    });
    const { code, err, out } = await running.ended;
    expect({ code, out }).toMatchObject({ code: 2 });
    expect(err).toContain("fondation jobs watch");
    expect(out).toContain("canceled");
  });

  it("acts on those named, each with its outcome, and on all that meet a filter", async () => {
    const person = await shell(idle);
    const ids: string[] = [];
    for (const prompt of ["one", "two", "three"]) {
      const { out } = await person.run("run", repo.path, prompt, "--detach", "--no-key");
      ids.push(out.trim());
    }
    const [first = "", second = ""] = ids;
    const held = await person.run("jobs", "hold", first, "nothing", second, "--json");
    expect(held.code).toBe(5);
    expect(
      held.out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown),
    ).toMatchObject([
      { jobId: first, ok: true, detail: "waiting" },
      { jobId: "nothing", ok: false },
      { jobId: second, ok: true },
    ]);
    expect((await person.run("jobs", "release", first)).code).toBe(0);
    // Nobody is there to be asked.
    expect((await person.run("jobs", "cancel", "--state", "pending")).code).toBe(64);
    expect((await person.run("jobs", "cancel", first, "--state", "pending")).code).toBe(64);
    expect((await person.run("jobs", "cancel")).code).toBe(64);
    const canceled = await person.run("jobs", "cancel", "--state", "pending", "--yes", "--json");
    expect(canceled.code).toBe(0);
    expect(canceled.out.trim().split("\n")).toHaveLength(2);
    // Refused, with the queue's own sentence.
    const again = await person.run("jobs", "hold", first);
    expect(again).toMatchObject({ code: 1, out: "" });
    expect(again.err).toContain("it has ended");
    expect(
      (await person.run("jobs", "retry", "--state", "canceled", "--since", "1h", "--yes")).code,
    ).toBe(0);
    expect(await person.json("jobs", "list", "--state", "pending")).toHaveLength(2);
  });
});

describe("the queue", () => {
  let person: Shell;
  beforeAll(async () => {
    person = await shell(quick);
  });

  it("pauses with a reason that a waiting job tells, and resumes", async () => {
    expect((await person.run("pause", "moving house")).code).toBe(0);
    const { out } = await person.run("run", repo.path, "x", "--detach");
    const shown = (await person.json("jobs", "show", out.trim())) as {
      waiting: { message: string };
    };
    expect(shown.waiting.message).toContain("moving house");
    expect((await person.run("stats")).out).toContain("moving house");
    expect((await person.run("resume")).code).toBe(0);
    expect((await person.run("jobs", "watch", out.trim(), "--quiet")).code).toBe(0);
    const stats = (await person.json("stats", "--range", "hour")) as { queue: { paused: unknown } };
    expect(stats.queue.paused).toBeNull();
    expect((await person.run("stats", "--range", "year")).code).toBe(64);
  });

  it("drains and resumes an executor by name, enrols, revokes when it is sure", async () => {
    expect((await person.run("executors", "drain", "executor-1")).err).toContain("draining");
    expect((await person.run("executors", "list")).out).toContain("draining");
    expect((await person.run("executors", "resume", "executor-1")).code).toBe(0);
    expect(await person.json("executors", "list")).toMatchObject([
      { name: "executor-1", draining: false, presence: "online" },
    ]);
    expect((await person.run("executors", "drain", "nobody")).code).toBe(5);
    const { out } = await person.run("executors", "enrol", "laptop");
    expect(out.trim()).toMatch(/^\S{20,}$/);
    expect((await person.run("executors", "revoke", "executor-1")).code).toBe(64);
    expect((await person.run("executors", "revoke", "executor-1", "--yes")).err).toContain(
      "revoked",
    );
  });

  it("sets, lists and removes budgets", async () => {
    const set = (...args: string[]) => person.run("budgets", "set", ...args);
    expect(await set("20")).toMatchObject({ code: 0 });
    const own = await set("2.50", "--per", "month", "--user", "ada", "--time-zone", "Asia/Tokyo");
    expect(own.err).toContain("of user:ada for a month (Asia/Tokyo): $2.50, of which $0.00 are");
    const listed = (await person.json("budgets", "list")) as { budgetId: string }[];
    expect(listed).toMatchObject([
      { scope: { kind: "user", name: "user:ada" }, period: "month", limitUsd: 2.5 },
      { scope: { kind: "all" }, period: "day", limitUsd: 20, spentUsd: 0 },
    ]);
    expect((await person.run("budgets", "list")).out).toMatch(/everybody +day +\$20\.00/);
    expect((await set("0")).code).toBe(64);
    expect((await set("1", "--per", "year")).code).toBe(64);
    expect((await set("1", "--user", "a", "--repo", "b")).code).toBe(64);
    expect((await set("1", "--credential", "none")).code).toBe(5);
    expect((await set("1", "--time-zone", "Mars/Olympus")).err).toContain("no time zone");
    expect((await person.run("budgets", "remove", "none", "--yes")).code).toBe(5);
    for (const { budgetId } of listed) {
      expect((await person.run("budgets", "remove", budgetId)).code).toBe(64);
      expect((await person.run("budgets", "remove", budgetId, "--yes")).code).toBe(0);
    }
    expect(await person.json("budgets", "list")).toEqual([]);
  });

  it("prunes: counts first, deletes when it is sure", async () => {
    const dry = (await person.json(
      "prune",
      "--dry-run",
      "--days",
      "jobs=1",
      "--days",
      "logs=1",
    )) as {
      isComplete: boolean;
    };
    expect(dry.isComplete).toBe(true);
    expect((await person.run("prune", "--kind", "logs")).code).toBe(64);
    expect((await person.run("prune", "--kind", "logs", "--yes")).out).toContain("nothing is old");
    expect((await person.run("prune", "--kind", "everything")).code).toBe(64);
    expect((await person.run("prune", "--days", "logs")).code).toBe(64);
  });
});
