/** An answer of a model server on its way to the client. */
export interface PassingAnswer {
  /** Takes what came from the model server. @returns what goes to the client now */
  take(chunk: Buffer): Buffer
  /** @returns what is left when the model server has ended it */
  end(): Buffer
  /** What it has told so far. */
  usage(): TokenUsage
  /** The message of an error that the model server put into it, after it had begun well. */
  error(): string | null
  /** What tells the client, after a break, that there was one; null where the answer has no place for that. */
  breakNotice(body: object): string | null
}

/** How many tokens a request took. */
export interface TokenUsage {
  promptTokens: number | null
  completionTokens: number | null
}

/** Of an answer that does not tell. */
export const UNKNOWN_USAGE: TokenUsage = { promptTokens: null, completionTokens: null }
