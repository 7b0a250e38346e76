/* eslint-disable */
/**
 * Generated `api` utility.
 *
 * THIS CODE IS AUTOMATICALLY GENERATED.
 *
 * To regenerate, run `npx convex dev`.
 * @module
 */

import type * as admin from "../admin.js";
import type * as alerts from "../alerts.js";
import type * as apiKeys from "../apiKeys.js";
import type * as artifacts from "../artifacts.js";
import type * as audit from "../audit.js";
import type * as auth from "../auth.js";
import type * as batches from "../batches.js";
import type * as budgets from "../budgets.js";
import type * as bulk from "../bulk.js";
import type * as checkpoints from "../checkpoints.js";
import type * as credentials from "../credentials.js";
import type * as crons from "../crons.js";
import type * as deliver from "../deliver.js";
import type * as dispatch from "../dispatch.js";
import type * as domain_account from "../domain/account.js";
import type * as domain_alerts from "../domain/alerts.js";
import type * as domain_artifact from "../domain/artifact.js";
import type * as domain_assertion from "../domain/assertion.js";
import type * as domain_budget from "../domain/budget.js";
import type * as domain_bulk from "../domain/bulk.js";
import type * as domain_checked from "../domain/checked.js";
import type * as domain_checkpoint from "../domain/checkpoint.js";
import type * as domain_civil from "../domain/civil.js";
import type * as domain_controls from "../domain/controls.js";
import type * as domain_credential from "../domain/credential.js";
import type * as domain_cron from "../domain/cron.js";
import type * as domain_delivery from "../domain/delivery.js";
import type * as domain_digest from "../domain/digest.js";
import type * as domain_dispatch from "../domain/dispatch.js";
import type * as domain_estimate from "../domain/estimate.js";
import type * as domain_executor from "../domain/executor.js";
import type * as domain_invariants from "../domain/invariants.js";
import type * as domain_labels from "../domain/labels.js";
import type * as domain_lease from "../domain/lease.js";
import type * as domain_lifecycle from "../domain/lifecycle.js";
import type * as domain_logTail from "../domain/logTail.js";
import type * as domain_prometheus from "../domain/prometheus.js";
import type * as domain_report from "../domain/report.js";
import type * as domain_repository from "../domain/repository.js";
import type * as domain_retention from "../domain/retention.js";
import type * as domain_retry from "../domain/retry.js";
import type * as domain_rollup from "../domain/rollup.js";
import type * as domain_schedule from "../domain/schedule.js";
import type * as domain_secret from "../domain/secret.js";
import type * as domain_steering from "../domain/steering.js";
import type * as domain_submission from "../domain/submission.js";
import type * as domain_template from "../domain/template.js";
import type * as domain_waiting from "../domain/waiting.js";
import type * as emergency from "../emergency.js";
import type * as executors from "../executors.js";
import type * as files from "../files.js";
import type * as http from "../http.js";
import type * as identity from "../identity.js";
import type * as jobs from "../jobs.js";
import type * as lib_arguments from "../lib/arguments.js";
import type * as lib_box from "../lib/box.js";
import type * as lib_clock from "../lib/clock.js";
import type * as lib_crypto from "../lib/crypto.js";
import type * as lib_env from "../lib/env.js";
import type * as lib_errors from "../lib/errors.js";
import type * as lib_fileTables from "../lib/fileTables.js";
import type * as lib_functions from "../lib/functions.js";
import type * as lib_identityTables from "../lib/identityTables.js";
import type * as lib_queueTables from "../lib/queueTables.js";
import type * as lib_recoveryCode from "../lib/recoveryCode.js";
import type * as lib_spendTables from "../lib/spendTables.js";
import type * as lib_steeringTables from "../lib/steeringTables.js";
import type * as lib_totp from "../lib/totp.js";
import type * as logs from "../logs.js";
import type * as maintenance from "../maintenance.js";
import type * as metrics from "../metrics.js";
import type * as model_accessTokens from "../model/accessTokens.js";
import type * as model_admission from "../model/admission.js";
import type * as model_alertSnapshot from "../model/alertSnapshot.js";
import type * as model_alerts from "../model/alerts.js";
import type * as model_answers from "../model/answers.js";
import type * as model_apiKeys from "../model/apiKeys.js";
import type * as model_apply from "../model/apply.js";
import type * as model_artifacts from "../model/artifacts.js";
import type * as model_assertions from "../model/assertions.js";
import type * as model_assignments from "../model/assignments.js";
import type * as model_attempts from "../model/attempts.js";
import type * as model_audit from "../model/audit.js";
import type * as model_batches from "../model/batches.js";
import type * as model_budgets from "../model/budgets.js";
import type * as model_bulk from "../model/bulk.js";
import type * as model_challenges from "../model/challenges.js";
import type * as model_change from "../model/change.js";
import type * as model_checkpoints from "../model/checkpoints.js";
import type * as model_controls from "../model/controls.js";
import type * as model_credentials from "../model/credentials.js";
import type * as model_deadlines from "../model/deadlines.js";
import type * as model_dependencies from "../model/dependencies.js";
import type * as model_direct from "../model/direct.js";
import type * as model_dispatcher from "../model/dispatcher.js";
import type * as model_emergency from "../model/emergency.js";
import type * as model_endings from "../model/endings.js";
import type * as model_enrolments from "../model/enrolments.js";
import type * as model_executors from "../model/executors.js";
import type * as model_expired from "../model/expired.js";
import type * as model_explanations from "../model/explanations.js";
import type * as model_facts from "../model/facts.js";
import type * as model_files from "../model/files.js";
import type * as model_followUps from "../model/followUps.js";
import type * as model_gates from "../model/gates.js";
import type * as model_intake from "../model/intake.js";
import type * as model_jobs from "../model/jobs.js";
import type * as model_leases from "../model/leases.js";
import type * as model_lines from "../model/lines.js";
import type * as model_logs from "../model/logs.js";
import type * as model_metrics from "../model/metrics.js";
import type * as model_older from "../model/older.js";
import type * as model_operations from "../model/operations.js";
import type * as model_outbox from "../model/outbox.js";
import type * as model_outcomes from "../model/outcomes.js";
import type * as model_places from "../model/places.js";
import type * as model_questions from "../model/questions.js";
import type * as model_rateLimits from "../model/rateLimits.js";
import type * as model_recount from "../model/recount.js";
import type * as model_reservations from "../model/reservations.js";
import type * as model_retention from "../model/retention.js";
import type * as model_schedules from "../model/schedules.js";
import type * as model_secondFactors from "../model/secondFactors.js";
import type * as model_secrets from "../model/secrets.js";
import type * as model_selfAudit from "../model/selfAudit.js";
import type * as model_sessions from "../model/sessions.js";
import type * as model_settings from "../model/settings.js";
import type * as model_slots from "../model/slots.js";
import type * as model_spending from "../model/spending.js";
import type * as model_steering from "../model/steering.js";
import type * as model_submissions from "../model/submissions.js";
import type * as model_templates from "../model/templates.js";
import type * as model_timeline from "../model/timeline.js";
import type * as model_timer from "../model/timer.js";
import type * as model_transitions from "../model/transitions.js";
import type * as model_usageLimits from "../model/usageLimits.js";
import type * as model_users from "../model/users.js";
import type * as model_zombies from "../model/zombies.js";
import type * as protocol_alerts from "../protocol/alerts.js";
import type * as protocol_artifact from "../protocol/artifact.js";
import type * as protocol_budget from "../protocol/budget.js";
import type * as protocol_checkpoint from "../protocol/checkpoint.js";
import type * as protocol_credential from "../protocol/credential.js";
import type * as protocol_errors from "../protocol/errors.js";
import type * as protocol_executor from "../protocol/executor.js";
import type * as protocol_identity from "../protocol/identity.js";
import type * as protocol_job from "../protocol/job.js";
import type * as protocol_limits from "../protocol/limits.js";
import type * as protocol_log from "../protocol/log.js";
import type * as protocol_metrics from "../protocol/metrics.js";
import type * as protocol_queue from "../protocol/queue.js";
import type * as protocol_retention from "../protocol/retention.js";
import type * as protocol_secret from "../protocol/secret.js";
import type * as protocol_selfAudit from "../protocol/selfAudit.js";
import type * as protocol_steering from "../protocol/steering.js";
import type * as protocol_view from "../protocol/view.js";
import type * as questions from "../questions.js";
import type * as queue from "../queue.js";
import type * as retention from "../retention.js";
import type * as schedules from "../schedules.js";
import type * as secrets from "../secrets.js";
import type * as selfAudit from "../selfAudit.js";
import type * as sessions from "../sessions.js";
import type * as steering from "../steering.js";
import type * as templates from "../templates.js";
import type * as users from "../users.js";

