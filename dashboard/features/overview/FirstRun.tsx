import { Link } from "@tanstack/react-router";
import { CircleCheck, CircleDashed } from "lucide-react";
import type { ReactNode } from "react";
import { Panel } from "../../ui/Page.js";
import { useExecutors, useLatestJobs } from "./overview.js";

/** Steps to the first job that succeeded; each ticks itself off, and then the list is gone for good. */
export function FirstRun(): ReactNode {
  const executors = useExecutors();
  const { any, succeeded } = useLatestJobs();
  if (executors === undefined || any === undefined || succeeded === undefined) return null;
  if (succeeded.length > 0) return null;
  const online = executors.filter(({ presence }) => presence === "online");
  const steps: readonly (readonly [boolean, string, ReactNode])[] = [
    [true, "The deployment answers", "You are looking at it."],
    [
      online.length > 0,
      "An executor is online",
      <>
        <Link to="/executors" className="text-accent underline">
          Enrol one
        </Link>{" "}
        on any machine with git that reaches this deployment: it is one command to paste.
      </>,
    ],
    [
      online.some(({ unhealthy }) => unhealthy === null),
      "It is healthy",
      "Claude's login works and there is room on its disk.",
    ],
    [
      any.length > 0,
      "A first job is submitted",
      <Link key="new" to="/jobs/new" className="text-accent underline">
        Submit one
      </Link>,
    ],
    [false, "It has succeeded", "Then this list goes away."],
  ];
  return (
    <Panel title="First steps">
      <ol className="m-0 flex list-none flex-col gap-2.5 p-0">
        {steps.map(([isDone, title, hint]) => (
          <li key={title} className="flex items-start gap-2.5">
            {isDone ? (
              <CircleCheck size={17} className="mt-0.5 shrink-0 text-good" aria-label="Done" />
            ) : (
              <CircleDashed size={17} className="mt-0.5 shrink-0 text-muted" aria-label="To do" />
            )}
            <div>
              <span className={isDone ? "text-muted" : "font-medium"}>{title}</span>
              {!isDone && <div className="text-muted">{hint}</div>}
            </div>
          </li>
        ))}
      </ol>
    </Panel>
  );
}
