import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { api } from "../../convex/_generated/api.js";
import { toBase64Url } from "../../convex/lib/crypto.js";
import { call, publicFunctions, type Ids, valuesOf } from "./publicFunctions.js";
import { started, World } from "./world.js";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const RUNS = 8;
const VALUES = [
  "github_pat_of_repository_1",
  "github_pat_of_alice_2",
  "sk-ant-credential-3",
] as const;
const KEY = toBase64Url(new Uint8Array(32).fill(1));

/** Secrets of each kind, and a job, an executor and people who use them. */
async function fullWorld() {
  const administrator = await world.user("administrator");
  const alice = await world.user("operator", "alice");
  const [value, ofAlice, ofClaude] = VALUES;
  const repository = { kind: "repositoryToken", name: "octo/hello", value } as const;
  const { secretId } = await administrator.action(api.secrets.set, repository);
  await alice.action(api.secrets.setMyToken, { host: "github.com", value: ofAlice });
  const claude = { kind: "claude", name: "team", form: "apiKey", value: ofClaude } as const;
  await administrator.action(api.secrets.set, claude);
  const [credential] = await administrator.query(api.credentials.list, {});
  if (credential === undefined) throw new Error("the secret is no credential");
  await administrator.mutation(api.executors.createEnrolment, { label: "waiting" });
  await world.t.run((ctx) =>
    ctx.db.insert("credentials", {
      ...{ userId: alice.userId, failures: 0, lockedUntil: 0 },
      passwordHash: "pbkdf2-sha512$210000$salt$of-alice",
    }),
  );
  const executor = await world.executor("box", 1);
  const jobId = await world.submit();
  const claim = await started(executor);
  for (const use of ["clone", "claude"] as const) {
    await executor.action(api.secrets.issue, { ...claim, use });
  }
  const items = [{ repository: "octo/hello" }];
  const batch = { name: "b", prompt: "x", items };
  const { storageId, sha256, bytes } = await world.part("a file");
  const artifactId = await world.t.run((ctx) =>
    ctx.db.insert("artifacts", {
      ...{ jobId, attempt: 1, name: "a", kind: "file", storageId, sha256, bytes },
    }),
  );
  const ids: Ids = {
    artifacts: [artifactId],
    batches: [await alice.mutation(api.batches.submit, batch)],
    jobs: [jobId],
    executors: [executor.executorId],
    users: [alice.userId],
    sessions: [alice.sessionId],
    budgets: [await world.budget()],
    claudeCredentials: [credential.credentialId],
    secrets: [secretId],
  };
  return { ids, callers: [administrator, alice, executor, world.t] };
}

/** Everything that nobody may see: the secrets, what is sealed or hashed in any table, and the keys. */
async function secretTexts(): Promise<string[]> {
  const kept: string[] = [];
  const collect = (value: unknown, name: string): void => {
    if (typeof value === "string" && /hash|^box$/i.test(name)) kept.push(value);
    if (typeof value !== "object" || value === null) return;
    for (const [field, inner] of Object.entries(value)) collect(inner, field);
  };
  collect(await world.everything(), "");
  expect(kept.filter((text) => text.startsWith("v1.k1.")).length).toBe(VALUES.length);
  return [...VALUES, ...kept, KEY];
}

test("29: no query's result or error has a secret in it, whatever is asked by whomever", async () => {
  const { ids, callers } = await fullWorld();
  const secrets = await secretTexts();
  const queries = (await publicFunctions()).filter(({ kind }) => kind === "query");
  expect(queries.map(({ name }) => name)).toContain("secrets:list");
  let answers = 0;
  for (const fn of queries) {
    const tellsNothing = fc.asyncProperty(
      valuesOf(fn.args, ids),
      fc.constantFrom(...callers),
      async (args, as) => {
        const said = await call(as, fn, args).then(
          (answer) => {
            answers += 1;
            return JSON.stringify(answer, bigints);
          },
          (error: unknown) => `${String(error)} ${JSON.stringify(error, bigints)}`,
        );
        expect(secrets.filter((secret) => said.includes(secret))).toEqual([]);
      },
    );
    await fc.assert(tellsNothing, { numRuns: RUNS, endOnFailure: true });
  }
  expect(answers).toBeGreaterThan(queries.length);
}, 60_000);

test("29: the search finds what is kept, and nothing is kept as it is", async () => {
  await fullWorld();
  const [everything, secrets] = [
    JSON.stringify(await world.everything(), bigints),
    await secretTexts(),
  ];
  const found = secrets.filter((secret) => everything.includes(secret));
  expect(found).toEqual(secrets.filter((secret) => secret !== KEY && !isOneOf(VALUES, secret)));
});

const isOneOf = (all: readonly string[], one: string) => all.includes(one);
const bigints = (_: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);
