/** Upper bounds of one WebSocket. A client that passes one gets a FatalError and is cut off. */
export const syncLimits = {
  /** Bytes of one inbound message: the 16 MiB of arguments plus room for the envelope. */
  messageBytesMax: 20 * 1024 * 1024,
  /** Mutations received and not yet answered. */
  unresolvedMutationsMax: 1_000,
  /** Actions received and not yet answered. */
  runningActionsMax: 1_000,
  /** Queries one socket may hold open. */
  queriesMax: 4_096,
  /** Modifications in one ModifyQuerySet; a reconnect sends the whole query set at once. */
  modificationsMax: 4_096,
  /** Inbound messages waiting for their turn. */
  inboundQueueMax: 5_000,
  /**
   * Characters of messages received and not yet dealt with; at this many the socket is read no more
   * until there are fewer. One message may pass it.
   */
  waitingCharsMax: 32 * 1024 * 1024,
  /** Bytes sent and not yet taken by the client; at this many its next message waits. */
  untakenBytesMax: 8 * 1024 * 1024,
  /** Of a FatalError's reason, which may quote the client. */
  refusalChars: 500,
  /** Queries of one Transition that run at the same time. */
  concurrentQueriesMax: 16,
  /** Transitions handed to the socket and not yet written by it. */
  unsentTransitionsMax: 2,
  /** A Transition longer than this many characters travels in chunks of this size. */
  transitionChunkChars: 5_000_000,
  /** At shutdown, how long a client may take to answer the close. */
  closeMsMax: 1_000,
  /** Pings keep proxies from cutting an idle socket. */
  pingEveryMs: 15_000,
  /** A socket that was silent for this long is dead; the pong of each ping counts as a sign of life. */
  silentMaxMs: 120_000,
} as const;
