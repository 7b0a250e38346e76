/**
 * Every upper bound of the product, with its unit in the name and its reason beside it. Relations
 * between them are asserted in tests/unit/limits.test.ts.
 */

// -- jobs --
/** Characters of a prompt. A prompt travels in one function argument and sits in one document. */
export const PROMPT_CHARS_MAX = 200_000;
/** Characters of a job's title, which lists show for its prompt. */
export const TITLE_CHARS_MAX = 120;
/** Characters of a text to look for in jobs. */
export const SEARCH_CHARS_MAX = 100;
/** Characters of a repository as typed. */
export const REPOSITORY_CHARS_MAX = 400;
/** Characters of a git ref; git itself stops at 255 bytes a path component. */
export const REF_CHARS_MAX = 250;
export const MODEL_CHARS_MAX = 100;
export const MAX_TURNS_MAX = 1_000;
export const MAX_BUDGET_USD_MAX = 1_000;
/** Wall clock of one attempt. */
export const TIMEOUT_MS_MIN = 1_000;
export const TIMEOUT_MS_DEFAULT = 30 * 60_000;
export const TIMEOUT_MS_MAX = 24 * 60 * 60_000;
/** 0 is the most urgent. */
export const PRIORITY_MAX = 9;
export const PRIORITY_DEFAULT = 5;
export const ATTEMPTS_DEFAULT = 3;
export const ATTEMPTS_MAX = 10;
/** Attempts that ended without fault of the job (shutdown, lost executor, bad login) before it is given up. */
export const INTERRUPTIONS_MAX = 10;
export const IDEMPOTENCY_KEY_CHARS_MAX = 200;
/** Rows of a kind that the health page counts; this number stands for "this many or more". */
export const HEALTH_COUNT_MAX = 100;
/** Rows a list hands out at once. */
export const PAGE_SIZE_MAX = 100;

/** How long an idempotency key finds the same job, unless its submission says otherwise. */
export const IDEMPOTENCY_WINDOW_MS_DEFAULT = 24 * 60 * 60_000;
export const IDEMPOTENCY_WINDOW_MS_MAX = 30 * 24 * 60 * 60_000;
export const CONCURRENCY_KEY_CHARS_MAX = 200;
/** Jobs that one job may come after. */
export const AFTER_MAX = 16;
/** How far ahead a job may be put off. */
export const RUN_AT_MS_MAX = 366 * 24 * 60 * 60_000;

// -- the queue --
/** Jobs of one concurrency key that run at once where nothing else was set. */
export const KEY_LIMIT_DEFAULT = 1;
/** Highest limit of one key or submitter: the jobs that hold it are counted one by one. */
export const GATE_LIMIT_MAX = 64;
/** Highest limit of the whole queue; above it, no limit is the limit. */
export const RUNNING_LIMIT_MAX = 500;
export const GATE_LIMITS_SHOWN_MAX = 100;
/** Jobs that one step lets in at a gate. */
export const LET_IN_PER_STEP = 8;
/** Gates that one step of a change of all limits looks at. */
export const GATES_PER_STEP = 8;
/** Dependents that the end of a job settles in its own transaction; more go on in the background. */
export const DEPENDENTS_PER_STEP = 8;
/** Lanes (sets of labels) and pools (sets of executors' labels) that one dispatch pass looks at. */
export const LANES_PER_PASS = 32;
export const POOLS_PER_PASS = 64;
/** Characters of a reason that an operator gives. */
export const NOTE_CHARS_MAX = 500;
/** Jobs counted ahead of a waiting one; one more stands for "more". */
export const AHEAD_MAX = 100;
/** Ended attempts, and running ones, that an estimate rests on. */
export const ESTIMATE_SAMPLES = 20;
/** Characters of reports after which a read of attempts brings no further one. */
export const REPORTS_READ_CHARS_MAX = 1_000_000;
/** How long a deadline that could not be acted on is left alone. */
export const QUARANTINE_MS = 10 * 60_000;

