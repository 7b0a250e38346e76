/** Names of functions: how callers write them and how they are kept. */
import { UserError } from "../engine/errors.js";

/** `module` as in the bundle, "dir/file.js"; `name` of the export. */
export type FunctionPath = { module: string; name: string };

/** "jobs", "jobs:get" and "jobs.js:get" are ways to write the same. */
export function parsePath(path: string): FunctionPath {
  const colon = path.lastIndexOf(":");
  const file = colon === -1 ? path : path.slice(0, colon);
  const name = colon === -1 ? "default" : path.slice(colon + 1);
  return { module: file.endsWith(".js") ? file : `${file}.js`, name };
}

/** "dir/file:fn", as people read it. */
export const displayPath = ({ module, name }: FunctionPath): string =>
  `${module.slice(0, -".js".length)}:${name}`;

/** "dir/file.js:fn", as it is stored. */
export const storedPath = ({ module, name }: FunctionPath): string => `${module}:${name}`;

export type FunctionAddress = { name?: string; reference?: string; functionHandle?: string };

const HANDLE = /^function:\/\/([^#]*)#(.+)$/;
const REFERENCE_PREFIX = "_reference/function/";

/** Handles name the function itself, so they stay good across deployments. */
export const handleOf = (path: FunctionPath): string => `function://root#${storedPath(path)}`;

/** Throws UserError for references into components, which are not supported yet. */
export function resolveAddress(address: FunctionAddress): FunctionPath {
  if (address.functionHandle !== undefined) {
    const match = HANDLE.exec(address.functionHandle);
    if (match?.[1] !== "root" || match[2] === undefined) {
      throw new UserError(
        "InvalidFunctionHandle",
        `Invalid function handle: ${address.functionHandle}`,
      );
    }
    return parsePath(match[2]);
  }
  if (address.name !== undefined) return parsePath(address.name);
  if (address.reference?.startsWith(REFERENCE_PREFIX) === true) {
    return parsePath(address.reference.slice(REFERENCE_PREFIX.length));
  }
  throw new UserError(
    "ComponentsUnsupported",
    `Cannot resolve ${address.reference ?? "a function without name"}: the embedded backend does not support components yet.`,
  );
}
