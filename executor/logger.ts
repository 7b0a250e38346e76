export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type LogFields = Record<string, string | number | boolean | undefined>;

/** One JSON line for each decision, on stderr. */
export type Logger = Record<LogLevel, (event: string, fields?: LogFields) => void>;

/** `write` gets whole lines that have been through `redact`: no secret passes this door. */
export function createLogger(options: {
  level: LogLevel;
  write: (line: string) => void;
  redact: (text: string) => string;
}): Logger {
  const threshold = LOG_LEVELS.indexOf(options.level);
  const at =
    (level: LogLevel) =>
    (event: string, fields: LogFields = {}): void => {
      if (LOG_LEVELS.indexOf(level) < threshold) return;
      const line = JSON.stringify({ at: new Date().toISOString(), level, event, ...fields });
      options.write(`${options.redact(line)}\n`);
    };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