// -- schedules, batches, bulk operations, templates --
export const NAME_CHARS_MAX = 100;
export const SCHEDULES_MAX = 500;
export const INTERVAL_MS_MIN = 60_000;
export const INTERVAL_MS_MAX = 366 * 24 * 60 * 60_000;
export const CRON_CHARS_MAX = 200;
/** Schedules that one sweep fires. */
export const SCHEDULES_PER_SWEEP = 16;
/** Jobs of a batch: its summary reads each of them. */
export const BATCH_SIZE_MAX = 500;
/** Jobs that one step of a batch submits. */
export const BATCH_STEP = 25;
/** Jobs that one step of a bulk operation looks at, and may change. */
export const BULK_PAGE = 50;
export const TEMPLATE_PARAMETERS_MAX = 50;
/** Versions of one template: they are kept for ever, because whoever names one must find it. */
export const TEMPLATE_VERSIONS_MAX = 1_000;

// -- leases --
/**
 * A lease is what a silently killed executor's jobs wait before they run again. One minute, with
 * three heartbeats in it: two may be lost. A heartbeat each 20 s is 129,600 function calls a month
 * for an executor, an eighth of what a free Convex plan includes.
 */
export const LEASE_MS_DEFAULT = 60_000;
export const LEASE_MS_MIN = 2_000;
export const LEASE_MS_MAX = 15 * 60_000;
export const HEARTBEAT_MS_DEFAULT = 20_000;
/** An executor trusts its lease for this share of it, counted from its last acknowledged heartbeat. */
export const LEASE_TRUST_SHARE = 0.8;
/**
 * An assignment that its executor has not started by then is taken back. As long as a lease: a dead
 * executor is found by its lease, and a shorter time would move the timer with almost every assignment,
 * one write and one run more for each job.
 */
export const START_DEADLINE_MS = 60_000;
/** A running attempt asked to cancel is ended by the backend if it has not ended itself by then. */
export const CANCEL_DEADLINE_MS = 20_000;
/** The backend's own end of a timed-out attempt comes this long after the executor's, which stops it first. */
export const TIMEOUT_GRACE_MS = 30_000;

// -- executors --
export const SLOTS_MAX = 32;
export const EXECUTOR_NAME_CHARS_MAX = 64;
export const LABELS_MAX = 16;
export const LABEL_CHARS_MAX = 64;
export const VERSION_CHARS_MAX = 100;
/** Free slots and jobs that one dispatch pass looks at. */
export const DISPATCH_BATCH = 32;
/** Submissions closer to each other than this are served together, by the dispatcher. */
export const CALM_MS = 5;
/** Executors and jobs that one reclaim pass takes back. */
export const RECLAIM_BATCH = 32;

// -- logs --
/** Characters of one log entry; longer text is cut with a marker by the executor. */
export const LOG_ENTRY_CHARS_MAX = 16_384;
/** Entries in one append call. */
export const LOG_ENTRIES_PER_APPEND_MAX = 500;
/** Characters in one append call. */
export const LOG_APPEND_CHARS_MAX = 256 * 1024;
/** The tail is sealed into a chunk when it would grow past this; a chunk never comes near 1 MiB. */
export const LOG_TAIL_CHARS_MAX = 32 * 1024;
/** What an entry counts beside its text: a tail of empty entries is bounded too. */
export const LOG_ENTRY_OVERHEAD_CHARS = 64;
/** Characters of the id of a tool's call. */
export const LOG_CALL_CHARS_MAX = 100;
/** Sealed chunks that one call reads: half a megabyte of text. */
export const LOG_CHUNKS_PER_READ_MAX = 16;
/** Entries of one attempt; what comes after is dropped and counted. */
export const LOG_ENTRIES_PER_ATTEMPT_MAX = 200_000;
/** Characters of one attempt's log, as its executor counts them. */
export const LOG_CHARS_PER_ATTEMPT_MAX = 64 * 1024 * 1024;
/** Sealed chunks of one attempt: two together are longer than a tail may be, so that all those characters fit. */
export const LOG_CHUNKS_PER_ATTEMPT_MAX = (4 * LOG_CHARS_PER_ATTEMPT_MAX) / LOG_TAIL_CHARS_MAX;

