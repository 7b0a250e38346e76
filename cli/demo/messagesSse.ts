/** Streams one message as the server-sent events of the Messages API. */
import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { ContentBlock, Message } from "./messagesScript.js";

/** Characters of one delta. */
const PIECE_CHARS = 200;

export type StreamOptions = { chunkDelayMs: number; cutInContent: boolean };

/** Writes the events of a message and ends the answer, or cuts the connection inside its content. */
export async function streamMessage(
  res: ServerResponse,
  message: Message,
  { chunkDelayMs, cutInContent }: StreamOptions,
): Promise<void> {
  for (const { type, data } of eventsOf(message)) {
    if (res.destroyed) return;
    res.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);
    if (type !== "content_block_delta") continue;
    if (cutInContent) {
      res.destroy();
      return;
    }
    if (chunkDelayMs > 0) await sleep(chunkDelayMs);
  }
  res.end();
}

type SseEvent = { type: string; data: Record<string, unknown> };

function* eventsOf(message: Message): Generator<SseEvent> {
  const { content, stop_reason, usage, ...head } = message;
  const started = {
    ...head,
    content: [],
    stop_reason: null,
    usage: { ...usage, output_tokens: 1 },
  };
  yield { type: "message_start", data: { message: started } };
  yield { type: "ping", data: {} };
  for (const [index, block] of content.entries()) yield* eventsOfBlock(block, index);
  yield {
    type: "message_delta",
    data: {
      delta: { stop_reason, stop_sequence: null },
      usage: { output_tokens: usage.output_tokens },
    },
  };
  yield { type: "message_stop", data: {} };
}

function* eventsOfBlock(block: ContentBlock, index: number): Generator<SseEvent> {
  const [empty, whole, delta] =
    block.type === "text"
      ? [{ type: "text", text: "" }, block.text, textDelta]
      : [{ ...block, input: {} }, JSON.stringify(block.input), jsonDelta];
  yield { type: "content_block_start", data: { index, content_block: empty } };
  for (let from = 0; from < Math.max(whole.length, 1); from += PIECE_CHARS) {
    const piece = whole.slice(from, from + PIECE_CHARS);
    yield { type: "content_block_delta", data: { index, delta: delta(piece) } };
  }
  yield { type: "content_block_stop", data: { index } };
}

const textDelta = (text: string): object => ({ type: "text_delta", text });
const jsonDelta = (partial_json: string): object => ({ type: "input_json_delta", partial_json });
