import { Link } from "@tanstack/react-router";
import { CircleCheck, CirclePause, Hand, OctagonX, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import type { AlertView, Severity } from "../../../convex/protocol/alerts.js";
import type { QuestionView } from "../../../convex/protocol/steering.js";
import { formatActor, plural } from "../../lib/format.js";
import type { Tone } from "../../lib/stateLook.js";
import { Badge } from "../../ui/Badge.js";
import { Banner } from "../../ui/Banner.js";
import { Panel } from "../../ui/Page.js";
import { Time } from "../../ui/Time.js";
import { useHeldJobs, useOpenAlerts, useOpenQuestions, useQueue } from "./overview.js";

const QUESTIONS_SHOWN = 5;
const INPUT_CHARS_SHOWN = 200;
const SEVERITY_TONE: Record<Severity, Tone> = { P1: "bad", P2: "bad", P3: "warn", P4: "calm" };

/** What needs somebody: a stop or a pause, a queue without executors, open alerts. */
export function Attention(): ReactNode {
  const { now, status, stop } = useQueue();
  const alerts = useOpenAlerts();
  const held = useHeldJobs() ?? 0;
  const questions = useOpenQuestions() ?? [];
  if (now === undefined || alerts === undefined || status === undefined || stop === undefined) {
    return null;
  }
  const isStarved = now.pendingUpTo > 0 && now.executorsOnline === 0;
  const isQuiet = [
    alerts.length > 0,
    isStarved,
    stop,
    status.paused,
    held > 0,
    questions.length > 0,
  ].every((one) => !one);
  return (
    <>
      {stop !== null && (
        <Banner tone="bad" icon={<OctagonX size={17} aria-hidden />}>
          Everything was stopped by {formatActor(stop.by)} <Time at={stop.since} />: {stop.reason}
        </Banner>
      )}
      {status.paused !== null && (
        <Banner tone="warn" icon={<CirclePause size={17} aria-hidden />}>
          The queue is paused by {formatActor(status.paused.by)} <Time at={status.paused.since} />:{" "}
          {status.paused.reason}
        </Banner>
      )}
      {isStarved && <Starved />}
      {questions.length > 0 && <Questions questions={questions} />}
      {held > 0 && <Held count={held} />}
      {alerts.length > 0 && <Alerts alerts={alerts} />}
      {isQuiet && (
        <p className="m-0 flex items-center gap-2 text-good">
          <CircleCheck size={16} aria-hidden />
          Nothing needs you.
        </p>
      )}
    </>
  );
}

/** Runs that ask: each leads to its job, where it is answered. */
function Questions({ questions }: { questions: readonly QuestionView[] }): ReactNode {
  const more = questions.length - QUESTIONS_SHOWN;
  return (
    <Panel title={`Runs ask you (${questions.length})`}>
      <ul className="m-0 flex list-none flex-col gap-2 p-0">
        {questions
          .slice(0, QUESTIONS_SHOWN)
          .map(({ questionId, jobId, tool, input, deadlineAt }) => (
            <li key={questionId} className="flex flex-wrap items-baseline gap-x-3">
              <Link to="/jobs/$jobId" params={{ jobId }} className="font-medium text-accent">
                May it call {tool}?
              </Link>
              <span className="min-w-0 flex-1 truncate font-mono text-[12.5px] text-muted">
                {input.slice(0, INPUT_CHARS_SHOWN)}
              </span>
              <span className="text-[13px] text-muted">
                refused <Time at={deadlineAt} />
              </span>
            </li>
          ))}
      </ul>
      {more > 0 && (
        <p className="m-0 mt-2 text-muted">
          {more} more among the{" "}
          <Link to="/jobs" search={{ state: "waiting" }} className="text-accent underline">
            waiting jobs
          </Link>
          .
        </p>
      )}
    </Panel>
  );
}

function Held({ count }: { count: number }): ReactNode {
  return (
    <Banner tone="held" icon={<Hand size={17} aria-hidden />}>
      {plural(count, "job is", "jobs are")} held until somebody releases{" "}
      {count === 1 ? "it" : "them"}.{" "}
      <Link to="/jobs" search={{ state: "waiting" }} className="text-held underline">
        Waiting jobs
      </Link>
    </Banner>
  );
}

function Starved(): ReactNode {
  return (
    <Banner tone="bad" icon={<TriangleAlert size={17} aria-hidden />}>
      <strong className="font-semibold">Jobs wait and no executor is online.</strong> Start one on
      any machine that reaches this deployment:{" "}
      <code className="font-mono text-[13px]">node dist/executor.mjs</code> with CONVEX_URL, or{" "}
      <Link to="/executors" className="text-bad underline">
        enrol a new one
      </Link>
      .
    </Banner>
  );
}

function Alerts({ alerts }: { alerts: readonly AlertView[] }): ReactNode {
  return (
    <Panel
      title={`Needs attention (${alerts.length})`}
      actions={
        <Link to="/settings" search={{ tab: "alerts" }} className="text-[13px] text-accent">
          Take care of them
        </Link>
      }
    >
      <ul className="m-0 flex list-none flex-col gap-2.5 p-0">
        {alerts.map(({ alertId, severity, title, detail, since, acknowledged }) => (
          <li key={alertId} className="flex flex-wrap items-baseline gap-x-3">
            <Badge tone={SEVERITY_TONE[severity]}>{severity}</Badge>
            <span className="font-medium">{title}</span>
            <span className="min-w-0 flex-1 basis-full text-muted sm:basis-0">{detail}</span>
            <span className="text-[13px] text-muted">
              {acknowledged !== undefined && `taken by ${formatActor(acknowledged.by)} · `}
              <Time at={since} />
            </span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
