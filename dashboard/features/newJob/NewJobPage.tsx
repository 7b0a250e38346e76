import { getRouteApi } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useUnable } from "../../session/me.js";
import { Banner } from "../../ui/Banner.js";
import { PageHead } from "../../ui/Page.js";
import { Loading } from "../../ui/States.js";
import { EMPTY, formOf } from "./form.js";
import { JobForm } from "./JobForm.js";
import { useTemplateJob } from "./newJob.js";

const route = getRouteApi("/signedIn/jobs/new");

/** Submits a job; with `?from=` it begins with what another one asked for. */
export function NewJobPage(): ReactNode {
  const { from } = route.useSearch();
  const template = useTemplateJob(from);
  const unable = useUnable("operator");
  return (
    <div className="max-w-3xl">
      <PageHead title={from === undefined ? "New job" : "New job from another"} tabTitle="New job">
        A prompt and a repository. An executor clones it and runs Claude Code in the clone.
      </PageHead>
      {unable !== undefined && (
        <div className="mb-4">
          <Banner tone="warn">{unable}</Banner>
        </div>
      )}
      {template === undefined ? (
        <Loading what="the job" rows={6} />
      ) : (
        <JobForm
          key={from ?? ""}
          initial={template === null ? EMPTY : formOf(template.job, template.prompt)}
        />
      )}
    </div>
  );
}
