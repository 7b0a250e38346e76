/**
 * Jobs of every kind for the demo's dashboard: quick, long, failing, refused, waiting for each reason. The
 * model's words are scripted; what runs is real. Never submitted with --live.
 */
import type { Backend, JobId, Submission } from "../backend.js";
import { faults, type Conversation, type Script } from "./messagesScript.js";
import { demoScript } from "./script.js";

/** Answers of the long job, and how long the model thinks before each. */
const LONG_STEPS = 24;
const LONG_STEP_MS = 12_000;
const HOUR_MS = 3_600_000;

/** What the prompts are told apart by. */
const LONG = "Go through every folder and note which module lacks tests.";
const REFUSED = "Summarise the architecture for the board.";

const usage = { input_tokens: 3_200, cache_read_input_tokens: 9_000, output_tokens: 240 };

/** Chooses what the model says by what it was asked; the demo's usual script for everything else. */
export function sampleScripts(): (conversation: Conversation) => Script {
  const usual = demoScript();
  const long = longScript();
  const refused: Script = {
    steps: [
      {
        faults: [
          {
            ...faults.badRequest("prompt is refused by the policy of this demo"),
            times: Number.MAX_SAFE_INTEGER,
          },
        ],
      },
    ],
  };
  return ({ prompt }) => {
    if (prompt.includes(LONG)) return long;
    return prompt.includes(REFUSED) ? refused : usual;
  };
}

function longScript(): Script {
  const command = "git ls-files | sed 's|/[^/]*$||' | sort | uniq -c | sort -rn | head -12";
  const steps = Array.from({ length: LONG_STEPS }, (_, at) => ({
    usage,
    delayMs: at === 0 ? 0 : LONG_STEP_MS,
    text: `Step ${String(at + 1)} of ${String(LONG_STEPS)}: I look at the next folder.`,
    tools: [{ name: "Bash", input: { command, description: `Look at folder ${String(at + 1)}` } }],
  }));
  return {
    steps: [...steps, { usage, text: "Done: two modules lack tests, both of them small." }],
  };
}

/** Submits the samples, a template and a schedule; hands out how many jobs there are. */
export async function submitSamples(people: Backend, repository: string): Promise<number> {
  const ids: JobId[] = [];
  const submit = async (submission: Omit<Submission, "repository">): Promise<JobId> => {
    const jobId = await people.submit({ repository, concurrencyKey: null, ...submission });
    ids.push(jobId);
    return jobId;
  };
  const long = await submit({ prompt: LONG, concurrencyKey: "audit", priority: 2 });
  await submit({ prompt: "Rename the module that is named twice.", concurrencyKey: "audit" });
  await submit({ prompt: "Say in one paragraph what this repository is for." });
  await submit({ prompt: "Mend the build of the release branch.", ref: "no-such-branch" });
  await submit({ prompt: REFUSED, limits: { attemptsMax: 1 } });
  await submit({ prompt: "Publish the notes once the audit is done.", after: [long] });
  await submit({ prompt: "Delete the branches that were merged.", hold: true });
  await submit({ prompt: "Check the links in the docs.", runAt: Date.now() + 2 * HOUR_MS });
  await submit({ prompt: "Train the classifier on the new corpus.", labels: ["gpu"] });
  const canceled = await submit({ prompt: "Translate the README.", hold: true });
  await people.cancel(canceled);
  await people.saveTemplate("review", REVIEW);
  await people.createSchedule({
    name: "Nightly tidy-up",
    cadence: { kind: "cron", expression: "0 3 * * *", timeZone: "UTC" },
    submission: { repository, prompt: "Look for dead code and say what could go." },
  });
  return ids.length;
}

const REVIEW = [
  "Review {{what}} of this repository.",
  "",
  "Say what is wrong, where, and how you would mend it; the worst first. Change nothing.",
].join("\n");
