import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../executor/clock.js";
import { keepKeys, loadIdentity, makeKey, publicHalf } from "../../../executor/identity.js";
import { keysOf } from "../../../executor/keys.js";

let stateDir = "";
beforeEach(async () => {
  stateDir = await mkdtemp(path.join(tmpdir(), "executor-keys-"));
  await keepKeys(stateDir, { executorId: "e1", privateKey: makeKey() });
});
afterEach(() => rm(stateDir, { recursive: true, force: true }));

const enrol = () => Promise.reject(new Error("enrolled already"));
const load = () => loadIdentity({ stateDir, name: "box", enrolToken: undefined, enrol });
const open = async () => {
  const boot = { id: "b1", at: 1 };
  return keysOf(await load(), { stateDir, boot, clock: systemClock });
};
const stored = async () => {
  const { privateKey, nextKey } = await load();
  return {
    key: publicHalf(privateKey).x,
    next: nextKey === undefined ? undefined : publicHalf(nextKey).x,
  };
};
const claimsOf = (jws: string): unknown =>
  JSON.parse(Buffer.from(jws.split(".")[1] ?? "", "base64url").toString());

describe("while one key replaces another", () => {
  it("the next one is on disk before it is told, and takes over on commit", async () => {
    const keys = await open();
    const before = await stored();
    const rotation = await keys.prepare();
    const next = rotation.publicJwk.x;
    expect(await stored()).toEqual({ key: before.key, next });
    expect(claimsOf(rotation.assertion)).toEqual(claimsOf(rotation.proof));
    expect(claimsOf(rotation.proof)).toMatchObject({ x: next, sub: "e1", boot: "b1" });
    await keys.commit();
    expect(await stored()).toEqual({ key: next, next: undefined });
    expect(keys.swap()).toBe(false);
  });

  it("an answer that was lost: after a restart each is tried, and the one that is taken stays", async () => {
    const next = (await (await open()).prepare()).publicJwk.x;
    const keys = await open();
    await keys.granted();
    expect((await stored()).next).toBe(next);
    expect(keys.swap()).toBe(true);
    await keys.granted();
    expect(await stored()).toEqual({ key: next, next: undefined });
  });

  it("a rotation cut short goes on with the key it had made", async () => {
    const keys = await open();
    const first = (await keys.prepare()).publicJwk;
    expect((await keys.prepare()).publicJwk).toEqual(first);
    expect((await (await open()).prepare()).publicJwk).toEqual(first);
  });

  it("no public half has a private part in it", async () => {
    const { publicJwk } = await (await open()).prepare();
    expect(Object.keys(publicJwk).sort()).toEqual(["crv", "kty", "x"]);
    const file = await readFile(path.join(stateDir, "identity.json"), "utf8");
    expect(JSON.stringify(publicJwk)).not.toContain(String(/"d":"([^"]+)"/.exec(file)?.[1]));
  });
});
