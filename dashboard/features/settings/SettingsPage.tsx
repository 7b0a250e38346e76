import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, type ComponentType, type ReactNode } from "react";
import { PageHead } from "../../ui/Page.js";
import { Loading } from "../../ui/States.js";
import { Tabs } from "../../ui/Tabs.js";
import { SETTINGS_TABS, type SettingsTab } from "./search.js";

const route = getRouteApi("/signedIn/settings");

const PARTS: Readonly<Record<SettingsTab, ComponentType>> = {
  account: lazy(async () => ({ default: (await import("./AccountTab.js")).AccountTab })),
  people: lazy(async () => ({ default: (await import("./PeopleTab.js")).PeopleTab })),
  secrets: lazy(async () => ({ default: (await import("./SecretsTab.js")).SecretsTab })),
  queue: lazy(async () => ({ default: (await import("./QueueTab.js")).QueueTab })),
  budgets: lazy(async () => ({ default: (await import("./BudgetsTab.js")).BudgetsTab })),
  alerts: lazy(async () => ({ default: (await import("./AlertsTab.js")).AlertsTab })),
  retention: lazy(async () => ({ default: (await import("./RetentionTab.js")).RetentionTab })),
};

/** What is set once and looked after now and then. */
export function SettingsPage(): ReactNode {
  const { tab = "account" } = route.useSearch();
  const navigate = useNavigate();
  const title = SETTINGS_TABS.find(([id]) => id === tab)?.[1] ?? "";
  const Part = PARTS[tab];
  return (
    <>
      <PageHead title="Settings" tabTitle={`Settings, ${title.toLowerCase()}`} />
      <Tabs
        name="Settings"
        tabs={SETTINGS_TABS.map(([id, text]) => ({ id, title: text }))}
        active={tab}
        onChange={(next) => void navigate({ to: "/settings", search: { tab: next } })}
      >
        <Suspense fallback={<Loading what="settings" />}>
          <Part />
        </Suspense>
      </Tabs>
    </>
  );
}
