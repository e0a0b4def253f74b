// The text form of an API key.

/** Whether the text can be a key. Only the server knows whether it is one; this keeps other text out of a header. */
export function isKey(text: string): boolean {
  return text.length <= 256 && /^mr_[\w-]+$/.test(text);
}
