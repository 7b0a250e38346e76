import { getRouteApi } from "@tanstack/react-router";
import { ChevronRight } from "lucide-react";
import { useState, type ReactNode } from "react";
import type { JobDetail } from "../../../convex/protocol/view.js";
import { useTabIcon, type TabIcon } from "../../lib/favicon.js";
import type { JobStateKind } from "../../../convex/protocol/job.js";
import { cx } from "../../lib/cx.js";
import { buttonLook } from "../../ui/Button.js";
import { Loading } from "../../ui/States.js";
import { Banners } from "./Banners.js";
import { useJob } from "./job.js";
import { JobHead } from "./JobHead.js";
import { QuestionCard } from "./QuestionCard.js";
import { JobTabs } from "./JobTabs.js";
import { Summary } from "./Summary.js";
import { Timeline } from "./Timeline.js";

const route = getRouteApi("/signedIn/jobs/$jobId");

const ICONS: Partial<Record<JobStateKind, TabIcon>> = {
  assigned: "iconLive",
  running: "iconLive",
  succeeded: "iconGood",
  failed: "iconBad",
};

/** Everything about one job, live. */
export function JobPage(): ReactNode {
  const job = useJob(route.useParams().jobId);
  return job === undefined ? <Loading what="the job" rows={8} /> : <Loaded job={job} />;
}

function Loaded({ job }: { job: JobDetail }): ReactNode {
  useTabIcon(ICONS[job.state.kind] ?? "icon");
  return (
    <>
      <JobHead job={job} />
      <QuestionCard job={job} />
      <Banners job={job} />
      <Overview job={job} />
      <JobTabs job={job} />
    </>
  );
}

/** The figures and the timeline; on a phone behind a button, so that what happens comes first. */
function Overview({ job }: { job: JobDetail }): ReactNode {
  const [isOpen, setOpen] = useState(false);
  return (
    <div className="mb-4 lg:mb-5">
      <button
        type="button"
        aria-expanded={isOpen}
        onClick={() => {
          setOpen(!isOpen);
        }}
        className={cx(buttonLook(), "mb-3 w-full justify-start! lg:hidden")}
      >
        <ChevronRight size={15} aria-hidden className={isOpen ? "rotate-90" : ""} />
        Figures and timeline
      </button>
      <div className={cx("grid gap-3 lg:grid-cols-2", !isOpen && "max-lg:hidden")}>
        <Summary job={job} />
        <Timeline job={job} />
      </div>
    </div>
  );
}
