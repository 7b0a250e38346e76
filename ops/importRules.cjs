// Who may import whom: the one table behind .dependency-cruiser.cjs (which refuses the rest), behind the
// table in docs/architecture.md (`node ops/docs.mjs`), and behind the fixtures of tests/gates.

/** Folder or files → what of this repository it may reach, and which packages (null: any). */
const rows = {
  "convex/protocol": { own: ["convex/protocol"], packages: ["convex/values"] },
  "convex/domain": { own: ["convex/domain", "convex/protocol"], packages: [] },
  "convex/lib": {
    own: ["convex/lib", "convex/protocol", "convex/_generated"],
    packages: ["convex", "convex-helpers", "otpauth"],
  },
  "convex/model": {
    own: ["convex/model", "convex/domain", "convex/lib", "convex/protocol", "convex/_generated"],
    packages: ["convex", "convex-helpers", "@convex-dev/rate-limiter"],
  },
  "convex/*.ts": {
    own: ["convex"],
    packages: ["convex", "convex-helpers", "@convex-dev/rate-limiter"],
  },
  executor: { own: ["executor", "convex/protocol"], packages: null },
  cli: { own: ["cli", "convex/protocol"], packages: null },
  embedded: { own: ["embedded"], packages: null },
  dashboard: { own: ["dashboard", "convex/protocol", "convex/_generated"], packages: null },
  "dashboard/lib": { own: ["dashboard/lib", "convex/protocol"], packages: null },
  "dashboard/ui": { own: ["dashboard/ui", "dashboard/lib", "convex/protocol"], packages: null },
  "dashboard/session": {
    own: ["dashboard/session", "dashboard/lib", "convex/protocol", "convex/_generated"],
    packages: null,
  },
  "dashboard/features": {
    own: [
      "dashboard/features",
      "dashboard/session",
      "dashboard/ui",
      "dashboard/lib",
      "convex/protocol",
      "convex/_generated",
    ],
    packages: null,
  },
};

/** The one file of a folder that may also reach these, and alone opens `convex/browser`. */
const doors = {
  "executor/backend.ts": ["convex/_generated"],
  "cli/backend.ts": ["convex/_generated"],
  "dashboard/session/http.ts": ["convex/_generated"],
};

/** Folders whose own folders know nothing of each other. */
const apart = ["dashboard/features"];

module.exports = { rows, doors, apart };
