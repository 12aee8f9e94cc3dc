import { describe, expect, it } from 'vitest'
import { createOutputParser } from '../../../src/execution/output/parse.ts'
import type { OutputSource } from '../../../src/execution/output/text.ts'
import { bar, read } from './reading.ts'

describe('the state', () => {
  const lines: [OutputSource, string][] = [
    ['STDERR', bar(10, 30)],
    ['STDOUT', "{'loss': 2.5, 'epoch': 1.0}"],
    ['STDERR', bar(2, 8)],
    ['STDOUT', "{'eval_loss': 2.1, 'epoch': 1.0}"],
    ['STDERR', bar(20, 30)],
    ['STDOUT', "{'loss': 1.5, 'epoch': 2.0}"],
    ['STDOUT', 'Epoch [1/3], Step [600/600], Loss: 2.5'],
    ['STDOUT', 'Epoch [2/3], Step [300/600], Loss: 2.5'],
    ['STDOUT', 'val loss: 2'],
  ]

  it('survives JSON at every line: the rest is read as without a restart', () => {
    const whole = read(lines)
    for (let at = 0; at <= lines.length; at++) {
      const before = read(lines.slice(0, at))
      const stored: unknown = JSON.parse(JSON.stringify(before.parser.state))
      const after = read(lines.slice(at), createOutputParser(stored))
      expect([...before.metrics, ...after.metrics]).toEqual(whole.metrics)
      expect([...before.progress, ...after.progress]).toEqual(whole.progress)
    }
  })

  it.each([[{}], [null], [undefined], ['x'], [{ step: 'many' }]])('begins afresh from %j', (stored) => {
    expect(createOutputParser(stored).state).toEqual(createOutputParser().state)
  })

  it('stays small however many keys come', () => {
    const parser = createOutputParser()
    for (let i = 0; i < 1000; i++) parser.parse(`{"loss/${i}": 1}`, 'STDOUT')
    expect(JSON.stringify(parser.state).length).toBeLessThan(2000)
  })
})
