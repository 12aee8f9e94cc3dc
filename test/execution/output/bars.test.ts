import { describe, expect, it } from 'vitest'
import { createOutputParser } from '../../../src/execution/output/parse.ts'
import { bar, read, stepsOf } from './reading.ts'

describe('progress bars', () => {
  it.each([
    ...[
      'Map',
      'Map (num_proc=8)',
      'Loading checkpoint shards',
      'Generating train split',
      'Evaluating',
      'Validation',
    ],
    ...[
      'Tokenizing train dataset',
      'Running tokenizer on dataset',
      'Downloading shards',
      'Sanity Checking DataLoader 0',
    ],
    ...['Epoch 1 validation', 'Filter', 'Saving', 'Train eval'],
  ])('of something else are ignored: %s', (description) => {
    expect(read([bar(3, 10, { description })]).progress).toEqual([])
  })

  it.each(['', 'Training', 'train', 'Steps', 'Train steps', 'Training progress', 'Iteration', 'Fine-tuning'])(
    'of the training give step and total: "%s"',
    (description) => {
      expect(read([bar(3, 12, { description })]).last).toEqual({ step: 3, totalSteps: 12, progress: 0.25 })
    },
  )

  it('are not moved by an evaluation that counts to the same total', () => {
    expect(read([bar(5, 10), 'loss: 2', bar(1, 10), bar(4, 10)]).last.step).toBe(5)
  })

  it('give way to the training when something before it had a bar too', () => {
    const { last } = read([bar(0, 1000), bar(1000, 1000), bar(0, 50), bar(10, 50)])
    expect(last).toEqual({ step: 10, totalSteps: 50, progress: 0.2 })
  })

  it('that count to the announced total are the training', () => {
    const { last } = read(['  Total optimization steps = 500', bar(5, 13), bar(100, 500), bar(6, 13)])
    expect(last).toEqual({ step: 100, totalSteps: 500, progress: 0.2 })
  })

  it('of epochs are counted through', () => {
    const epochs = (epoch: number, n: number) => bar(n, 100, { description: `Epoch ${epoch}/4` })
    const { progress } = read([epochs(1, 50), epochs(1, 100), epochs(2, 50)])
    expect(progress.at(-1)).toEqual({ step: 150, totalSteps: 400, progress: 0.375, epoch: 2 })
  })

  it('begin with epoch 0 in Lightning, whose metrics are taken once a step', () => {
    const line = (epoch: number, n: number, loss: number) =>
      bar(n, 100, { description: `Epoch ${epoch}`, postfix: `v_num=3, train_loss=${loss}` })
    const { metrics, last } = read([line(0, 99, 2), line(0, 100, 1.5), line(0, 100, 1.5), line(1, 1, 1)])
    expect(metrics).toEqual([
      { key: 'train_loss', value: 2, step: 99 },
      { key: 'train_loss', value: 1.5, step: 100 },
      { key: 'train_loss', value: 1, step: 101 },
    ])
    expect(last).toEqual({ step: 101, epoch: 1 })
  })

  it('inside of a bar of epochs count to the product', () => {
    const { last } = read([
      bar(0, 3, { description: 'Epoch' }),
      bar(50, 50, { description: 'Iteration' }),
      bar(1, 3, { description: 'Epoch' }),
      bar(25, 50, { description: 'Iteration' }),
    ])
    expect(last).toEqual({ step: 75, totalSteps: 150, progress: 0.5, epoch: 1 })
  })

  it('without a description, one per epoch, keep the steps rising', () => {
    const { metrics } = read([bar(10, 10), 'loss: 2', bar(1, 10), bar(10, 10), 'loss: 1'])
    expect(stepsOf(metrics, 'loss')).toEqual([10, 20])
  })

  it('of torchtune give metrics with the global step', () => {
    const line = (step: number, n: number, loss: number) =>
      bar(n, 20, { description: `2|${step}|Loss: ${loss}` })
    const { metrics, last } = read([line(21, 1, 1.5), line(21, 1, 1.5), line(22, 2, 1.25)])
    expect(metrics).toEqual([
      { key: 'loss', value: 1.5, step: 21 },
      { key: 'loss', value: 1.25, step: 22 },
    ])
    expect(last).toMatchObject({ step: 22, epoch: 2 })
  })

  it('do not give the step where lines do', () => {
    const { metrics, last } = read([bar(64, 640), '{"step": 4, "loss": 2}', bar(128, 640), '{"loss": 1}'])
    expect(stepsOf(metrics, 'loss')).toEqual([4, 4])
    expect(last.step).toBe(4)
  })

  it('that are cut say nothing', () => {
    const whole = bar(15, 500, { description: 'Training', postfix: 'loss=0.53' })
    for (let length = 0; length < whole.length; length++) {
      expect(createOutputParser().parse(whole.slice(0, length), 'STDERR')).toBeNull()
    }
    expect(createOutputParser().parse(whole, 'STDERR')).not.toBeNull()
  })

  it('may be read while their line is unfinished, again and again', () => {
    const parser = createOutputParser()
    const line = bar(15, 500, { description: 'Training', postfix: 'loss=0.53' })
    const expected = { step: 15, totalSteps: 500, progress: 0.03 }
    expect(parser.parseLive(line)).toEqual(expected)
    expect(parser.parseLive(line)).toEqual(expected)
    expect(parser.parse(line, 'STDERR')).toEqual({
      metrics: [{ key: 'loss', value: 0.53, step: 15 }],
      progress: expected,
    })
    expect(parser.parseLive('step=100 loss=0.5')).toBeNull()
  })
})

describe('steps within an epoch', () => {
  it('are counted through once they begin again', () => {
    const line = (epoch: number, step: number) => `Epoch [${epoch}/3], Step [${step}/600], Loss: 2.5`
    const { metrics, last } = read([line(1, 300), line(1, 600), line(2, 300), line(2, 600), line(3, 300)])
    expect(stepsOf(metrics, 'loss')).toEqual([300, 600, 900, 1200, 1500])
    expect(last).toEqual({ epoch: 3, step: 1500, totalSteps: 1800, progress: 1500 / 1800 })
  })

  it('stay as they are where they go on', () => {
    const line = (epoch: number, step: number) => `Epoch ${epoch}/2, step ${step}/500, loss 0.53`
    expect(read([line(1, 250), line(2, 251), line(2, 500)]).last).toEqual({
      epoch: 2,
      step: 500,
      totalSteps: 500,
      progress: 1,
    })
  })
})
