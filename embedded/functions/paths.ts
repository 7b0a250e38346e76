/** Names of functions: how callers write them and how they are kept. */
import { UserError } from "../engine/errors.js";

/** `module` as in the bundle, "dir/file.js"; `name` of the export. */
export type FunctionPath = { module: string; name: string };
/** A function of one component instance, as found from an address. */
export type FunctionTarget = {
  /** "" is the root, "a/b" the child b of the root's child a. */
  componentPath: string;
  path: FunctionPath;
  /** Parents reach only what a component makes public. */
  isPublicOnly: boolean;
};

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

/** The path of a child by its name in its parent. */
export const childPath = (parent: string, name: string): string =>
  parent === "" ? name : `${parent}/${name}`;

export type FunctionAddress = { name?: string; reference?: string; functionHandle?: string };

const HANDLE = /^function:\/\/root(?:\/([^#]+))?#(.+)$/;
const FUNCTION_REFERENCE = "_reference/function/";
const CHILD_REFERENCE = "_reference/childComponent/";

/** Handles name the instance and the function, so they stay good across deployments. */
export function handleOf({ componentPath, path }: FunctionTarget): string {
  const instance = componentPath === "" ? "root" : `root/${componentPath}`;
  return `function://${instance}#${storedPath(path)}`;
}

/**
 * What an address means to a function of the component `from`. Syntax alone: whether there is such
 * a function is the registry's affair. Throws UserError.
 */
export function resolveAddress(address: FunctionAddress, from: string): FunctionTarget {
  if (address.functionHandle !== undefined) return ofHandle(address.functionHandle);
  if (address.name !== undefined) {
    return { componentPath: from, path: parsePath(address.name), isPublicOnly: false };
  }
  const { reference } = address;
  if (reference?.startsWith(FUNCTION_REFERENCE) === true) {
    const path = parsePath(reference.slice(FUNCTION_REFERENCE.length));
    return { componentPath: from, path, isPublicOnly: false };
  }
  if (reference?.startsWith(CHILD_REFERENCE) === true) {
    return ofChild(reference.slice(CHILD_REFERENCE.length).split("/"), from);
  }
  throw new UserError(
    "InvalidReference",
    `Cannot resolve ${reference ?? "a function without name"}: expected a function's name, reference or handle.`,
  );
}

function ofHandle(handle: string): FunctionTarget {
  const match = HANDLE.exec(handle);
  if (match?.[2] === undefined) {
    throw new UserError("InvalidFunctionHandle", `Invalid function handle: ${handle}`);
  }
  return { componentPath: match[1] ?? "", path: parsePath(match[2]), isPublicOnly: false };
}

/** `name/dir/file/fn`: an exported function of a child. */
function ofChild(segments: readonly string[], from: string): FunctionTarget {
  const [child, ...rest] = segments;
  const name = rest.at(-1);
  const file = rest.slice(0, -1).join("/");
  if (child === undefined || name === undefined || file === "") {
    throw new UserError(
      "InvalidReference",
      `Cannot resolve ${CHILD_REFERENCE}${segments.join("/")}: it names no function of the component.`,
    );
  }
  return {
    componentPath: childPath(from, child),
    path: { module: `${file}.js`, name },
    isPublicOnly: true,
  };
}
