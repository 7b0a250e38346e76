/**
 * The command line's view of the public functions (docs/protocol.md): one signed-in person. The only
 * importer of convex/browser and of the generated api.
 */
import { ConvexClient, ConvexHttpClient } from "convex/browser";
import type { FunctionArgs, FunctionReference, FunctionReturnType } from "convex/server";
import { api } from "../convex/_generated/api.js";
import type { LogEntry, LogTail } from "../convex/protocol/log.js";
import type {
  AttemptView,
  EventView,
  ExecutorView,
  JobDetail,
  JobView,
  Role,
  SignInReply,
} from "../convex/protocol/view.js";
import { CommandError, exitCodes } from "./errors.js";
import { readable } from "./refusals.js";

export type JobId = JobView["jobId"];
export type ExecutorId = ExecutorView["executorId"];
export type Person = { username: string; password: string; code?: string };
export type Submission = FunctionArgs<typeof api.jobs.submit>;
export type BulkAction = FunctionArgs<typeof api.bulk.start>["action"];
export type BulkFilter = FunctionArgs<typeof api.bulk.start>["filter"];
export type BulkView = FunctionReturnType<typeof api.bulk.get>;
export type BulkOutcome = FunctionReturnType<typeof api.bulk.outcomes>["page"][number];
export type Range = FunctionArgs<typeof api.metrics.summary>["range"];
export type PruneArgs = FunctionArgs<typeof api.retention.pruneNow>;
export type BudgetGiven = FunctionArgs<typeof api.budgets.set>;
export type BudgetView = FunctionReturnType<typeof api.budgets.list>[number];
export type JobStateKind = JobView["state"]["kind"];
export type ScheduleStart = FunctionArgs<typeof api.schedules.create>;
export type Answer = FunctionArgs<typeof api.questions.answer>;
type SignedIn = Extract<SignInReply, { ok: true }>;
/** What an API key is made with; `lifeMs` from now. */
export type KeyRequest = { name: string; role: Role; lifeMs: number };
/** Ends a subscription. */
export type Unsubscribe = () => void;

/** What one subscription tells: each newer value, or that it cannot go on. */
export type Watcher<T> = { onValue: (value: T) => void; onError: (error: Error) => void };

const quiet = { logger: false as const };

/** Hands out an access token; `again` when the last one is no longer good. */
type TokenSource = (again: boolean) => Promise<string | null>;

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
  let session = await openSession(url, person);
  return new Backend(url, async (again) => {
    if (again) {
      const { refreshToken } = session;
      const reply = await new ConvexHttpClient(url, quiet).mutation(api.auth.refresh, {
        refreshToken,
      });
      if (reply.ok) session = reply;
    }
    return session.accessToken;
  });
}

/** Acts for the person an API key is of; the key is good when this resolves. */
export async function useKey(url: string, key: string): Promise<Backend> {
  let token: string | null = await exchange(url, key);
  return new Backend(url, async (again) => {
    if (again) token = await exchangeAgain(url, key);
    return token;
  });
}

async function exchange(url: string, key: string): Promise<string> {
  const reply = await overHttp(url, (http) => http.mutation(api.auth.exchangeKey, { key }));
  if (reply.ok) return reply.accessToken;
  throw refusedKey(reply.code);
}

/** Asked for by the connection itself: a key that has ended meanwhile leaves it with nobody's identity. */
async function exchangeAgain(url: string, key: string): Promise<string | null> {
  try {
    return await exchange(url, key);
  } catch (error) {
    if (error instanceof CommandError) return null;
    throw error;
  }
}

function refusedKey(code: string): CommandError {
  return code === "RATE_LIMITED"
    ? new CommandError("the backend takes no more sign-ins for now; try again in a minute", 69)
    : new CommandError(
        "the login is no longer good; sign in with: fondation login",
        exitCodes.denied,
      );
}

/** The password of a person whose one-time code is asked for was right. */
export class CodeNeeded extends CommandError {
  constructor() {
    super("a one-time code is needed: give it with --code", exitCodes.denied);
  }
}

async function openSession(url: string, { username, password, code }: Person): Promise<SignedIn> {
  const label = "fondation command line";
  const first = await overHttp(url, (http) =>
    http.action(api.auth.signIn, { username, password, label }),
  );
  if (first.ok) return first;
  if (first.challenge === undefined) throw refused(username, first.code);
  if (code === undefined) throw new CodeNeeded();
  const { challenge } = first;
  const second = await overHttp(url, (http) =>
    http.mutation(api.auth.signInTotp, { challenge, code }),
  );
  if (second.ok) return second;
  throw refused(username, second.code);
}

