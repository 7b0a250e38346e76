/** The modules of a component as `import.meta.glob` lists them, imported when first needed. */
export type ModuleExports = Readonly<Record<string, unknown>>;
export type Glob = Readonly<Record<string, () => Promise<unknown>>>;

const GENERATED = "_generated";

export class ModuleMap {
  readonly #loaders = new Map<string, () => Promise<unknown>>();

  /**
   * Paths in `glob` are told from the folder that holds `_generated`. Throws when none of them is
   * in there: then nobody can say where the functions begin.
   */
  constructor(glob: Glob) {
    const generated = Object.keys(glob).find((path) => path.includes(GENERATED));
    if (generated === undefined) {
      throw new Error(
        `Could not find the "${GENERATED}" directory among the modules: run \`npx convex codegen\`, and give convexTest an import.meta.glob that includes it.`,
      );
    }
    const root = generated.slice(0, generated.indexOf(GENERATED));
    for (const [path, load] of Object.entries(glob)) {
      if (path.startsWith(root)) {
        this.#loaders.set(withoutExtension(path.slice(root.length)), load);
      }
    }
  }

  /** `module` as in the bundle: "dir/file.js". */
  has(module: string): boolean {
    return this.#loaders.has(withoutExtension(module));
  }

  /** Rejects when there is no such module, or with what it throws while imported. */
  async load(module: string): Promise<ModuleExports> {
    const name = withoutExtension(module);
    const load = this.#loaders.get(name);
    if (load === undefined) throw new Error(`Could not find module for: "${name}"`);
    // A module namespace is an object.
    return (await load()) as ModuleExports;
  }
}

const withoutExtension = (path: string): string => path.replace(/\.[^.]+$/, "");
