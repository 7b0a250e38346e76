import { getRouteApi } from "@tanstack/react-router";
import { lazy, Suspense, type ReactNode } from "react";
import type { JobDetail } from "../../../convex/protocol/view.js";
import { SelectField } from "../../ui/Field.js";
import { Loading } from "../../ui/States.js";
import { Tabs, type TabItem } from "../../ui/Tabs.js";
import { Artifacts } from "./Artifacts.js";
import { Attempts } from "./Attempts.js";
import { Changes } from "./Changes.js";
import { Details } from "./Details.js";
import { Result } from "./Result.js";
import type { JobTab } from "./search.js";

const ActivityTab = lazy(async () => ({
  default: (await import("./activity/ActivityTab.js")).ActivityTab,
}));
const LogTab = lazy(async () => ({ default: (await import("./log/LogTab.js")).LogTab }));

const route = getRouteApi("/signedIn/jobs/$jobId");

const ATTEMPTS_SHOWN_MAX = 100;
/** Tabs that are of one attempt. */
const OF_ATTEMPT: readonly JobTab[] = ["activity", "log", "result", "changes", "artifacts"];

/** The parts of a job, one at a time; which one, and of which attempt, is in the address. */
export function JobTabs({ job }: { job: JobDetail }): ReactNode {
  const { tab = "activity", attempt = job.attempt } = route.useSearch();
  const navigate = route.useNavigate();
  const tabs: TabItem<JobTab>[] = [
    { id: "activity", title: "Activity" },
    { id: "log", title: "Log" },
    { id: "result", title: "Result" },
    { id: "changes", title: "Changes", count: job.latest?.report?.changes?.files },
    { id: "artifacts", title: "Artifacts" },
    { id: "attempts", title: "Attempts", count: job.attempt },
    { id: "details", title: "Details" },
  ];
  return (
    <Tabs
      name="Parts of the job"
      tabs={tabs}
      active={tab}
      onChange={(next) => {
        void navigate({
          search: (before) => ({ ...before, tab: next }),
          hash: "",
          replace: true,
          resetScroll: false,
        });
      }}
    >
      {OF_ATTEMPT.includes(tab) && job.attempt > 1 && (
        <AttemptChoice
          latest={job.attempt}
          attempt={attempt}
          onChoose={(next) => {
            void navigate({
              search: (before) => ({
                ...before,
                attempt: next === job.attempt ? undefined : next,
              }),
              hash: "",
              resetScroll: false,
            });
          }}
        />
      )}
      <Suspense fallback={<Loading what="this part" />}>
        <Part key={attempt} tab={tab} job={job} attempt={attempt} />
      </Suspense>
    </Tabs>
  );
}

type PartProps = { tab: JobTab; job: JobDetail; attempt: number };

function Part({ tab, job, attempt }: PartProps): ReactNode {
  switch (tab) {
    case "activity":
      return <ActivityTab job={job} attempt={attempt} />;
    case "result":
      return <Result job={job} attempt={attempt} />;
    case "log":
      return <LogTab job={job} attempt={attempt} />;
    case "changes":
      return <Changes job={job} attempt={attempt} />;
    case "artifacts":
      return <Artifacts job={job} attempt={attempt} />;
    case "attempts":
      return <Attempts job={job} />;
    case "details":
      return <Details job={job} />;
  }
}

type ChoiceProps = { latest: number; attempt: number; onChoose: (attempt: number) => void };

function AttemptChoice({ latest, attempt, onChoose }: ChoiceProps): ReactNode {
  const first = Math.max(1, latest - ATTEMPTS_SHOWN_MAX + 1);
  const numbers = Array.from({ length: latest - first + 1 }, (_, index) => latest - index);
  return (
    <SelectField
      label="Attempt"
      hideLabel
      className="mb-3 w-48"
      value={String(attempt)}
      onChange={(event) => {
        onChoose(Number(event.target.value));
      }}
      options={numbers.map((n) => ({
        value: String(n),
        title: n === latest ? `Attempt ${n}, the latest` : `Attempt ${n}`,
      }))}
    />
  );
}
