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

/** Where repositories may be: REPOSITORY_HOSTS, and local paths if ALLOW_LOCAL_REPOSITORIES is 1. */
export function allowedRepositories(): { hosts: string[]; local: boolean } {
  const hosts = (find("REPOSITORY_HOSTS") ?? "github.com").split(",");
  return {
    hosts: hosts.map((host) => host.trim().toLowerCase()).filter((host) => host !== ""),
    local: find("ALLOW_LOCAL_REPOSITORIES") === "1",
  };
}
