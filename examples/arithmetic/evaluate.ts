import { type Example, encodeBatch } from './dataset.ts'
import type { Model } from './model.ts'
import { END, type Tokenizer } from './tokenizer.ts'

export interface Evaluation {
  /** Mean negative log likelihood of a character of the answers, in nats. */
  eval_loss: number
  /** Part of the questions whose whole answer was right. */
  eval_accuracy: number
}

/** A question put to the model, and what it said. */
export interface Prediction extends Example {
  predicted: string
}

const BATCH_SIZE = 128

/** Asks every example. None of them changes the model. */
export function evaluate(model: Model, tokenizer: Tokenizer, examples: Example[]): Evaluation {
  let loss = 0
  let targets = 0
  let exact = 0
  for (let at = 0; at < examples.length; at += BATCH_SIZE) {
    const score = model.score(encodeBatch(examples.slice(at, at + BATCH_SIZE), tokenizer))
    loss += score.loss
    targets += score.targets
    exact += score.exact
  }
  return { eval_loss: loss / targets, eval_accuracy: exact / examples.length }
}

/** Writes the answer character by character, always taking the most likely one. */
export function predict(model: Model, tokenizer: Tokenizer, example: Example): Prediction {
  const question = tokenizer.encode(example.question)
  const answer: number[] = []
  while (question.length + answer.length <= model.shape.context) {
    const token = model.next(Int32Array.from([...question, ...answer]))
    if (token === END) break
    answer.push(token)
  }
  return { ...example, predicted: tokenizer.decode(answer) }
}
