import { PushError } from "./deployment.js";

const VARIABLES_MAX = 512;
const NAME_CHARS_MAX = 256;
const VALUE_BYTES_MAX = 8 * 1024;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Throws PushError when the variables would break a rule; nothing is changed then. */
export function assertEnvironmentChange(
  changes: readonly { name: string; value: string | null }[],
  next: Readonly<Record<string, string>>,
  reserved: Readonly<Record<string, string>>,
): void {
  for (const { name, value } of changes) {
    if (
      Object.hasOwn(reserved, name) ||
      name === "CONVEX_CLOUD_URL" ||
      name === "CONVEX_SITE_URL"
    ) {
      throw refused(`Environment variable "${name}" is set by the backend and cannot be changed.`);
    }
    if (!NAME.test(name) || name.length > NAME_CHARS_MAX) {
      throw refused(
        `Environment variable name "${name.slice(0, NAME_CHARS_MAX)}" is not allowed: use up to ${NAME_CHARS_MAX} letters, digits and underscores, not starting with a digit.`,
      );
    }
    if (value !== null && Buffer.byteLength(value) > VALUE_BYTES_MAX) {
      throw refused(`The value of "${name}" is larger than ${VALUE_BYTES_MAX} bytes.`);
    }
  }
  if (Object.keys(next).length > VARIABLES_MAX) {
    throw refused(`A deployment may have at most ${VARIABLES_MAX} environment variables.`);
  }
}

const refused = (message: string): PushError => new PushError("EnvVarRefused", message);
