import { describe, expect, test } from "vitest";
import { keysNew } from "../../cli/commands/keys.js";
import { createOutput } from "../../cli/output.js";

/** What the command prints, as variables. */
async function printed(options: { of: string; keep?: string }): Promise<Record<string, string>> {
  let text = "";
  const stream = { write: (part: string) => (text += part) };
  await keysNew(options, createOutput(stream, stream));
  const lines = [...text.matchAll(/^([A-Z_]+)='(.*)'$/gm)];
  return Object.fromEntries(lines.map(([, name = "", value = ""]) => [name, value]));
}
const keysOf = (jwks = "") => {
  const json = Buffer.from(jwks.split(",")[1] ?? "", "base64").toString("utf8");
  return (JSON.parse(json) as { keys: { kid: string; d?: string }[] }).keys;
};

describe("fondation keys new", () => {
  test("prints a private key, and the public half of it alone", async () => {
    const variables = await printed({ of: "executor" });
    const { kid, d } = JSON.parse(variables["AUTH_EXECUTOR_PRIVATE_JWK"] ?? "") as {
      kid: string;
      d: string;
    };
    expect(d.length).toBeGreaterThan(300);
    expect(keysOf(variables["AUTH_EXECUTOR_JWKS"])).toMatchObject([{ kid }]);
    expect(keysOf(variables["AUTH_EXECUTOR_JWKS"])[0]).not.toHaveProperty("d");
  });

  test("keeps the latest key before it, and no older one", async () => {
    const first = await printed({ of: "user" });
    const second = await printed({ of: "user", keep: first["AUTH_USER_JWKS"] ?? "" });
    const third = await printed({ of: "user", keep: second["AUTH_USER_JWKS"] ?? "" });
    const kids = (variables: Record<string, string>) =>
      keysOf(variables["AUTH_USER_JWKS"]).map((key) => key.kid);
    expect(kids(second)).toEqual([...kids(first), kids(second).at(-1)]);
    expect(kids(third)).toEqual([kids(second).at(-1), kids(third).at(-1)]);
  }, 60_000);

  test.each([
    [{ of: "nobody" }, /--of/],
    [{ of: "user", keep: "" }, /--keep/],
    [{ of: "user", keep: "data:application/json;base64,e30=" }, /--keep/],
  ])("%j is a usage error", async (options, message) => {
    await expect(printed(options)).rejects.toThrow(message);
  });
});