// -- files: checkpoints and artifacts --
/** Bytes of one uploaded part: a lost connection costs no more than this again. */
export const CHECKPOINT_CHUNK_BYTES = 4 * 1024 * 1024;
/** Parts of a transcript that are kept; the executor writes it anew as one before that. */
export const CHECKPOINT_TRANSCRIPT_PARTS_MAX = 48;
/** Parts of a tree: 64 MiB of compressed differences. */
export const CHECKPOINT_TREE_PARTS_MAX = 16;
/** All that one attempt uploads of checkpoints; past it, it goes on without. */
export const CHECKPOINT_BYTES_PER_ATTEMPT_MAX = 512 * 1024 * 1024;
export const CHECKPOINT_CWD_CHARS_MAX = 4_096;
/** Attempts that go on from the same checkpoint; if none comes further, the next starts over. */
export const CHECKPOINT_OFFERS_MAX = 3;
/** Parts of a dropped checkpoint that one step deletes. */
export const CHECKPOINT_CLEAR_BATCH = 32;
/** Upload addresses handed out by one call: a checkpoint of full size needs as many. */
export const UPLOAD_URLS_MAX = CHECKPOINT_TRANSCRIPT_PARTS_MAX + CHECKPOINT_TREE_PARTS_MAX;
/** An upload address lives an hour; a file that nothing refers to by then never will be. */
export const UNATTACHED_FILE_MS = 2 * 60 * 60_000;
/** Files that one step of the sweep looks at. */
export const FILE_SWEEP_BATCH = 64;
/** Artifacts of one attempt, the patch among them. */
export const ARTIFACTS_MAX = 50;
export const ARTIFACT_BYTES_MAX = 64 * 1024 * 1024;
export const ARTIFACTS_BYTES_MAX = 256 * 1024 * 1024;
export const ARTIFACT_NAME_CHARS_MAX = 400;
export const ARTIFACT_PATTERNS_MAX = 20;
export const ARTIFACT_PATTERN_CHARS_MAX = 200;

// -- steering and approvals --
/** Characters of what a person says to a run, or with an answer. */
export const STEERING_CHARS_MAX = 16_384;
/** Commands to one job: its executor reads them all. */
export const STEERING_PER_JOB_MAX = 100;
/** What a run took up so shortly before a checkpoint may not be in it: it is said again. */
export const CHECKPOINT_SLACK_MS = 5_000;
/** Calls of tools that one job may ask about; more are refused without asking. */
export const QUESTIONS_PER_JOB_MAX = 50;
/** Open questions that one list shows. */
export const QUESTIONS_SHOWN_MAX = 100;
export const QUESTION_INPUT_CHARS_MAX = 8_000;
/** Characters of a tool's name, or of the id of its call. */
export const TOOL_CHARS_MAX = 200;
export const APPROVAL_TOOLS_MAX = 20;
export const APPROVAL_TOOL_CHARS_MAX = 200;
/** How long a question waits for its answer. */
export const APPROVAL_MS_DEFAULT = 24 * 60 * 60_000;
export const APPROVAL_MS_MIN = 1_000;
export const APPROVAL_MS_MAX = 30 * 24 * 60 * 60_000;
/** How long an ended job's session can be followed up. */
export const SESSION_KEPT_MS = 3 * 24 * 60 * 60_000;

// -- outcomes --
export const RESULT_CHARS_MAX = 100_000;
/** Denied calls of tools that a report names, and characters of each. */
export const DENIALS_SHOWN_MAX = 20;
export const CALL_CHARS_MAX = 500;
/** Of a job's row, which lists read. */
export const OUTPUT_SCHEMA_CHARS_MAX = 4_096;
export const MESSAGE_CHARS_MAX = 2_000;
export const PATCH_CHARS_MAX = 100_000;
/** Bytes of a patch as an artifact. */
export const PATCH_BYTES_MAX = 16 * 1024 * 1024;
/** Files that a report names one by one. */
export const CHANGED_FILES_MAX = 300;

// -- identity --
export const USERNAME_CHARS_MAX = 32;
export const PASSWORD_CHARS_MIN = 12;
export const PASSWORD_CHARS_MAX = 256;
export const ACCESS_TOKEN_MS = 10 * 60_000;
export const SESSION_MS = 12 * 60 * 60_000;
export const ENROLMENT_MS = 15 * 60_000;
/** A refresh token just replaced is still taken for this long: two tabs may refresh at once. */
export const REFRESH_OVERLAP_MS = 10_000;
/** How far an executor's clock may run ahead of the backend's. */
export const CLOCK_SKEW_MS = 5_000;
/** Expired rows of one kind that one pass removes. */
export const PRUNE_BATCH = 256;
export const TOKEN_CHARS_MAX = 200;
/** Longest life an executor's signed assertion may claim. */
export const ASSERTION_MS_MAX = 60_000;
export const SIGN_IN_FAILURES_MAX = 5;
export const SIGN_IN_LOCK_MS = 15 * 60_000;
/**
 * Audience of the assertion an executor signs to get an access token. Here, away from the validators,
 * so that an executor's bundle does without them.
 */