import type {
  ApiFromModules,
  FilterApi,
  FunctionReference,
} from "convex/server";

declare const fullApi: ApiFromModules<{
  admin: typeof admin;
  alerts: typeof alerts;
  apiKeys: typeof apiKeys;
  artifacts: typeof artifacts;
  audit: typeof audit;
  auth: typeof auth;
  batches: typeof batches;
  budgets: typeof budgets;
  bulk: typeof bulk;
  checkpoints: typeof checkpoints;
  credentials: typeof credentials;
  crons: typeof crons;
  deliver: typeof deliver;
  dispatch: typeof dispatch;
  "domain/account": typeof domain_account;
  "domain/alerts": typeof domain_alerts;
  "domain/artifact": typeof domain_artifact;
  "domain/assertion": typeof domain_assertion;
  "domain/budget": typeof domain_budget;
  "domain/bulk": typeof domain_bulk;
  "domain/checked": typeof domain_checked;
  "domain/checkpoint": typeof domain_checkpoint;
  "domain/civil": typeof domain_civil;
  "domain/controls": typeof domain_controls;
  "domain/credential": typeof domain_credential;
  "domain/cron": typeof domain_cron;
  "domain/delivery": typeof domain_delivery;
  "domain/digest": typeof domain_digest;
  "domain/dispatch": typeof domain_dispatch;
  "domain/estimate": typeof domain_estimate;
  "domain/executor": typeof domain_executor;
  "domain/invariants": typeof domain_invariants;
  "domain/labels": typeof domain_labels;
  "domain/lease": typeof domain_lease;
  "domain/lifecycle": typeof domain_lifecycle;
  "domain/logTail": typeof domain_logTail;
  "domain/prometheus": typeof domain_prometheus;
  "domain/report": typeof domain_report;
  "domain/repository": typeof domain_repository;
  "domain/retention": typeof domain_retention;
  "domain/retry": typeof domain_retry;
  "domain/rollup": typeof domain_rollup;
  "domain/schedule": typeof domain_schedule;
  "domain/secret": typeof domain_secret;
  "domain/steering": typeof domain_steering;
  "domain/submission": typeof domain_submission;
  "domain/template": typeof domain_template;
  "domain/waiting": typeof domain_waiting;
  emergency: typeof emergency;
  executors: typeof executors;
  files: typeof files;
  http: typeof http;
  identity: typeof identity;
  jobs: typeof jobs;
  "lib/arguments": typeof lib_arguments;
  "lib/box": typeof lib_box;
  "lib/clock": typeof lib_clock;
  "lib/crypto": typeof lib_crypto;
  "lib/env": typeof lib_env;
  "lib/errors": typeof lib_errors;
  "lib/fileTables": typeof lib_fileTables;
  "lib/functions": typeof lib_functions;
  "lib/identityTables": typeof lib_identityTables;
  "lib/queueTables": typeof lib_queueTables;
  "lib/recoveryCode": typeof lib_recoveryCode;
  "lib/spendTables": typeof lib_spendTables;
  "lib/steeringTables": typeof lib_steeringTables;
  "lib/totp": typeof lib_totp;
  logs: typeof logs;
  maintenance: typeof maintenance;
  metrics: typeof metrics;
  "model/accessTokens": typeof model_accessTokens;
  "model/admission": typeof model_admission;
  "model/alertSnapshot": typeof model_alertSnapshot;
  "model/alerts": typeof model_alerts;
  "model/answers": typeof model_answers;
  "model/apiKeys": typeof model_apiKeys;
  "model/apply": typeof model_apply;
  "model/artifacts": typeof model_artifacts;
  "model/assertions": typeof model_assertions;
  "model/assignments": typeof model_assignments;
  "model/attempts": typeof model_attempts;
  "model/audit": typeof model_audit;
  "model/batches": typeof model_batches;
  "model/budgets": typeof model_budgets;
  "model/bulk": typeof model_bulk;
  "model/challenges": typeof model_challenges;
  "model/change": typeof model_change;
  "model/checkpoints": typeof model_checkpoints;
  "model/controls": typeof model_controls;
  "model/credentials": typeof model_credentials;
  "model/deadlines": typeof model_deadlines;
  "model/dependencies": typeof model_dependencies;
  "model/direct": typeof model_direct;
  "model/dispatcher": typeof model_dispatcher;
  "model/emergency": typeof model_emergency;
  "model/endings": typeof model_endings;
  "model/enrolments": typeof model_enrolments;
  "model/executors": typeof model_executors;
  "model/expired": typeof model_expired;
  "model/explanations": typeof model_explanations;
  "model/facts": typeof model_facts;
  "model/files": typeof model_files;
  "model/followUps": typeof model_followUps;
  "model/gates": typeof model_gates;
  "model/intake": typeof model_intake;
  "model/jobs": typeof model_jobs;
  "model/leases": typeof model_leases;
  "model/lines": typeof model_lines;
  "model/logs": typeof model_logs;
  "model/metrics": typeof model_metrics;
  "model/older": typeof model_older;
  "model/operations": typeof model_operations;
  "model/outbox": typeof model_outbox;
  "model/outcomes": typeof model_outcomes;
  "model/places": typeof model_places;
  "model/questions": typeof model_questions;
  "model/rateLimits": typeof model_rateLimits;
  "model/recount": typeof model_recount;
  "model/reservations": typeof model_reservations;
  "model/retention": typeof model_retention;
  "model/schedules": typeof model_schedules;
  "model/secondFactors": typeof model_secondFactors;
  "model/secrets": typeof model_secrets;
  "model/selfAudit": typeof model_selfAudit;
  "model/sessions": typeof model_sessions;
  "model/settings": typeof model_settings;
  "model/slots": typeof model_slots;
  "model/spending": typeof model_spending;
  "model/steering": typeof model_steering;
  "model/submissions": typeof model_submissions;
  "model/templates": typeof model_templates;
  "model/timeline": typeof model_timeline;
  "model/timer": typeof model_timer;
  "model/transitions": typeof model_transitions;
  "model/usageLimits": typeof model_usageLimits;
  "model/users": typeof model_users;
  "model/zombies": typeof model_zombies;
  "protocol/alerts": typeof protocol_alerts;
  "protocol/artifact": typeof protocol_artifact;
  "protocol/budget": typeof protocol_budget;
  "protocol/checkpoint": typeof protocol_checkpoint;
  "protocol/credential": typeof protocol_credential;
  "protocol/errors": typeof protocol_errors;
  "protocol/executor": typeof protocol_executor;
  "protocol/identity": typeof protocol_identity;
  "protocol/job": typeof protocol_job;
  "protocol/limits": typeof protocol_limits;
  "protocol/log": typeof protocol_log;
  "protocol/metrics": typeof protocol_metrics;
  "protocol/queue": typeof protocol_queue;
  "protocol/retention": typeof protocol_retention;
  "protocol/secret": typeof protocol_secret;
  "protocol/selfAudit": typeof protocol_selfAudit;
  "protocol/steering": typeof protocol_steering;
  "protocol/view": typeof protocol_view;
  questions: typeof questions;
  queue: typeof queue;
  retention: typeof retention;
  schedules: typeof schedules;
  secrets: typeof secrets;
  selfAudit: typeof selfAudit;
  sessions: typeof sessions;
  steering: typeof steering;
  templates: typeof templates;
  users: typeof users;
}>;

/**
 * A utility for referencing Convex functions in your app's public API.
 *
 * Usage:
 * ```js
 * const myFunctionReference = api.myModule.myFunction;
 * ```
 */
export declare const api: FilterApi<
  typeof fullApi,
  FunctionReference<any, "public">
>;

/**
 * A utility for referencing Convex functions in your app's internal API.
 *
 * Usage:
 * ```js
 * const myFunctionReference = internal.myModule.myFunction;
 * ```
 */
export declare const internal: FilterApi<
  typeof fullApi,
  FunctionReference<any, "internal">
>;

export declare const components: {
  rateLimiter: import("@convex-dev/rate-limiter/_generated/component.js").ComponentApi<"rateLimiter">;
};
