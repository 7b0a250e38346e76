import type { MessageKind, Severity } from "../protocol/alerts.js";
import { DELIVERY_ATTEMPTS_MAX } from "../protocol/limits.js";
import { type Checked, passed, refused } from "./checked.js";

/** Where messages may go: https anywhere, http only to this machine, and never with a password in it. */
export function checkWebhookUrl(text: string): Checked<string> {
  if (!URL.canParse(text)) return refused("ALERT_WEBHOOK_URL is not a URL.");
  const { protocol, hostname, username, password } = new URL(text);
  if (username !== "" || password !== "") {
    return refused("ALERT_WEBHOOK_URL must not carry a user name or password.");
  }
  const isLoopback = ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
  if (protocol === "https:" || (protocol === "http:" && isLoopback)) return passed(text);
  return refused("ALERT_WEBHOOK_URL must be https; http is for 127.0.0.1, [::1] and localhost.");
}

const SECOND = 1_000;
const FIRST_DELAY_MS = 10 * SECOND;
const DELAY_MS_MAX = 30 * 60 * SECOND;

/** How long to wait after this many attempts; null when it was the last. */
export function delayAfter(attempts: number): number | null {
  if (attempts >= DELIVERY_ATTEMPTS_MAX) return null;
  return Math.min(FIRST_DELAY_MS * 3 ** (attempts - 1), DELAY_MS_MAX);
}

/** What a message says of an alert. */
export type Told = {
  key: string;
  rule: string;
  severity: Severity;
  title: string;
  detail: string;
  since: number;
  runbook: string;
};

/** Body of a message. `text` alone is what Slack and its likes show; the rest is for programs. */
export function bodyOf(kind: MessageKind, told: Told, at: number): string {
  const text = `[${told.severity}] ${WORDS[kind]}: ${told.title}. ${told.detail} See ${told.runbook}`;
  return JSON.stringify({ text, kind, at, alert: told });
}

const WORDS: Record<MessageKind, string> = {
  opened: "Alert",
  escalated: "Alert, now worse",
  resolved: "Resolved",
  test: "Test",
};

/** What is signed: the time stands in it, so that a message recorded by others cannot be sent again later. */
export function signedText(timestampSeconds: number, body: string): string {
  return `${timestampSeconds}.${body}`;
}
