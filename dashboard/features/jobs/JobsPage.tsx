import { getRouteApi, Link } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import { useState, type ReactNode } from "react";
import { formatCount, plural } from "../../lib/format.js";
import { JOB_LOOK } from "../../lib/stateLook.js";
import { useUnable } from "../../session/me.js";
import { Button, buttonLook } from "../../ui/Button.js";
import { PageHead } from "../../ui/Page.js";
import { EmptyState, Loading, NoMatchState } from "../../ui/States.js";
import { BulkBar } from "./BulkBar.js";
import { BulkDialog, type Bulk } from "./BulkDialog.js";
import { Filters } from "./Filters.js";
import { JobTable } from "./JobTable.js";
import { useJobs } from "./jobs.js";
import { usePinned } from "./pinned.js";
import { filterOf, type JobsSearch } from "./search.js";
import { useSelection } from "./selection.js";

const route = getRouteApi("/signedIn/jobs");

/** All jobs, by filter; what one does to many of them. */
export function JobsPage(): ReactNode {
  const search = route.useSearch();
  const unable = useUnable("operator");
  return (
    <>
      <PageHead
        title="Jobs"
        tabTitle={search.state === undefined ? "Jobs" : `${JOB_LOOK[search.state].word} jobs`}
        actions={
          unable === undefined ? (
            <Link to="/jobs/new" className={buttonLook("primary")}>
              <Plus size={16} aria-hidden />
              New job
            </Link>
          ) : (
            <Button kind="primary" unable={unable} icon={<Plus size={16} aria-hidden />}>
              New job
            </Button>
          )
        }
      />
      <Filters search={search} />
      <List search={search} />
    </>
  );
}

function List({ search }: { search: JobsSearch }): ReactNode {
  const filter = filterOf(search);
  const { jobs, status, isLive, looked, more } = useJobs(filter);
  const isLoaded = status !== "LoadingFirstPage";
  const { shown, unseen, showAll } = usePinned(jobs, JSON.stringify(filter), isLive);
  const selection = useSelection(shown.map(({ jobId }) => jobId));
  const [bulk, setBulk] = useState<Bulk | null>(null);
  if (!isLoaded) return <Loading what="jobs" rows={8} />;
  return (
    <>
      <div role="status" className={unseen > 0 ? "mb-2 flex justify-center" : "sr-only"}>
        {unseen > 0 && (
          <Button kind="primary" size="small" className="rounded-full" onClick={showAll}>
            {plural(unseen, "new job")}
          </Button>
        )}
      </div>
      {shown.length === 0 ? (
        <Nothing search={search} isAll={status === "Exhausted"} />
      ) : (
        <JobTable jobs={shown} selection={selection} />
      )}
      <BulkBar
        selection={selection}
        filter={filter}
        shown={shown.length}
        hasMore={status !== "Exhausted"}
        onStart={setBulk}
      />
      {status !== "Exhausted" && (
        <div className="mt-3 flex items-center justify-center gap-3 text-muted">
          <Button onClick={more} {...(status === "CanLoadMore" ? {} : { unable: "Loading…" })}>
            {status === "CanLoadMore" ? "Show more" : "Loading…"}
          </Button>
          {Object.keys(filter).length > 0 && (
            <span>The newest {formatCount(looked)} were looked through.</span>
          )}
        </div>
      )}
      {bulk !== null && (
        <BulkDialog
          bulk={bulk}
          onClose={() => {
            setBulk(null);
            selection.clear();
          }}
        />
      )}
    </>
  );
}

function Nothing({ search, isAll }: { search: JobsSearch; isAll: boolean }): ReactNode {
  if (search.state === undefined && search.q === undefined) {
    return (
      <EmptyState
        title="No jobs yet"
        actions={
          <Link to="/jobs/new" className={buttonLook("primary")}>
            Submit the first one
          </Link>
        }
      >
        A job is a prompt and a repository. An executor clones it, runs Claude Code in the clone and
        keeps what it said, did and changed.
      </EmptyState>
    );
  }
  return (
    <NoMatchState
      title={isAll ? "No job matches" : "None of the newest jobs matches"}
      actions={
        <Link to="/jobs" className={buttonLook()}>
          Clear the filters
        </Link>
      }
    >
      There are jobs, but none that meets all of the filters.
    </NoMatchState>
  );
}
