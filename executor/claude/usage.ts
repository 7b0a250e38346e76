import type { Tokens } from "../../convex/protocol/job.js";

/** What one process of the CLI has cost, by its own account: list prices, subagents included. */
export type CliUsage = { costUsd: number; tokens: Tokens };

export const NO_USAGE: CliUsage = {
  costUsd: 0,
  tokens: { input: 0, output: 0, cacheRead: 0, cacheCreation: 0 },
};

/**
 * Reads a total in US dollars and the usage of each model, as `result` and the answer to `get_usage` have
 * them; undefined when there is neither. (`usage` of a result leaves out what subagents spent.)
 */
export function parseUsage({
  cost,
  models,
}: {
  cost: unknown;
  models: unknown;
}): CliUsage | undefined {
  if (!isAmount(cost) && models === undefined) return undefined;
  const tokens = { ...NO_USAGE.tokens };
  for (const usage of Object.values(asFields(models))) {
    const fields = asFields(usage);
    tokens.input += amount(fields["inputTokens"]);
    tokens.output += amount(fields["outputTokens"]);
    tokens.cacheRead += amount(fields["cacheReadInputTokens"]);
    tokens.cacheCreation += amount(fields["cacheCreationInputTokens"]);
  }
  return { costUsd: amount(cost), tokens };
}

/** Of two words on the same process the later one: what it has cost only grows. */
export function laterUsage(a: CliUsage, b: CliUsage): CliUsage {
  return b.costUsd >= a.costUsd ? b : a;
}

const amount = (value: unknown): number => (isAmount(value) ? value : 0);

function isAmount(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

function asFields(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null) return {};
  // Any object may be read by any key; each read is checked.
  return value as Record<string, unknown>;
}