export const ASSERTION_AUDIENCE = "fondation/executors/token";
/** Audience of the statement by which an executor's key gives way to the next. */
export const ROTATION_AUDIENCE = "fondation/executors/rotateKey";
/** Processes that take an identity from each other so often within this time fight over it. */
export const TAKEOVERS_MAX = 3;
export const TAKEOVERS_MS = 10 * 60_000;

// -- emergency stop --
/** Users and executors that one step of it deals with. */
export const EMERGENCY_USERS_PER_STEP = 100;
export const EMERGENCY_EXECUTORS_PER_STEP = 8;

// -- secrets --
/** Shorter ones are no tokens, and their last four characters would tell too much. */
export const SECRET_CHARS_MIN = 16;
/** An API key, a token, a private key in PEM. */
export const SECRET_CHARS_MAX = 8_192;
export const SECRETS_MAX = 500;
/** Boxes that one step of re-sealing opens and seals. */
export const RESEAL_BATCH = 50;
/** Pages of one table that re-sealing goes through before it takes itself for endless. */
export const RESEAL_PAGES_MAX = 2_000;
/** A sign-in whose password was right waits this long for its one-time code, and takes this many. */
export const CHALLENGE_MS = 5 * 60_000;
export const CHALLENGE_TRIES_MAX = 5;
export const RECOVERY_CODES = 8;
/** Sessions of one user: the oldest ends when one more is opened. */
export const SESSIONS_PER_USER_MAX = 50;
export const SESSION_LABEL_CHARS_MAX = 120;
export const API_KEYS_PER_USER_MAX = 20;
export const API_KEY_NAME_CHARS_MAX = 64;
export const API_KEY_MS_MAX = 366 * 24 * 60 * 60_000;
/** Characters of a field in an audit row: names come from whoever tries to sign in. */
export const AUDIT_FIELD_CHARS_MAX = 200;

/** Lines of the audit in one page of its export. */
export const AUDIT_EXPORT_PAGE = 500;

// -- credentials --
/** Credentials of a deployment; an assignment looks at all that are good. */
export const CREDENTIALS_MAX = 50;
/** Highest limit of attempts that use one credential at once: they are counted one by one. */
export const CREDENTIAL_CONCURRENCY_MAX = 64;
/** Windows of usage that are kept of one credential. */
export const USAGE_WINDOWS_MAX = 8;
/** Characters of the name of a window, or of its status. */
export const WINDOW_NAME_CHARS_MAX = 64;
/** No window of usage is longer: a later reset is cut to this. */
export const RESET_MS_MAX = 8 * 24 * 60 * 60_000;
/** First pause of a credential that was throttled without a time of reset; doubled up to the longest. */
export const THROTTLE_MS_MIN = 30_000;
export const THROTTLE_MS_MAX = 60 * 60_000;
/** Attempts that usage limits may end before the job is given up: they are neither charged nor interruptions. */
export const PARKS_MAX = 100;
/** Jobs that one step lets in when a credential may be used again. */
export const LET_ALL_IN_PER_STEP = 25;

// -- budgets --
export const BUDGETS_MAX = 64;
/** Budgets of one scope: one of each period. */
export const BUDGETS_PER_SCOPE_MAX = 3;
/** Budgets that may bound one attempt: of everybody, its repository, its user, its credential. */
export const BUDGETS_PER_ATTEMPT_MAX = 4 * BUDGETS_PER_SCOPE_MAX;
export const BUDGET_USD_MAX = 1_000_000;
/** What an attempt is expected to cost while none has ended, US dollars. */
export const BUDGET_ESTIMATE_USD = 1;
/** Ends of attempts that a budget takes note of in one step. */
export const SETTLED_PER_STEP = 128;
/** Jobs that wait for a budget, counted up to this. */
export const BUDGET_WAITING_MAX = 20;

