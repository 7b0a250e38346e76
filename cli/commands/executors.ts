/** `fondation executors`: the machines that run jobs. */
import type { Command } from "commander";
import { confirm } from "../ask.js";
import type { Backend, ExecutorId } from "../backend.js";
import { withBackend, type Context, type Run } from "../context.js";
import { CommandError, exitCodes, usageError } from "../errors.js";
import { relative, table } from "../table.js";
import type { ExecutorView } from "../../convex/protocol/view.js";

export function addExecutors(program: Command, run: Run): void {
  const executors = program.command("executors").description("the machines that run jobs");
  executors
    .command("list")
    .description("all executors, at most 100")
    .option("--json", "print a JSON array", false)
    .allowExcessArguments(false)
    .action(({ json }: { json: boolean }) =>
      run(async (context) => {
        const found = await withBackend(context, (backend) => backend.listExecutors());
        context.output.data(json ? JSON.stringify(found) : describe(found, Date.now()));
        return undefined;
      }),
    );
  executors
    .command("enrol")
    .description("print a one-time token with which a machine joins")
    .argument("<name>", "what it is for: shown in the audit")
    .option("--json", "print one JSON object: {token, expiresAt}", false)
    .allowExcessArguments(false)
    .action((name: string, { json }: { json: boolean }) =>
      run(async (context) => {
        const made = await withBackend(context, (backend) => backend.enrol(name));
        context.output.data(json ? JSON.stringify(made) : made.token);
        context.output.say(
          `good once, until ${new Date(made.expiresAt).toISOString()}: set it as ENROL_TOKEN on the machine`,
        );
        return undefined;
      }),
    );
  addAction(executors, run, {
    name: "drain",
    about: "let it finish what runs, and give it nothing new",
    act: (backend, executorId) => backend.drainExecutor(executorId),
  });
  addAction(executors, run, {
    name: "resume",
    about: "give a drained or unhealthy one work again",
    act: (backend, executorId) => backend.resumeExecutor(executorId),
  });
  addAction(executors, run, {
    name: "revoke",
    about: "end its identity for good; what it runs goes back to the queue",
    isFinal: true,
    act: (backend, executorId) => backend.revokeExecutor(executorId),
  });
}

type Action = {
  name: string;
  about: string;
  /** Cannot be taken back: a person is asked first. */
  isFinal?: boolean;
  act: (backend: Backend, executorId: ExecutorId) => Promise<unknown>;
};

function addAction(executors: Command, run: Run, { name, about, isFinal = false, act }: Action) {
  const command = executors
    .command(name)
    .description(about)
    .argument("<executor>", "its name, or its id where names are not unique")
    .allowExcessArguments(false);
  if (isFinal) command.option("--yes", "do not ask", false);
  command.action((wanted: string, { yes = false }: { yes?: boolean }) =>
    run((context) =>
      withBackend(context, async (backend) => {
        const executor = find(await backend.listExecutors(), wanted);
        if (isFinal) await confirm(context, `${name} executor ${executor.name}?`, yes);
        await act(backend, executor.executorId);
        await report(backend, executor.executorId, context);
        return undefined;
      }),
    ),
  );
}

async function report(
  backend: Backend,
  executorId: ExecutorId,
  { output }: Context,
): Promise<void> {
  const after = (await backend.listExecutors()).find((each) => each.executorId === executorId);
  if (after !== undefined) output.say(`${after.name}: ${stateOf(after)}`);
}

/** By id, else by the name of the only one that is not revoked. */
function find(executors: readonly ExecutorView[], wanted: string): ExecutorView {
  const byId = executors.find(({ executorId }) => executorId === wanted);
  if (byId !== undefined) return byId;
  const named = executors.filter(({ name }) => name === wanted);
  const alive = named.filter(({ revoked }) => !revoked);
  const [only, ...more] = alive.length > 0 ? alive : named;
  if (only === undefined) {
    throw new CommandError(
      `there is no executor ${wanted}; see fondation executors list`,
      exitCodes.notFound,
    );
  }
  if (more.length === 0) return only;
  const ids = [only, ...more].map(({ executorId }) => executorId).join(", ");
  throw usageError(`more than one executor is called ${wanted}: say which by its id: ${ids}`);
}

function describe(executors: readonly ExecutorView[], now: number): string {
  const head = ["NAME", "STATE", "SINCE", "FREE", "JAIL", "VERSION", "CLAUDE", "LABELS", "ID"];
  const rows = executors.map((executor) => [
    executor.name,
    stateOf(executor),
    relative(executor.presenceSince, now),
    `${String(executor.freeSlots)}/${String(executor.slots)}`,
    executor.jail ?? "",
    executor.version,
    executor.cliVersion,
    executor.labels.join(","),
    executor.executorId,
  ]);
  return table(head, rows);
}

function stateOf({ revoked, unhealthy, draining, presence }: ExecutorView): string {
  if (revoked) return "revoked";
  if (unhealthy !== null) return `${presence}, unhealthy (${unhealthy.reason})`;
  return draining ? `${presence}, draining` : presence;
}
