import type { FunctionArgs, FunctionReturnType } from "convex/server";
import { expectTypeOf, test } from "vitest";
import type { api } from "../../convex/_generated/api.js";
import type { Id } from "../../convex/_generated/dataModel.js";
import type { EventKind, Row } from "../../convex/domain/lifecycle.js";
import type { Assignment, HeartbeatReply, Work } from "../../convex/protocol/executor.js";
import type { JobStateKind } from "../../convex/protocol/job.js";
import type { JobDetail, SignInReply } from "../../convex/protocol/view.js";

test("the generated api answers what the protocol says", () => {
  expectTypeOf<FunctionReturnType<typeof api.jobs.get>>().toEqualTypeOf<JobDetail>();
  expectTypeOf<FunctionReturnType<typeof api.auth.signIn>>().toEqualTypeOf<SignInReply>();
  expectTypeOf<FunctionReturnType<typeof api.executors.start>>().toEqualTypeOf<Work>();
  expectTypeOf<FunctionReturnType<typeof api.executors.assignments>>().toEqualTypeOf<
    Assignment[]
  >();
  expectTypeOf<
    FunctionReturnType<typeof api.executors.heartbeat>
  >().toEqualTypeOf<HeartbeatReply>();
});

test("every write of an attempt carries its token", () => {
  type Claim = { jobId: Id<"jobs">; token: number };
  expectTypeOf<FunctionArgs<typeof api.executors.start>>().toExtend<Claim>();
  expectTypeOf<FunctionArgs<typeof api.executors.phase>>().toExtend<Claim>();
  expectTypeOf<FunctionArgs<typeof api.executors.finish>>().toExtend<Claim>();
  expectTypeOf<FunctionArgs<typeof api.logs.append>>().toExtend<Claim>();
});

test("the table's rows are the states, held, asking and canceling", () => {
  expectTypeOf<Row>().toEqualTypeOf<JobStateKind | "held" | "asking" | "canceling">();
  expectTypeOf<"assign">().toExtend<EventKind>();
});
