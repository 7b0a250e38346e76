/** `fondation budgets`: what may be spent, by whom, in which time. */
import type { Command } from "commander";
import { confirm } from "../ask.js";
import type { Backend, BudgetGiven, BudgetView } from "../backend.js";
import { withBackend, type Context, type Run } from "../context.js";
import { CommandError, exitCodes, usageError } from "../errors.js";
import { readDollars } from "../numbers.js";
import { relative, table } from "../table.js";

type ScopeOptions = { repo?: string; user?: string; credential?: string };
type SetOptions = ScopeOptions & { per: string; timeZone?: string };

const PERIODS = ["day", "month", "total"] as const;

export function addBudgets(program: Command, run: Run): void {
  const budgets = program
    .command("budgets")
    .description("what runs may spend: reserved before, and stopped at");
  budgets
    .command("list")
    .description("all budgets, and what is spent and set aside in their present period")
    .option("--json", "print a JSON array", false)
    .allowExcessArguments(false)
    .action(({ json }: { json: boolean }) => run((context) => list(json, context)));
  budgets
    .command("set")
    .description("set the budget of everybody, or of one of these; what was spent stays")
    .argument("<dollars>", "like 20 or 2.50")
    .option("--per <period>", PERIODS.join(", "), "day")
    .option("--repo <name>", "of a repository, as jobs show it, like github.com/octo/hello")
    .option("--user <name>", "of who submits")
    .option("--credential <id>", "of a Claude credential of the deployment")
    .option("--time-zone <zone>", "whose day or month, like Europe/Berlin (default: UTC)")
    .allowExcessArguments(false)
    .action((dollars: string, options: SetOptions) =>
      run((context) => set(dollars, options, context)),
    );
  budgets
    .command("remove")
    .description("remove a budget: it bounds nobody any more")
    .argument("<id>")
    .option("--yes", "do not ask", false)
    .allowExcessArguments(false)
    .action((id: string, { yes }: { yes: boolean }) =>
      run((context) => withBackend(context, (backend) => remove({ id, yes, backend }, context))),
    );
}

async function list(json: boolean, context: Context): Promise<undefined> {
  const found = await withBackend(context, (backend) => backend.listBudgets());
  context.output.data(json ? JSON.stringify(found) : describe(found, Date.now()));
  return undefined;
}

async function set(dollars: string, options: SetOptions, context: Context): Promise<undefined> {
  const period = PERIODS.find((each) => each === options.per);
  if (period === undefined) {
    throw usageError(`--per is "${options.per}"; it must be one of ${PERIODS.join(", ")}.`);
  }
  const { timeZone } = options;
  const limitUsd = readDollars(dollars, "the amount");
  const zone = timeZone === undefined ? {} : { timeZone };
  await withBackend(context, async (backend) => {
    const scope = await scopeOf(options, backend);
    await backend.setBudget({ scope, period, limitUsd, ...zone });
    const after = (await backend.listBudgets()).filter((each) => each.period === period);
    const own = after.find((each) => JSON.stringify(each.scope) === JSON.stringify(scope));
    if (own !== undefined) context.output.say(`${nameOf(own)}: ${amountsOf(own)}`);
  });
  return undefined;
}

type Removal = { id: string; yes: boolean; backend: Backend };

async function remove({ id, yes, backend }: Removal, context: Context): Promise<undefined> {
  const budget = (await backend.listBudgets()).find(({ budgetId }) => budgetId === id);
  if (budget === undefined) {
    throw new CommandError(
      `there is no budget ${id}; see fondation budgets list`,
      exitCodes.notFound,
    );
  }
  await confirm(context, `remove the budget ${nameOf(budget)}?`, yes);
  await backend.removeBudget(budget.budgetId);
  context.output.say(`the budget ${nameOf(budget)} is removed`);
  return undefined;
}

/** The scope that options name; everybody where they name none. */
async function scopeOf(options: ScopeOptions, backend: Backend): Promise<BudgetGiven["scope"]> {
  const { repo, user, credential } = options;
  const named = [repo, user, credential].filter((each) => each !== undefined);
  if (named.length > 1) throw usageError("say one of --repo, --user and --credential, not more.");
  if (repo !== undefined) return { kind: "repository", name: repo };
  if (user !== undefined) {
    return { kind: "user", name: user.includes(":") ? user : `user:${user}` };
  }
  if (credential === undefined) return { kind: "all" };
  const known = (await backend.listCredentials()).find((each) => each.credentialId === credential);
  if (known !== undefined) return { kind: "credential", credentialId: known.credentialId };
  throw new CommandError(`there is no credential ${credential}`, exitCodes.notFound);
}

function describe(budgets: readonly BudgetView[], now: number): string {
  const head = ["OF", "PER", "LIMIT", "SPENT", "SET ASIDE", "OVERSHOOT", "ENDS", "WAIT", "ID"];
  const rows = budgets.map((budget) => [
    ...[ofWhom(budget), budget.period, usd(budget.limitUsd), usd(budget.spentUsd)],
    ...[usd(budget.reservedUsd), usd(budget.overshootUsd)],
    budget.endsAt === null ? "never" : relative(budget.endsAt, now),
    ...[String(budget.waiting), budget.budgetId],
  ]);
  return table(head, rows);
}

function ofWhom({ scope }: BudgetView): string {
  switch (scope.kind) {
    case "all":
      return "everybody";
    case "repository":
    case "user":
      return scope.name;
    case "credential":
      return `credential ${scope.credentialId}`;
  }
}

const nameOf = (budget: BudgetView): string => `of ${ofWhom(budget)} for ${forWhat(budget)}`;
const forWhat = ({ period, timeZone }: BudgetView): string =>
  period === "total" ? "ever" : `a ${period} (${timeZone})`;
const amountsOf = ({ limitUsd, spentUsd, reservedUsd }: BudgetView): string =>
  `${usd(limitUsd)}, of which ${usd(spentUsd)} are spent and ${usd(reservedUsd)} set aside`;
const usd = (dollars: number): string => `$${dollars.toFixed(2)}`;
