/**
 * The command line's view of the public functions (docs/protocol.md): one signed-in person. The only
 * importer of convex/browser and of the generated api.
 */
import { ConvexClient, ConvexHttpClient } from "convex/browser";
import { ConvexError } from "convex/values";
import { api } from "../convex/_generated/api.js";
import type { JobLimits } from "../convex/protocol/job.js";
import type { LogEntry, LogTail } from "../convex/protocol/log.js";
import type { Cadence } from "../convex/protocol/queue.js";
import type {
  AttemptView,
  EventView,
  ExecutorView,
  JobDetail,
  JobView,
  SignInReply,
} from "../convex/protocol/view.js";
import { CommandError, usageError } from "./errors.js";

export type JobId = JobView["jobId"];
export type Person = { username: string; password: string };
export type Submission = {
  repository: string;
  ref?: string;
  prompt: string;
  /** null lets it run beside other jobs of its branch. */
  concurrencyKey?: string | null;
  priority?: number;
  labels?: string[];
  limits?: JobLimits;
  hold?: boolean;
  /** Not before this time, ms since the epoch. */
  runAt?: number;
  /** Jobs that must end first. */
  after?: string[];
};
export type ScheduleStart = {
  name: string;
  cadence: Cadence;
  submission: { repository: string; prompt: string };
};
type SignedIn = Extract<SignInReply, { ok: true }>;
/** Ends a subscription. */
export type Unsubscribe = () => void;

/** What one subscription tells: each newer value, or that it cannot go on. */
export type Watcher<T> = { onValue: (value: T) => void; onError: (error: Error) => void };

const quiet = { logger: false as const };

/** Makes the first administrator; the answer ALREADY_SET_UP of a later run is fine. */
export async function setUpAdministrator(
  url: string,
  person: Person & { setupToken: string },
): Promise<void> {
  const reply = await new ConvexHttpClient(url, quiet).action(api.auth.setUp, person);
  if (reply.ok || reply.code === "ALREADY_SET_UP") return;
  throw new CommandError(`the first administrator could not be made: ${reply.message}`);
}

/** Signs a person in and keeps the session fresh until `close`. */
export async function signIn(url: string, person: Person): Promise<Backend> {
  const reply = await new ConvexHttpClient(url, quiet).action(api.auth.signIn, {
    ...person,
    label: "fondation command line",
  });
  if (!reply.ok) {
    throw new CommandError(`signing in as ${person.username} was refused (${reply.code})`);
  }
  return new Backend(url, reply);
}

/** A signed-in person's connection. */
export class Backend {
  private readonly client: ConvexClient;
  private session: SignedIn;

  constructor(url: string, session: SignedIn) {
    this.session = session;
    this.client = new ConvexClient(url, quiet);
    this.client.setAuth(async ({ forceRefreshToken }) => {
      if (forceRefreshToken) await this.refresh(url);
      return this.session.accessToken;
    });
  }

  /** Asks for a job. What can never work comes back as a usage error with the queue's own sentence. */
  async submit(submission: Submission): Promise<JobId> {
    try {
      return (await this.client.mutation(api.jobs.submit, submission)).jobId;
    } catch (error) {
      throw readable(error);
    }
  }

  /** Adds a version of a template. */
  async saveTemplate(name: string, text: string): Promise<void> {
    await this.client.mutation(api.templates.save, { name, text });
  }

  async createSchedule(schedule: ScheduleStart): Promise<void> {
    await this.client.mutation(api.schedules.create, schedule);
  }

  cancel(jobId: JobId): Promise<unknown> {
    return this.client.mutation(api.jobs.cancel, { jobId });
  }

  /** Newest first, at most `count`. */
  async listJobs(count: number): Promise<JobView[]> {
    const paginationOpts = { numItems: count, cursor: null };
    return (await this.client.query(api.jobs.list, { paginationOpts })).page;
  }

  watchJobs(count: number, watcher: Watcher<JobView[]>): Unsubscribe {
    const paginationOpts = { numItems: count, cursor: null };
    return this.client.onUpdate(
      api.jobs.list,
      { paginationOpts },
      ({ page }) => {
        watcher.onValue(page);
      },
      watcher.onError,
    );
  }

  getJob(jobId: JobId): Promise<JobDetail> {
    return this.client.query(api.jobs.get, { jobId });
  }

  watchJob(jobId: JobId, watcher: Watcher<JobDetail>): Unsubscribe {
    return this.client.onUpdate(api.jobs.get, { jobId }, watcher.onValue, watcher.onError);
  }

  /** Newest first. */
  listAttempts(jobId: JobId): Promise<AttemptView[]> {
    return this.client.query(api.jobs.attempts, { jobId });
  }

  /** The job's timeline, oldest first. */
  listEvents(jobId: JobId): Promise<EventView[]> {
    return this.client.query(api.jobs.events, { jobId });
  }

  getLogTail(jobId: JobId, attempt: number): Promise<LogTail> {
    return this.client.query(api.logs.tail, { jobId, attempt });
  }

  watchLogTail(of: { jobId: JobId; attempt: number }, watcher: Watcher<LogTail>): Unsubscribe {
    return this.client.onUpdate(api.logs.tail, of, watcher.onValue, watcher.onError);
  }

  getLogChunk(of: {
    jobId: JobId;
    attempt: number;
    index: number;
  }): Promise<{ firstSeq: number; entries: LogEntry[] }> {
    return this.client.query(api.logs.chunk, of);
  }

  /** A one-time token with which an executor enrols itself. */
  async createEnrolment(label: string): Promise<string> {
    return (await this.client.mutation(api.executors.createEnrolment, { label })).token;
  }

  listExecutors(): Promise<ExecutorView[]> {
    return this.client.query(api.executors.list, {});
  }

  watchExecutors(watcher: Watcher<ExecutorView[]>): Unsubscribe {
    return this.client.onUpdate(api.executors.list, {}, watcher.onValue, watcher.onError);
  }

  close(): Promise<void> {
    return this.client.close();
  }

  private async refresh(url: string): Promise<void> {
    const { refreshToken } = this.session;
    const reply = await new ConvexHttpClient(url, quiet).mutation(api.auth.refresh, {
      refreshToken,
    });
    if (reply.ok) this.session = reply;
  }
}

function readable(error: unknown): unknown {
  if (!(error instanceof ConvexError)) return error;
  // The data of a ConvexError is any Convex value; it is read field by field.
  const data = error.data as unknown;
  if (typeof data !== "object" || data === null || !("message" in data)) return error;
  const message = String(data.message);
  const isInput = "code" in data && data.code === "INVALID_ARGUMENT";
  return isInput ? usageError(message) : new CommandError(message);
}
