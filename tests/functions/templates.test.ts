import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { api, internal } from "../../convex/_generated/api.js";
import { codeOf, World } from "./world.js";

let world: World;
let operator: Awaited<ReturnType<World["user"]>>;
beforeEach(async () => {
  world = await World.make();
  operator = await world.user("operator");
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const save = (text: string, name = "review") =>
  operator.mutation(api.templates.save, { name, text });
const submit = (template: {
  name: string;
  version?: number;
  parameters?: Record<string, string>;
}) => operator.mutation(api.jobs.submit, { repository: "a/b", template });

test("a job keeps the rendered text, whatever becomes of the template", async () => {
  expect(await save("Review {{what}}.")).toBe(1);
  const { jobId } = await submit({ name: "review", parameters: { what: "the tests" } });
  expect(await save("Say nothing of {{what}}.")).toBe(2);
  const { prompt } = await world.t.query(internal.admin.showJob, { jobId });
  expect(prompt).toBe("Review the tests.");
});

test("the newest version by default, an older one by its number", async () => {
  await save("one");
  await save("two");
  await save("other", "zebra");
  expect(await operator.query(api.templates.get, { name: "review" })).toMatchObject({
    text: "two",
    version: 2,
  });
  expect(await operator.query(api.templates.get, { name: "review", version: 1 })).toMatchObject({
    text: "one",
  });
  const listed = await operator.query(api.templates.list, {});
  expect(listed.map(({ name, version }) => [name, version])).toEqual([
    ["review", 2],
    ["zebra", 1],
  ]);
});

test("what cannot be rendered is refused", async () => {
  await save("Review {{what}}.");
  expect(await codeOf(submit({ name: "review" }))).toBe("INVALID_ARGUMENT");
  expect(await codeOf(submit({ name: "nothing" }))).toBe("NOT_FOUND");
  expect(await codeOf(submit({ name: "review", version: 9 }))).toBe("NOT_FOUND");
  expect(await codeOf(save("{{ }}"))).toBe("INVALID_ARGUMENT");
  const none = operator.mutation(api.jobs.submit, { repository: "a/b" });
  expect(await codeOf(none)).toBe("INVALID_ARGUMENT");
  const both = { repository: "a/b", prompt: "x", template: { name: "review" } };
  expect(await codeOf(operator.mutation(api.jobs.submit, both))).toBe("INVALID_ARGUMENT");
});
