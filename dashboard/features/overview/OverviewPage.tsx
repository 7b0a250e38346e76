import type { ReactNode } from "react";
import { PageHead } from "../../ui/Page.js";

export function OverviewPage(): ReactNode {
  return <PageHead title="Overview" />;
}
