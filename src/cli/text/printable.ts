/**
 * Characters that would steer the terminal instead of being seen: controls, among them those that begin escape sequences, and those
 * that reverse the direction of text.
 */
const STEERING = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/**
 * Makes text that came from somewhere else safe to print on one line. Whoever reports a state chooses its message, and must not be able
 * to repaint the terminal of whoever reads it.
 */
export function printable(text: string): string {
  return text.replace(STEERING, (character) => {
    if (character === "\n" || character === "\t" || character === "\r") return " ";
    const code = character.charCodeAt(0);
    return code <= 0xff ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16)}`;
  });
}
