import { describe, expect, it } from 'vitest'
import { createOutputParser } from '../../../src/execution/output/parse.ts'
import { METRICS_LINES } from './metrics-lines.ts'
import { OTHER_LINES } from './other-lines.ts'
import { bar, read, stepsOf } from './reading.ts'

describe('a single line', () => {
  it.each(METRICS_LINES)('%s', (line, metrics, step, progress) => {
    const output = createOutputParser().parse(line, 'STDOUT')
    const values = Object.fromEntries(output?.metrics.map(({ key, value }) => [key, value]) ?? [])
    expect(values).toEqual(metrics)
    expect(new Set(output?.metrics.map((metric) => metric.step))).toEqual(
      new Set(step === null ? [] : [step]),
    )
    expect(output?.progress).toEqual(progress)
  })

  it.each(OTHER_LINES)('is nothing: %s', (line) => {
    expect(createOutputParser().parse(line, 'STDOUT')).toBeNull()
    expect(createOutputParser().parse(line, 'STDERR')).toBeNull()
  })

  it('joins the keys of nested objects, and leaves out texts and switches', () => {
    const { metrics } = read([
      '{"step":1,"train":{"loss":"0.5","lr":{"group0":1e-4}},"phase":"a","done":true,"x":null}',
    ])
    expect(metrics).toEqual([
      { key: 'train/loss', value: 0.5, step: 1 },
      { key: 'train/lr/group0', value: 1e-4, step: 1 },
    ])
  })

  it('takes the step from the key that is believed most', () => {
    expect(read(['iter 640 step 10: loss 1.5']).last.step).toBe(10)
    expect(read(['{"iter": 640, "global_step": 10, "eval": {"step": 3}, "loss": 1}']).last.step).toBe(10)
  })

  it.each([
    ['{"progress": 0.25}', 0.25],
    ['{"progress": 25}', 0.25],
    ['{"percentage": 0.5}', 0.005],
    ['{"progress": 300}', 1],
    ['{"step": 700, "total_steps": 500}', 1],
  ])('keeps progress between 0 and 1: %s', (line, expected) => {
    expect(read([line]).last.progress).toBe(expected)
  })

  it.each([-1, 1.5, 1e12, Number.NaN])('does not believe that the step is %d', (step) => {
    const { metrics, last } = read([`{"step": ${step}, "loss": 1}`])
    expect(metrics).toEqual([{ key: 'loss', value: 1, step: 1 }])
    expect(last.step).toBeUndefined()
  })

  it('leaves a line over 64 KiB alone', () => {
    expect(createOutputParser().parse(`{"loss": 1, "text": "${'x'.repeat(70_000)}"}`, 'STDOUT')).toBeNull()
  })
})

describe('the steps of lines without one', () => {
  it('come from the last line that had one', () => {
    const { metrics } = read(['{"step": 10, "loss": 1}', '{"eval_loss": 2}', 'step=20 loss=1', 'val_loss: 2'])
    expect(metrics.map(({ key, step }) => [key, step])).toEqual([
      ['loss', 10],
      ['eval_loss', 10],
      ['loss', 20],
      ['val_loss', 20],
    ])
  })

  it('are counted where nothing tells them, once per round of keys', () => {
    const { metrics } = read([
      'train loss: 3',
      'val loss: 4',
      'train loss: 2',
      'val loss: 3',
      'train loss: 1',
    ])
    expect(stepsOf(metrics, 'train_loss')).toEqual([1, 2, 3])
    expect(stepsOf(metrics, 'val_loss')).toEqual([1, 2])
  })

  it("come from the Trainer's bar, whatever evaluates in between", () => {
    const { metrics, progress, last } = read([
      ['STDERR', bar(0, 30)],
      ['STDERR', bar(10, 30)],
      "{'loss': 2.5, 'grad_norm': 1.25, 'learning_rate': 4e-05, 'epoch': 1.0}",
      ['STDERR', bar(0, 8)],
      ['STDERR', bar(8, 8)],
      "{'eval_loss': 2.1, 'eval_runtime': 0.5, 'epoch': 1.0}",
      ['STDERR', bar(20, 30)],
      "{'loss': '1.5', 'grad_norm': 'nan', 'learning_rate': '2e-05', 'epoch': '2.0'}",
      ['STDERR', bar(30, 30)],
      "{'train_runtime': 12.5, 'train_loss': 2.0, 'epoch': 3.0}",
      ['STDERR', bar(3, 8)],
    ])
    expect(stepsOf(metrics, 'loss')).toEqual([10, 20])
    expect(stepsOf(metrics, 'eval_loss')).toEqual([10])
    expect(stepsOf(metrics, 'train_runtime')).toEqual([30])
    const fractions = progress.flatMap((entry) => entry.progress ?? [])
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b))
    expect(last).toEqual({ step: 30, totalSteps: 30, progress: 1, epoch: 3 })
  })
})
