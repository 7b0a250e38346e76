import { Check, Hand, X } from "lucide-react";
import { useId, useState, type ReactNode } from "react";
import { STEERING_CHARS_MAX } from "../../../convex/protocol/limits.js";
import type { QuestionView } from "../../../convex/protocol/steering.js";
import type { JobDetail } from "../../../convex/protocol/view.js";
import { formatElapsed, formatExact } from "../../lib/format.js";
import { useNow } from "../../lib/now.js";
import { useUnable } from "../../session/me.js";
import { Button } from "../../ui/Button.js";
import { TextField } from "../../ui/Field.js";
import { Time } from "../../ui/Time.js";
import { readInput, useAnswer, useQuestion } from "./questions.js";

/** What the run asks people, while it does. */
export function QuestionCard({ job }: { job: JobDetail }): ReactNode {
  const question = useQuestion(job);
  return (
    <>
      {/* Apart from the card, whose countdown would be read aloud each second. */}
      <p aria-live="polite" className="sr-only">
        {question !== undefined && `The run asks whether it may call ${question.tool}.`}
      </p>
      {question !== undefined && <Card key={question.questionId} question={question} />}
    </>
  );
}

function Card({ question }: { question: QuestionView }): ReactNode {
  const { tool, input, attempt, askedAt } = question;
  const id = useId();
  return (
    <section aria-labelledby={id} className="mb-4 rounded-lg border-2 border-held p-4">
      <h2 id={id} className="m-0 flex items-start gap-2 text-[16px] font-semibold">
        <Hand size={19} aria-hidden className="mt-0.5 shrink-0 text-held" />
        <span className="min-w-0 break-words">May the run call {tool}?</span>
      </h2>
      <p className="mt-1 mb-2.5 text-muted">
        Attempt {attempt} asked <Time past at={askedAt} /> and waits, without a slot.{" "}
        <Deadline at={question.deadlineAt} />
      </p>
      <pre
        tabIndex={0}
        role="group"
        aria-label={`What ${tool} would be called with`}
        className="m-0 mb-3 max-h-64 overflow-auto rounded-md bg-raised px-3 py-2 font-mono text-[13px] leading-5 break-words whitespace-pre-wrap"
      >
        {readInput(input)}
      </pre>
      <Answer question={question} />
    </section>
  );
}

function Deadline({ at }: { at: number }): ReactNode {
  const leftMs = at - useNow();
  if (leftMs <= 0) return "Its time is over: the call is being refused.";
  return (
    <span title={formatExact(at)}>
      Refused in{" "}
      <strong className="font-semibold text-text tabular-nums">{formatElapsed(leftMs)}</strong>{" "}
      unless somebody answers.
    </span>
  );
}

function Answer({ question }: { question: QuestionView }): ReactNode {
  const answer = useAnswer(question);
  const [text, setText] = useState("");
  const [isBusy, setBusy] = useState(false);
  const unable = useUnable("operator") ?? (isBusy ? "It is being done." : undefined);
  const give = (allow: boolean) => () => {
    setBusy(true);
    void answer(allow, text.trim()).finally(() => {
      setBusy(false);
    });
  };
  return (
    <div className="flex flex-wrap items-end gap-2">
      <TextField
        label="A word with the answer"
        placeholder="optional: why not, or what to mind"
        className="min-w-0 flex-1 basis-72"
        maxLength={STEERING_CHARS_MAX}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
        }}
      />
      <Button
        kind="primary"
        icon={<Check size={15} aria-hidden />}
        unable={unable}
        onClick={give(true)}
      >
        Allow
      </Button>
      <Button
        kind="danger"
        icon={<X size={15} aria-hidden />}
        unable={unable}
        onClick={give(false)}
      >
        Deny
      </Button>
    </div>
  );
}