// -- arguments --
/** Characters of a text in the arguments of a public function, where LONG_ARGUMENTS names no other. */
export const ARGUMENT_CHARS_MAX = 8_192;
/** Characters of all texts of a call: what a call stores stays below a document of 1 MiB. */
export const ARGUMENT_CHARS_TOTAL_MAX = 1_000_000;
/** Items of a list in arguments. */
export const ARGUMENT_ITEMS_MAX = 1_000;
export const ARGUMENT_DEPTH_MAX = 16;
/** Fields, wherever they stand in arguments, that may hold longer texts. Handlers check further. */
export const LONG_ARGUMENTS: Readonly<Record<string, number>> = {
  prompt: PROMPT_CHARS_MAX,
  /** Of log entries and of templates. */
  text: PROMPT_CHARS_MAX,
  /** Of a tool, in a log entry. */
  input: PROMPT_CHARS_MAX,
  /** Cut, not refused, past RESULT_CHARS_MAX and PATCH_CHARS_MAX: an attempt's end must be told. */
  result: 4 * RESULT_CHARS_MAX,
  structuredOutput: 4 * RESULT_CHARS_MAX,
  patch: 4 * PATCH_CHARS_MAX,
  message: 4 * RESULT_CHARS_MAX,
};

// -- metrics --
/** Events that one step of the roll-up reads. */
export const ROLLUP_EVENTS_MAX = 256;
/** Characters of results and patches after which a step of the roll-up stops early: a fifth of what a transaction may read. */
export const ROLLUP_REPORT_CHARS_MAX = 1_000_000;
/** Keys of each kind (repository, user, model) that a bucket names; the rest is its "other". */
export const SPEND_KEYS_MAX = 20;
/** Characters of a key of spending. */
export const SPEND_KEY_CHARS_MAX = 200;
/** Online executors that a sample counts. */
export const SAMPLE_EXECUTORS_MAX = 100;

// -- alerts --
/** Alerts of one status that one look reads; far above rules times executors. */
export const ALERTS_LIVE_MAX = 500;
/** Online and lost executors, each, that the rules look at. */
export const ALERT_EXECUTORS_MAX = 100;
export const ACKNOWLEDGEMENT_CHARS_MAX = 500;
/** How often a message is tried: the last attempt comes about an hour and a half after the first. */
export const DELIVERY_ATTEMPTS_MAX = 8;
/** How long the webhook may take to answer. */
export const DELIVERY_TIMEOUT_MS = 10_000;
/** An attempt without an answer by then has died. */
export const DELIVERY_MS_MAX = 60_000;
export const DELIVERY_ERROR_CHARS_MAX = 300;
/** A message that is neither sent nor given up by then is stuck. */
export const OUTBOX_AGE_MS_MAX = 3 * 60 * 60_000;
/** Late messages that one look takes up again. */
export const OUTBOX_BATCH = 64;

// -- self-audit --
/** Rows that one page of a part looks at. */
export const AUDIT_JOBS_PAGE = 32;
export const AUDIT_EXECUTORS_PAGE = 8;
export const AUDIT_ROWS_PAGE = 200;
/** Characters of reports after which a page of jobs ends early. */
export const AUDIT_REPORT_CHARS_MAX = 1_000_000;
/** Latest attempts of a job, and last chunks of its log, that a round looks at. */
export const AUDIT_SEEN_ATTEMPTS = 3;
export const AUDIT_CHUNKS = 2;
/** Pages of one part in a round; what exceeds it makes the verdict incomplete. */
export const AUDIT_STEPS_MAX = 500;
export const AUDIT_VIOLATIONS_MAX = 50;
/** A round that has not moved for this long has died. */
export const AUDIT_STALLED_MS = 5 * 60_000;
/** Jobs that one step of a recount counts, and events since the step before that it takes account of. */
export const RECOUNT_JOBS = 1_000;
export const RECOUNT_EVENTS = 200;
/** Steps of a recount in a round: enough for some five million live jobs. */
export const RECOUNT_STEPS_MAX = 5_000;
/** Chunks of one log that an audit of everything reads at once. */
export const LOG_CHUNKS_PER_LOG_MAX = 64;

// -- retention: rows of one step, so that each stays far from what a transaction may read --
export const PRUNE_JOBS = 8;
/** An attempt may carry 600 KB of result and patch. */
export const PRUNE_ATTEMPTS = 8;
export const PRUNE_EVENTS = 256;
/** Commands and questions, of which those of one job more may be deleted: they hold texts. */
export const PRUNE_TALK = 100;
/** A tail or a chunk may have 100 KB. */
export const PRUNE_TAILS = 16;
export const PRUNE_CHUNKS = 32;
/** Steps of one prune by hand. */
export const PRUNE_STEPS_MAX = 2_000;
/** A run that has not moved for this long has died. */
export const PRUNE_STALLED_MS = 10 * 60_000;
