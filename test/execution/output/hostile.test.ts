import { describe, expect, it } from 'vitest'
import { createOutputParser } from '../../../src/execution/output/parse.ts'
import { read } from './reading.ts'

describe('hostile lines', () => {
  const pieces = [
    ...[
      'a',
      '=',
      '1',
      ' ',
      '{',
      '{"',
      "{'a':",
      '[',
      '(',
      '"',
      "'",
      '\\"',
      'a: ',
      'step=1 ',
      'loss ',
      '1,',
      '1/',
      '1:',
    ],
    ...[
      '%|',
      '100%|█| 1/2 [',
      'loss=[1, ',
      'tensor(',
      '[[',
      '|',
      'Epoch 1/3 ',
      '\u001b[',
      '\u001b]',
      'inf ',
      '[INFO] ',
    ],
    ...['{"a":NaN,', 'a (b) ', 'days, ', '10:00:00 ', 'x=y', '\\', '\r', '\0', '漢', '\ud800'],
  ]

  it.each(pieces)('do not hang the parser: %j', (piece) => {
    for (const start of ['', 'step=1 loss=2 ', '{', "{'loss': ", '[x] ']) {
      for (const end of ['', '}', ' loss=1']) {
        for (const size of [4_000, 65_400]) {
          const line = start + piece.repeat(Math.floor(size / piece.length)) + end
          const parser = createOutputParser()
          for (const { value } of parser.parse(line, 'STDOUT')?.metrics ?? [])
            expect(value).toBeTypeOf('number')
          parser.parseLive(line)
        }
      }
    }
  })

  it('do not overflow the stack', () => {
    for (const open of ["{'a':", '{"a":', "{'a': [", "{'a': ("]) {
      expect(createOutputParser().parse(open.repeat(10_000), 'STDOUT')).toBeNull()
      expect(createOutputParser().parse(`${open.repeat(9_000)}1${'}'.repeat(9_000)}`, 'STDOUT')).toBeNull()
    }
  })

  it('do not reach prototypes', () => {
    const { metrics } = read(['{"__proto__": {"loss": 1}, "constructor": 2, "step": 3, "toString": 4}'])
    expect(metrics.map(({ key }) => key)).toEqual(['__proto__/loss', 'constructor', 'toString'])
    expect(read(["{'__proto__': 1, 'constructor': 2, 'loss': 3}"]).metrics).toHaveLength(3)
    expect(read(['toString=1 constructor=2 step=1 __proto__=3']).last.step).toBe(1)
  })
})
