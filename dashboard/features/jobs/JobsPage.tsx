import { getRouteApi } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { formatRepository } from "../../lib/format.js";
import { StateBadge } from "../../ui/Badge.js";
import { PageHead } from "../../ui/Page.js";
import { EmptyState, Loading } from "../../ui/States.js";
import { Table, Td, Th } from "../../ui/Table.js";
import { Time } from "../../ui/Time.js";
import { useJobs } from "./jobs.js";

const route = getRouteApi("/signedIn/jobs");

export function JobsPage(): ReactNode {
  const { state } = route.useSearch();
  const { results, status } = useJobs(state);
  return (
    <>
      <PageHead title="Jobs" />
      {status === "LoadingFirstPage" ? (
        <Loading what="jobs" />
      ) : results.length === 0 ? (
        <EmptyState title="No jobs yet" />
      ) : (
        <Table name="Jobs">
          <thead>
            <tr>
              <Th>State</Th>
              <Th>Repository</Th>
              <Th>Submitted</Th>
            </tr>
          </thead>
          <tbody>
            {results.map((job) => (
              <tr key={job.jobId}>
                <Td>
                  <StateBadge state={job.state.kind} />
                </Td>
                <Td>{formatRepository(job.spec.repository)}</Td>
                <Td>
                  <Time at={job.submittedAt} />
                </Td>
              </tr>
            ))}
          </tbody>
        </Table>
      )}
    </>
  );
}
