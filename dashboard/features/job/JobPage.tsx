import { getRouteApi } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { formatActor, formatId, formatRepository } from "../../lib/format.js";
import { StateBadge } from "../../ui/Badge.js";
import { Facts, PageHead } from "../../ui/Page.js";
import { Loading } from "../../ui/States.js";
import { Time } from "../../ui/Time.js";
import { useJob } from "./job.js";

const route = getRouteApi("/signedIn/jobs/$jobId");

export function JobPage(): ReactNode {
  const job = useJob(route.useParams().jobId);
  if (job === undefined) return <Loading what="the job" />;
  const title = job.title === "" ? `Job ${formatId(job.jobId)}` : job.title;
  return (
    <>
      <PageHead title={title}>
        <StateBadge state={job.state.kind} />
      </PageHead>
      <Facts
        rows={[
          ["Repository", `${formatRepository(job.spec.repository)} at ${job.spec.ref}`],
          ["Submitted", <Time key="at" at={job.submittedAt} />],
          ["By", formatActor(job.submittedBy)],
          ["Attempt", `${job.attempt} of ${job.attemptsMax}`],
        ]}
      />
    </>
  );
}
