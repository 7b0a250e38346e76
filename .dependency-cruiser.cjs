// Turns the table of ops/importRules.cjs into rules: a folder may reach only what is listed for it.
const { rows, doors, apart } = require("./ops/importRules.cjs");

// _generated/dataModel is declarations alone, which the cruiser leaves unresolved: known by its name.
const DATA_MODEL = "_generated/dataModel\\.js$";
const OURS = `^(convex|executor|cli|embedded|dashboard|ops|tests)/|${DATA_MODEL}`;
const PACKAGE_TYPES = [
  "npm",
  "npm-dev",
  "npm-optional",
  "npm-peer",
  "npm-no-pkg",
  "npm-unknown",
  "core",
];

const exactly = (file) => `^${file.replaceAll(".", "\\.")}$`;
const within = (row) => (row === "convex/*.ts" ? "^convex/[^/]+$" : `^${row}/`);
const anyOf = (folders) =>
  [
    ...folders.map((folder) => `^${folder}/`),
    ...(folders.includes("convex/_generated") ? [DATA_MODEL] : []),
  ].join("|");
// "convex" is the whole package, "convex/values" one of its entry points.
const packagePath = (name) => {
  // A scope is part of the name.
  const [, folder, entry] = /^((?:@[^/]+\/)?[^/]+)(?:\/(.+))?$/.exec(name);
  return `node_modules/${folder}/${entry === undefined ? "" : `.*/${entry}/`}`;
};

const reach = Object.entries(rows).map(([row, { own }]) => ({
  name: `reach: ${row}`,
  severity: "error",
  from: { path: within(row), pathNot: Object.keys(doors).map(exactly) },
  to: { path: OURS, pathNot: row === "convex/*.ts" ? `^convex/|${DATA_MODEL}` : anyOf(own) },
}));
const doorReach = Object.entries(doors).map(([file, more]) => ({
  name: `reach: ${file}`,
  severity: "error",
  from: { path: exactly(file) },
  to: { path: OURS, pathNot: anyOf([...rows[file.split("/")[0]].own, ...more]) },
}));
const packages = Object.entries(rows)
  .filter(([, row]) => row.packages !== null)
  .map(([row, { packages: allowed }]) => ({
    name: `packages: ${row}`,
    severity: "error",
    from: { path: within(row) },
    to: {
      dependencyTypes: PACKAGE_TYPES,
      ...(allowed.length > 0 ? { pathNot: allowed.map(packagePath) } : {}),
    },
  }));
const doorsOfConvex = Object.keys(doors).map((file) => ({
  name: `door: only ${file} opens convex/browser`,
  severity: "error",
  from: { path: `^${file.split("/")[0]}/`, pathNot: exactly(file) },
  to: { path: "node_modules/convex/.*browser" },
}));
const strangers = apart.map((folder) => ({
  name: `apart: ${folder}`,
  severity: "error",
  from: { path: `^${folder}/([^/]+)/` },
  to: { path: `^${folder}/`, pathNot: `^${folder}/$1/` },
}));

module.exports = {
  forbidden: [
    {
      name: "no cycles",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "resolvable",
      severity: "error",
      from: { pathNot: "^convex/_generated/" },
      to: { couldNotResolve: true, pathNot: DATA_MODEL },
    },
    ...reach,
    ...doorReach,
    ...packages,
    ...doorsOfConvex,
    ...strangers,
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.base.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "require", "node", "default", "types"],
      extensions: [".ts", ".tsx", ".js", ".mjs", ".cjs", ".json"],
    },
  },
};
