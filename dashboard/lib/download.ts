/** Hands a file to the browser to save. */
export function saveFile(name: string, content: Blob): void {
  const address = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = address;
  // Names come from runs: a path becomes one file name.
  link.download = name.replaceAll(/[^\w.@-]+/g, "-");
  link.click();
  URL.revokeObjectURL(address);
}
