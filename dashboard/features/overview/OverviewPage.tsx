import { Link } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import type { ReactNode } from "react";
import { useUnable } from "../../session/me.js";
import { Button, buttonLook } from "../../ui/Button.js";
import { PageHead } from "../../ui/Page.js";
import { Attention } from "./Attention.js";
import { DayFigures } from "./DayFigures.js";
import { Executors } from "./Executors.js";
import { FirstRun } from "./FirstRun.js";
import { LatestJobs } from "./LatestJobs.js";
import { useQueue } from "./overview.js";

/** One look: what needs me, what runs, what waits, what failed, what it cost. */
export function OverviewPage(): ReactNode {
  const states = useQueue().now?.states ?? {};
  const running = (states["assigned"] ?? 0) + (states["running"] ?? 0);
  return (
    <>
      <PageHead
        title="Overview"
        tabTitle={running === 0 ? "Overview" : `${running} running`}
        actions={<NewJob />}
      />
      <div className="flex flex-col gap-4">
        <FirstRun />
        <Attention />
        <DayFigures />
        <div className="grid gap-4 xl:grid-cols-2">
          <LatestJobs kind="running" />
          <LatestJobs kind="failed" />
        </div>
        <Executors />
      </div>
    </>
  );
}

function NewJob(): ReactNode {
  const unable = useUnable("operator");
  const icon = <Plus size={16} aria-hidden />;
  if (unable !== undefined) {
    return (
      <Button kind="primary" unable={unable} icon={icon}>
        New job
      </Button>
    );
  }
  return (
    <Link to="/jobs/new" className={buttonLook("primary")}>
      {icon}
      New job
    </Link>
  );
}
