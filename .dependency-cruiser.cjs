// Who may import whom. The table of docs/architecture.md, as rules: a folder may reach only what is
// listed for it. Each row has a fixture under tests/gates/fixtures that must be refused.
const rows = {
  "convex/protocol": { own: ["convex/protocol"], packages: ["convex"] },
  "convex/domain": { own: ["convex/domain", "convex/protocol"], packages: [] },
  "convex/lib": {
    own: ["convex/lib", "convex/protocol", "convex/_generated"],
    packages: ["convex", "convex-helpers"],
  },
  "convex/model": {
    own: ["convex/model", "convex/domain", "convex/lib", "convex/protocol", "convex/_generated"],
    packages: ["convex", "convex-helpers"],
  },
  "convex/[^/]+$": { own: ["convex"], packages: ["convex", "convex-helpers"] },
  executor: { own: ["executor", "convex/protocol"], packages: null },
  cli: { own: ["cli", "convex/protocol"], packages: null },
  embedded: { own: ["embedded"], packages: null },
};
const doors = {
  "executor/backend.ts": ["convex/_generated"],
  "cli/backend.ts": ["convex/_generated"],
};
const any = (list) => list.map((p) => `^${p}/`).join("|");
const reach = Object.entries(rows).map(([from, { own }]) => ({
  name: `reach: ${from.replace("/[^/]+$", "/*.ts")}`,
  severity: "error",
  from: {
    path: `^${from}${from.endsWith("$") ? "" : "/"}`,
    pathNot: Object.keys(doors).map((d) => `^${d.replace(".", "\\.")}$`),
  },
  to: { path: "^(convex|executor|cli|embedded|dashboard|ops|tests)/", pathNot: any(own) },
}));
const doorRules = Object.entries(doors).map(([file, more]) => ({
  name: `reach: ${file}`,
  severity: "error",
  from: { path: `^${file.replace(".", "\\.")}$` },
  to: {
    path: "^(convex|executor|cli|embedded|dashboard|ops|tests)/",
    pathNot: any([...rows[file.split("/")[0]].own, ...more]),
  },
}));
const packageRules = Object.entries(rows)
  .filter(([, { packages }]) => packages !== null)
  .map(([from, { packages }]) => ({
    name: `packages: ${from.replace("/[^/]+$", "/*.ts")}`,
    severity: "error",
    from: { path: `^${from}${from.endsWith("$") ? "" : "/"}` },
    to: {
      dependencyTypes: ["npm", "npm-dev", "npm-optional", "npm-peer", "npm-no-pkg", "core"],
      ...(packages.length > 0 ? { pathNot: packages.map((p) => `node_modules/${p}/`) } : {}),
    },
  }));
const convexDoor = (folder, file) => ({
  name: `door: only ${file} opens convex/browser`,
  severity: "error",
  from: { path: `^${folder}/`, pathNot: `^${file.replace(".", "\\.")}$` },
  to: { path: "node_modules/convex/.*browser" },
});

module.exports = {
  forbidden: [
    {
      name: "no cycles",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    { name: "resolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
    ...reach,
    ...doorRules,
    ...packageRules,
    convexDoor("executor", "executor/backend.ts"),
    convexDoor("cli", "cli/backend.ts"),
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.base.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "require", "node", "default", "types"],
      extensions: [".ts", ".tsx", ".js", ".mjs", ".cjs", ".json"],
      extensionAlias: { ".js": [".ts", ".tsx", ".js"] },
    },
  },
};
