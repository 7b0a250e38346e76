/** Local storage that may be switched off or full: then nothing is remembered, and nothing breaks. */
const PREFIX = "fondation.";

export function readStored(name: string): string | null {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
}

export function writeStored(name: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, value);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
  }
}

/** Calls back when another tab changes the value. */
export function watchStored(name: string, onChange: (value: string | null) => void): () => void {
  const listener = (event: StorageEvent): void => {
    if (event.key === PREFIX + name) onChange(event.newValue);
  };
  addEventListener("storage", listener);
  return () => {
    removeEventListener("storage", listener);
  };
}
