/** `fondation jobs message …`: talk to a run under way, go on with one that has ended. */
import type { Command } from "commander";
import type { Backend, JobId } from "../backend.js";
import { withBackend, type Context, type Run } from "../context.js";
import { CommandError, exitCodes, usageError } from "../errors.js";
import { table } from "../table.js";

export function addSteering(jobs: Command, run: Run): void {
  addTelling(jobs, run);
  addQuestions(jobs, run);
}

type One = { id: string; text: string | undefined; json: boolean };
type Act = (backend: Backend, jobId: JobId, text: string | undefined) => Promise<object>;

function addTelling(jobs: Command, run: Run): void {
  const one = (name: string, about: string, act: Act): Command => {
    const command = jobs
      .command(name)
      .description(about)
      .argument("<id>")
      .option("--json", "print one JSON object", false)
      .allowExcessArguments(false);
    const perform = (of: One) =>
      run((context) => withBackend(context, (backend) => tell({ ...of, act }, backend, context)));
    return name === "stop-after-turn"
      ? command.action((id: string, { json }: { json: boolean }) =>
          perform({ id, text: undefined, json }),
        )
      : command
          .argument(name === "interrupt" ? "[text]" : "<text>")
          .action((id: string, text: string | undefined, { json }: { json: boolean }) =>
            perform({ id, text, json }),
          );
  };
  one(
    "message",
    "say something to a run; it hears it before it asks the model again",
    (backend, jobId, text = "") => backend.message(jobId, text),
  );
  one(
    "interrupt",
    "end the tools under way; with a text the run goes on with that",
    (backend, jobId, text) => backend.interrupt(jobId, text),
  );
  one("stop-after-turn", "let the tools under way end, then end the run", (backend, jobId) =>
    backend.stopAfterTurn(jobId),
  );
  one(
    "follow-up",
    "go on with an ended job's session in a new job; prints its id",
    (backend, jobId, text = "") => backend.followUp(jobId, text),
  );
}

async function tell(
  { id, text, json, act }: One & { act: Act },
  backend: Backend,
  { output }: Context,
): Promise<undefined> {
  const { jobId } = await backend.getJob(id);
  const reply = await act(backend, jobId, text);
  const [said] = Object.values(reply) as unknown[];
  output.data(json ? JSON.stringify(reply) : String(said));
  return undefined;
}

function addQuestions(jobs: Command, run: Run): void {
  jobs
    .command("questions")
    .description("calls of tools that wait for a person: of all jobs, or all that a job asked")
    .argument("[id]")
    .option("--json", "print a JSON array", false)
    .allowExcessArguments(false)
    .action((id: string | undefined, { json }: { json: boolean }) =>
      run((context) =>
        withBackend(context, async (backend) => {
          const found = await (id === undefined ? backend.openQuestions() : backend.questions(id));
          context.output.data(json ? JSON.stringify(found) : questionTable(found));
          return undefined;
        }),
      ),
    );
  jobs
    .command("answer")
    .description("allow or deny the call that a job's run waits with")
    .argument("<id>")
    .argument("<allow|deny>")
    .argument("[text]", "what the run is told with it")
    .allowExcessArguments(false)
    .action((id: string, verdict: string, text: string | undefined) =>
      run((context) =>
        withBackend(context, async (backend) => {
          if (verdict !== "allow" && verdict !== "deny") {
            throw usageError(`the answer is "${verdict}"; it must be allow or deny.`);
          }
          const open = (await backend.questions(id)).find(({ state }) => state === "open");
          if (open === undefined) {
            throw new CommandError(`job ${id} asks nothing`, exitCodes.notFound);
          }
          const { questionId, tool } = open;
          const said = text === undefined ? {} : { text };
          await backend.answer({ questionId, allow: verdict === "allow", ...said });
          context.output.data(`${tool}: ${verdict === "allow" ? "allowed" : "refused"}`);
          return undefined;
        }),
      ),
    );
}

function questionTable(questions: Awaited<ReturnType<Backend["questions"]>>): string {
  return table(
    ["job", "state", "tool", "until", "input"],
    questions.map(({ jobId, state, tool, deadlineAt, input }) => [
      ...[jobId, state, tool, new Date(deadlineAt).toISOString(), input.slice(0, 100)],
    ]),
  );
}
