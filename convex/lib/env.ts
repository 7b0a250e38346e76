declare const process: { env: Record<string, string | undefined> };

/** A deployment variable; undefined when it is not set or empty. */
export function find(name: string): string | undefined {
  const value = process.env[name];
  return value === "" ? undefined : value;
}

/** A deployment variable that must be there: its absence is a mistake of set-up, not of the caller. */
export function get(name: string): string {
  const value = find(name);
  if (value === undefined) {
    throw new Error(
      `Deployment variable ${name} is not set: set it with "npx convex env set ${name} …"`,
    );
  }
  return value;
}
