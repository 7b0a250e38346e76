/** What every answer of the dashboard's server says to the browser. */

/**
 * Only what the page itself serves may run or be shown, and it talks to nobody but itself and the backend.
 * React sets styles by the DOM, which `style-src 'self'` allows.
 */
export function securityHeaders(backendUrl: string): Record<string, string> {
  const { origin, protocol, host } = new URL(backendUrl);
  const socket = `${protocol === "https:" ? "wss:" : "ws:"}//${host}`;
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "font-src 'self'",
    `connect-src 'self' ${origin} ${socket}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return {
    "content-security-policy": policy.join("; "),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
  };
}