function refused(username: string, code: string): CommandError {
  return new CommandError(`signing in as ${username} was refused (${code})`, exitCodes.denied);
}

/** Signs a person in for as long as it takes to make an API key. */
export async function makeKey(url: string, person: Person, request: Partial<KeyRequest>) {
  const { accessToken } = await openSession(url, person);
  return overHttp(url, async (http) => {
    http.setAuth(accessToken);
    const { username, role } = await http.query(api.auth.me, {});
    const key = { name: "command line", role, lifeMs: KEY_LIFE_MS, ...request };
    const made = await http.mutation(api.apiKeys.create, key);
    await http.mutation(api.auth.signOut, {});
    return { ...made, username, role: key.role };
  });
}

/** How long a key of the command line lives unless told: a quarter. */
const KEY_LIFE_MS = 90 * 86_400_000;

/** Calls without a connection that stays; says so when nobody answers. */
async function overHttp<T>(url: string, call: (http: ConvexHttpClient) => Promise<T>): Promise<T> {
  try {
    return await call(new ConvexHttpClient(url, quiet));
  } catch (error) {
    throw readable(error, url);
  }
}

/** A signed-in person's connection. What the backend refuses comes back as a CommandError. */
export class Backend {
  readonly url: string;
  private readonly client: ConvexClient;

  constructor(url: string, tokens: TokenSource) {
    this.url = url;
    this.client = new ConvexClient(url, quiet);
    this.client.setAuth(({ forceRefreshToken }) => tokens(forceRefreshToken));
  }

  /** Asks for a job. What can never work comes back as a usage error with the queue's own sentence. */
  async submit(submission: Submission): Promise<JobId> {
    return (await this.mutation(api.jobs.submit, submission)).jobId;
  }

  /** Adds a version of a template. */
  saveTemplate(name: string, text: string) {
    return this.mutation(api.templates.save, { name, text });
  }

  createSchedule(schedule: ScheduleStart) {
    return this.mutation(api.schedules.create, schedule);
  }

  whoami() {
    return this.query(api.auth.me, {});
  }

  cancel(jobId: JobId) {
    return this.mutation(api.jobs.cancel, { jobId });
  }

  /** One action to one job; hands out its state afterwards. */
  act(action: BulkAction, jobId: JobId) {
    return this.mutation(ACTIONS[action], { jobId });
  }

  // What people say to runs, and answer them.
  readonly message = (jobId: JobId, text: string) =>
    this.mutation(api.steering.message, { jobId, text });
  readonly interrupt = (jobId: JobId, text?: string) =>
    this.mutation(api.steering.interrupt, text === undefined ? { jobId } : { jobId, text });
  readonly stopAfterTurn = (jobId: JobId) => this.mutation(api.steering.stopAfterTurn, { jobId });
  readonly told = (jobId: string) => this.query(api.steering.list, { jobId });
  readonly followUp = (jobId: JobId, text: string) =>
    this.mutation(api.jobs.followUp, { jobId, text });
  readonly questions = (jobId: string) => this.query(api.questions.list, { jobId });
  readonly openQuestions = () => this.query(api.questions.open, {});
  readonly answer = (answer: Answer) => this.mutation(api.questions.answer, answer);

  /** The same action to all jobs that meet a filter, in the background. */
  startBulk(action: BulkAction, filter: BulkFilter) {
    return this.mutation(api.bulk.start, { action, filter });
  }

  watchBulk(operationId: string, watcher: Watcher<BulkView>): Unsubscribe {
    return this.watch(api.bulk.get, { operationId }, watcher);
  }

  /** What a bulk operation did to each job, from a cursor on. */
  bulkOutcomes(operationId: string, cursor: string | null) {
    const paginationOpts = { numItems: 100, cursor };
    return this.query(api.bulk.outcomes, { operationId, paginationOpts });
  }

  /** Newest first, at most `count`. */
  async listJobs(count: number, state?: JobStateKind): Promise<JobView[]> {
    const paginationOpts = { numItems: count, cursor: null };
    const filter = state === undefined ? {} : { state };
    return (await this.query(api.jobs.list, { ...filter, paginationOpts })).page;
  }

  watchJobs(count: number, watcher: Watcher<JobView[]>): Unsubscribe {
    const paginationOpts = { numItems: count, cursor: null };
    const onValue = ({ page }: { page: JobView[] }) => {
      watcher.onValue(page);
    };
    return this.watch(api.jobs.list, { paginationOpts }, { ...watcher, onValue });
  }

  /** Takes the id as typed; one that is none is not found. */
  getJob(jobId: string): Promise<JobDetail> {
    return this.query(api.jobs.get, { jobId });
  }

