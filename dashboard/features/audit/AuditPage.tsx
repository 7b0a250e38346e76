import { getRouteApi, Link } from "@tanstack/react-router";
import { Download } from "lucide-react";
import { useState, type ReactNode } from "react";
import type { AuditFilter } from "../../../convex/protocol/identity.js";
import { saveFile } from "../../lib/download.js";
import { readError } from "../../lib/errors.js";
import { formatCount, plural } from "../../lib/format.js";
import { useMe, useUnable } from "../../session/me.js";
import { Button, buttonLook } from "../../ui/Button.js";
import { PageHead } from "../../ui/Page.js";
import { EmptyState, ForbiddenState, Loading, NoMatchState } from "../../ui/States.js";
import { tellDone, tellFailed } from "../../ui/toast.js";
import { PAGE_LINES, useAudit, useExport } from "./audit.js";
import { AuditFilters } from "./AuditFilters.js";
import { AuditTable } from "./AuditTable.js";
import { filterOf } from "./search.js";

const route = getRouteApi("/signedIn/audit");

/** Who did what, when and from where. */
export function AuditPage(): ReactNode {
  const { role } = useMe();
  const search = route.useSearch();
  if (role !== "administrator") {
    return (
      <>
        <PageHead title="Audit" />
        <ForbiddenState title="Your role may not see the audit">
          This needs the role administrator; yours is {role}.
        </ForbiddenState>
      </>
    );
  }
  const filter = filterOf(search);
  return (
    <>
      <PageHead title="Audit" actions={<Export filter={filter} />}>
        Who did what, when and from where. Nothing changes or removes a line but its age.
      </PageHead>
      <AuditFilters key={JSON.stringify(search)} search={search} />
      <Lines filter={filter} />
    </>
  );
}

function Lines({ filter }: { filter: AuditFilter }): ReactNode {
  const { results, status, loadMore } = useAudit(filter);
  if (status === "LoadingFirstPage") return <Loading what="the audit" rows={8} />;
  const isFiltered = Object.keys(filter).length > 0;
  return (
    <>
      {results.length > 0 ? (
        <AuditTable lines={results} />
      ) : isFiltered ? (
        <NoMatchState
          title={status === "Exhausted" ? "No line matches" : "None of the newest lines matches"}
          actions={
            <Link to="/audit" className={buttonLook()}>
              Clear the filters
            </Link>
          }
        />
      ) : (
        <EmptyState title="The audit is empty" />
      )}
      {status !== "Exhausted" && (
        <div className="mt-3 flex justify-center">
          <Button
            onClick={() => {
              loadMore(PAGE_LINES);
            }}
            unable={status === "CanLoadMore" ? undefined : "Loading…"}
          >
            {status === "CanLoadMore" ? "Show more" : "Loading…"}
          </Button>
        </div>
      )}
    </>
  );
}

function Export({ filter }: { filter: AuditFilter }): ReactNode {
  const fetchAll = useExport();
  const unable = useUnable("administrator");
  const [count, setCount] = useState<number | null>(null);
  const run = async (): Promise<void> => {
    setCount(0);
    try {
      const lines = await fetchAll(filter, setCount);
      saveFile("fondation-audit.jsonl", new Blob([lines], { type: "application/x-ndjson" }));
      tellDone("Audit exported", plural(lines.split("\n").length - 1, "line"));
    } catch (error) {
      tellFailed("The audit was not exported", readError(error).message);
    } finally {
      setCount(null);
    }
  };
  return (
    <Button
      icon={<Download size={15} aria-hidden />}
      unable={unable ?? (count === null ? undefined : "It is being exported.")}
      onClick={() => void run()}
    >
      {count === null ? "Export" : `Exporting, ${formatCount(count)} lines…`}
    </Button>
  );
}
