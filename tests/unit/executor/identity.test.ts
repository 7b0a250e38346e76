import { createPublicKey, verify } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { PublicJwk } from "../../../convex/protocol/executor.js";
import { type Enrol, loadIdentity, signAssertion } from "../../../executor/identity.js";
import { aJobId } from "./factories.js";
import { FakeClock } from "./fakeClock.js";

// Ids are opaque text; one brand stands for another here.
const executorId = aJobId("exec1") as unknown as Extract<
  Awaited<ReturnType<Enrol>>,
  { ok: true }
>["executorId"];

describe("the executor's identity", () => {
  let stateDir = "";
  const keys: PublicJwk[] = [];
  const enrol: Enrol = ({ publicJwk }) => {
    keys.push(publicJwk);
    return Promise.resolve({ ok: true, executorId });
  };
  const load = (more: { enrolToken?: string | undefined; enrol?: Enrol } = {}) =>
    loadIdentity({ stateDir, name: "e", enrolToken: "fen_token", enrol, ...more });

  beforeEach(async () => {
    keys.length = 0;
    stateDir = await mkdtemp(path.join(tmpdir(), "identity-"));
  });
  afterEach(async () => {
    await rm(stateDir, { recursive: true });
  });

  it("enrols on the first start only, and is kept for its owner alone", async () => {
    await load();
    const again = await load({ enrolToken: undefined });
    expect(keys).toHaveLength(1);
    expect(again.executorId).toBe("exec1");
    expect((await stat(path.join(stateDir, "identity.json"))).mode & 0o777).toBe(0o600);
  });

  it("says what to do when there is neither identity nor token", async () => {
    await expect(load({ enrolToken: undefined })).rejects.toThrow(
      "FONDATION_ENROL_TOKEN is not set",
    );
  });

  it("says what to do when the token is refused", async () => {
    const refuse: Enrol = () => Promise.resolve({ ok: false, code: "UNAUTHENTICATED" });
    await expect(load({ enrol: refuse })).rejects.toThrow("create a new enrolment");
  });

  it("repeats an enrolment that was cut short with the same key", async () => {
    const cut: Enrol = ({ publicJwk }) => {
      keys.push(publicJwk);
      return Promise.reject(new Error("offline"));
    };
    await expect(load({ enrol: cut })).rejects.toThrow("offline");
    await load();
    expect(keys[1]).toEqual(keys[0]);
  });

  it("refuses a damaged file instead of enrolling anew", async () => {
    await writeFile(path.join(stateDir, "identity.json"), '{"version":2}');
    await expect(load()).rejects.toThrow("is damaged or from another version");
    expect(await readFile(path.join(stateDir, "identity.json"), "utf8")).toBe('{"version":2}');
  });

  it("signs assertions that its public key verifies, each with a number of its own", async () => {
    const identity = await load();
    const clock = new FakeClock();
    await clock.advance(1_000_000);
    const tokens = [0, 1].map(() => signAssertion(identity, { id: "boot1", at: 17 }, clock));
    const [header = "", claims = "", signature = ""] = (tokens[0] ?? "").split(".");
    const [jwk] = keys;
    if (jwk === undefined) throw new Error("not enrolled");
    const key = createPublicKey({ key: { ...jwk }, format: "jwk" });
    expect(
      verify(null, Buffer.from(`${header}.${claims}`), key, Buffer.from(signature, "base64url")),
    ).toBe(true);
    const decode = (part: string): unknown => JSON.parse(Buffer.from(part, "base64url").toString());
    expect(decode(header)).toEqual({ alg: "EdDSA", typ: "JWT" });
    expect(decode(claims)).toMatchObject({
      iss: "exec1",
      sub: "exec1",
      aud: "fondation/executors/token",
      iat: 1_000,
      exp: 1_060,
      boot: "boot1",
      bootAt: 17,
    });
    expect(tokens[0]).not.toBe(tokens[1]);
  });
});
