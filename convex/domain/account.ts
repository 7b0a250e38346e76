import { PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, USERNAME_CHARS_MAX } from "../protocol/limits.js";
import { type Checked, passed, refused } from "./checked.js";

/** The form in which a user name is kept and looked up. */
export function normalizeUsername(typed: string): string {
  return typed
    .slice(0, 4 * USERNAME_CHARS_MAX)
    .normalize("NFKC")
    .trim()
    .toLowerCase();
}

/** Checks the name of a user to be made. */
export function checkUsername(typed: string): Checked<string> {
  const username = normalizeUsername(typed);
  if (username.length <= USERNAME_CHARS_MAX && /^[a-z0-9][a-z0-9._-]+$/.test(username)) {
    return passed(username);
  }
  return refused(
    `A user name is 2 to ${USERNAME_CHARS_MAX} letters, digits, '.', '_' and '-', a letter or digit first.`,
  );
}

/** Checks a password to be set. */
export function checkPassword(password: string): Checked<string> {
  const { length } = password;
  if (length < PASSWORD_CHARS_MIN || length > PASSWORD_CHARS_MAX) {
    return refused(`A password has ${PASSWORD_CHARS_MIN} to ${PASSWORD_CHARS_MAX} characters.`);
  }
  if (password.includes("\0")) return refused("A password must not have a NUL character.");
  return passed(password);
}