  watchJob(jobId: JobId, watcher: Watcher<JobDetail>): Unsubscribe {
    return this.watch(api.jobs.get, { jobId }, watcher);
  }

  /** Why a job does not run. */
  explain(jobId: string) {
    return this.query(api.jobs.waiting, { jobId });
  }

  /** Newest first. */
  listAttempts(jobId: JobId): Promise<AttemptView[]> {
    return this.query(api.jobs.attempts, { jobId });
  }

  /** The job's timeline, oldest first. */
  listEvents(jobId: JobId): Promise<EventView[]> {
    return this.query(api.jobs.events, { jobId });
  }

  getLogTail(jobId: JobId, attempt: number): Promise<LogTail> {
    return this.query(api.logs.tail, { jobId, attempt });
  }

  watchLogTail(of: { jobId: JobId; attempt: number }, watcher: Watcher<LogTail>): Unsubscribe {
    return this.watch(api.logs.tail, of, watcher);
  }

  getLogChunk(of: {
    jobId: JobId;
    attempt: number;
    index: number;
  }): Promise<{ firstSeq: number; entries: LogEntry[] }> {
    return this.query(api.logs.chunk, of);
  }

  /** A one-time token with which an executor enrols itself. */
  async createEnrolment(label: string): Promise<string> {
    return (await this.enrol(label)).token;
  }

  enrol(label: string) {
    return this.mutation(api.executors.createEnrolment, { label });
  }

  listExecutors(): Promise<ExecutorView[]> {
    return this.query(api.executors.list, {});
  }

  readonly drainExecutor = (executorId: ExecutorId) =>
    this.mutation(api.executors.drain, { executorId });
  readonly resumeExecutor = (executorId: ExecutorId) =>
    this.mutation(api.executors.resume, { executorId });
  readonly revokeExecutor = (executorId: ExecutorId) =>
    this.mutation(api.executors.revoke, { executorId });
  watchExecutors(watcher: Watcher<ExecutorView[]>): Unsubscribe {
    return this.watch(api.executors.list, {}, watcher);
  }

  listBudgets() {
    return this.query(api.budgets.list, {});
  }

  setBudget(budget: BudgetGiven) {
    return this.mutation(api.budgets.set, budget);
  }

  removeBudget(budgetId: BudgetView["budgetId"]) {
    return this.mutation(api.budgets.remove, { budgetId });
  }

  listCredentials() {
    return this.query(api.credentials.list, {});
  }

  readonly queueStatus = () => this.query(api.queue.status, {});
  pauseQueue(reason: string, maintenance: boolean) {
    return this.mutation(api.queue.pause, { reason, maintenance });
  }

  readonly resumeQueue = () => this.mutation(api.queue.resume, {});
  readonly queueNow = () => this.query(api.metrics.now, {});
  summary(range: Range) {
    return this.query(api.metrics.summary, { range });
  }

  async prune(args: PruneArgs) {
    try {
      return await this.client.action(api.retention.pruneNow, args);
    } catch (error) {
      throw readable(error, this.url);
    }
  }

  listKeys() {
    return this.query(api.apiKeys.list, {});
  }

  async revokeKey(apiKeyId: string) {
    const key = (await this.listKeys()).find((each) => each.apiKeyId === apiKeyId);
    if (key === undefined) {
      throw new CommandError(`there is no key ${apiKeyId} of yours`, exitCodes.notFound);
    }
    await this.mutation(api.apiKeys.revoke, { apiKeyId: key.apiKeyId });
  }

  close(): Promise<void> {
    return this.client.close();
  }

  private async query<Q extends FunctionReference<"query">>(
    reference: Q,
    args: FunctionArgs<Q>,
  ): Promise<Awaited<FunctionReturnType<Q>>> {
    try {
      return await this.client.query(reference, args);
    } catch (error) {
      throw readable(error, this.url);
    }
  }

  private async mutation<M extends FunctionReference<"mutation">>(
    reference: M,
    args: FunctionArgs<M>,
  ): Promise<Awaited<FunctionReturnType<M>>> {
    try {
      return await this.client.mutation(reference, args);
    } catch (error) {
      throw readable(error, this.url);
    }
  }

  private watch<Q extends FunctionReference<"query">>(
    reference: Q,
    args: FunctionArgs<Q>,
    watcher: Watcher<FunctionReturnType<Q>>,
  ): Unsubscribe {
    return this.client.onUpdate(reference, args, watcher.onValue, (error) => {
      watcher.onError(readable(error, this.url));
    });
  }
}

const ACTIONS = {
  cancel: api.jobs.cancel,
  retry: api.jobs.retry,
  hold: api.jobs.hold,
  release: api.jobs.release,
  requeue: api.jobs.requeue,
} as const;
