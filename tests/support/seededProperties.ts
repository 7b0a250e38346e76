/**
 * Property tests draw the same values in every run, so that a commit is good or bad and not lucky.
 * FAST_CHECK_SEED=<number> draws others; a failure prints the seed it came from.
 */
import fc from "fast-check";

const SEED_DEFAULT = 20_260_101;

fc.configureGlobal({ seed: Number(process.env["FAST_CHECK_SEED"] ?? SEED_DEFAULT) });
