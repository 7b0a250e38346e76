/** Which part of the settings is open; it stands in the address. */
import { searchSchema, searchWord } from "../../lib/search.js";

export const SETTINGS_TABS = [
  ["account", "You"],
  ["people", "People"],
  ["secrets", "Secrets"],
  ["queue", "Queue"],
  ["budgets", "Budgets"],
  ["alerts", "Alerts"],
  ["retention", "Retention"],
] as const;
export type SettingsTab = (typeof SETTINGS_TABS)[number][0];

export const settingsSearch = searchSchema({
  tab: searchWord(["account", "people", "secrets", "queue", "budgets", "alerts", "retention"]),
});
