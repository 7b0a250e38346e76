import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { api } from "../../convex/_generated/api.js";
import { claimsOf, signer } from "./signer.js";
import { failed, finish, registration, START, started, World } from "./world.js";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const lines = () => world.t.run((ctx) => ctx.db.query("audit").collect());

test("each event in the life of an executor leaves a line", async () => {
  const root = await world.user("administrator", "root");
  const keys = await signer();
  const guess = { token: "fen_x", name: "box", publicJwk: jwkOf(keys.x) };
  await world.t.mutation(api.executors.enrol, guess);
  const executorId = await world.enrol("box", keys.x);
  await world.t.mutation(api.executors.token, { executorId, assertion: "garbage" });
  const first = world.process(executorId, "boot-1", START);
  const announced = { registration: registration(1) };
  await first.mutation(api.executors.register, announced);
  await world.submit();
  await finish(first, await started(first), failed("cliAuth"));
  await world.advance(31_000);
  await first.mutation(api.executors.heartbeat, { held: [] });
  const second = world.process(executorId, "boot-2", START + 1);
  await second.mutation(api.executors.register, announced);
  const late = await keys.sign(claimsOf(executorId, at(Date.now())));
  await world.t.mutation(api.executors.token, { executorId, assertion: late });
  const rotation = { publicJwk: jwkOf("B".repeat(43)), assertion: "a", proof: "b" };
  await second.mutation(api.executors.rotateKey, rotation);
  await second.mutation(api.executors.goOffline, {});
  await root.mutation(api.executors.revoke, { executorId });
  const seen = (await lines()).filter(({ action }) => /^(executor|enrolment)/.test(action));
  expect(seen.map(({ action }) => action)).toEqual([
    "executor.enrol.refused",
    "enrolment.created",
    "executor.enrolled",
    "executor.token.refused",
    "executor.registered",
    "executor.unhealthy",
    "executor.lost",
    "executor.back",
    "executor.registered",
    "executor.superseded",
    "executor.rotation.refused",
    "executor.offline",
    "executor.revoked",
  ]);
});

const jwkOf = (x: string) => ({ kty: "OKP" as const, crv: "Ed25519" as const, x });
const at = (now: number) => ({ iat: now / 1000, exp: now / 1000 + 60 });
