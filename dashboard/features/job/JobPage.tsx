import { getRouteApi } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { JobDetail } from "../../../convex/protocol/view.js";
import { useTabIcon, type TabIcon } from "../../lib/favicon.js";
import type { JobStateKind } from "../../../convex/protocol/job.js";
import { Loading } from "../../ui/States.js";
import { Banners } from "./Banners.js";
import { useJob } from "./job.js";
import { JobHead } from "./JobHead.js";
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
      <Banners job={job} />
      <div className="mb-5 grid gap-3 lg:grid-cols-2">
        <Summary job={job} />
        <Timeline job={job} />
      </div>
      <JobTabs job={job} />
    </>
  );
}
