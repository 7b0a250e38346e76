/** Copies text; without https there is no clipboard API, so a selection is copied instead. */
export async function copyText(text: string): Promise<boolean> {
  // Absent on plain http, whatever the types say.
  const clipboard = navigator.clipboard as Clipboard | undefined;
  if (clipboard !== undefined) {
    try {
      await clipboard.writeText(text);
      return true;
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
    }
  }
  return copySelection(text);
}

function copySelection(text: string): boolean {
  const area = document.createElement("textarea");
  area.value = text;
  area.setAttribute("readonly", "");
  area.className = "fixed -top-96";
  const dialog = document.activeElement?.closest("[role=dialog]") ?? document.body;
  const focused = document.activeElement;
  dialog.append(area);
  area.select();
  try {
    // Deprecated, and the only way there is outside of secure contexts.
    // eslint-disable-next-line @typescript-eslint/no-deprecated
    return document.execCommand("copy");
  } finally {
    area.remove();
    if (focused instanceof HTMLElement) focused.focus();
  }
}
