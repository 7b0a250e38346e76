import type { SignInBackend } from "./http.js";
import { currentSession, keepSession, type Session } from "./tokens.js";

/** A token that ends sooner than this is renewed before it is used. */
const SPARE_MS = 30_000;

/** Hands out access tokens; renews one at a time, however many ask. */
export class AccessTokens {
  private readonly backend: SignInBackend;
  private renewing: Promise<string | null> | undefined;

  constructor(backend: SignInBackend) {
    this.backend = backend;
  }

  /** A token; null when the session has ended. The newest one there is when the backend is away. */
  async get({ forceRefreshToken }: { forceRefreshToken: boolean }): Promise<string | null> {
    const session = currentSession();
    if (session === null) return null;
    if (!forceRefreshToken && session.expiresAt - Date.now() > SPARE_MS) return session.accessToken;
    this.renewing ??= this.renew(session).finally(() => {
      this.renewing = undefined;
    });
    return this.renewing;
  }

  private async renew(session: Session): Promise<string | null> {
    try {
      const reply = await this.backend.refresh(session.refreshToken);
      if (reply.ok) {
        const { accessToken, refreshToken, expiresAt } = reply;
        // Signed out meanwhile, here or in another tab: the new tokens are not kept.
        if (currentSession() === null) return null;
        keepSession({ accessToken, refreshToken, expiresAt });
        return accessToken;
      }
      // Another tab renewed first: its session counts, not the refusal of ours.
      const now = currentSession();
      if (now !== null && now.refreshToken !== session.refreshToken) return now.accessToken;
      if (reply.code === "UNAUTHENTICATED") keepSession(null);
      return null;
    } catch (error) {
      // No answer is no refusal: the old token is sent, refused in time, and this is asked again.
      if (error instanceof TypeError) return session.accessToken;
      throw error;
    }
  }
}
