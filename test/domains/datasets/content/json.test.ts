import { describe, expect, test } from 'vitest'
import { complaint, steadyComplaint, steadyLine } from './complaint.ts'

describe('JSON Lines', () => {
  test.each([
    ['objects and arrays', '{"a":1}\n[1,2]\n'],
    ['no line feed at the end', '{"a":1}\n{"a":2}'],
    ['blank lines', '\n{"a":1}\n  \t\n\r\n{"a":2}\n\n'],
    ['lines that end as on Windows', '{"a":1}\r\n{"a":2}\r\n'],
    ['line separators inside strings', '{"a":"x\u2028y\u0085z"}\n{}'],
  ])('%s are fine', async (_, content) => {
    expect(await steadyComplaint('a.jsonl', content)).toBeNull()
  })

  test.each([
    ['{"a":1}\n\n{"a":}\n', `line 3: this is not valid JSON: Unexpected token '}'`],
    [
      '{"é":"🚂"}\r\n{"a" 1}\r\n',
      `line 2: this is not valid JSON: Expected ':' after property name (column 6)`,
    ],
    [
      '{"a":1}{"b":2}\n',
      'line 1: this is not valid JSON: Unexpected non-whitespace character after JSON (column 8)',
    ],
    ['{"a":\n1}\n', 'line 1: this is not valid JSON: the line ends in the middle of a value'],
    ['{}\n{"a":"cut', 'line 2: this is not valid JSON: the line ends in the middle of a value'],
    ['{}\n42\n', 'line 2: each line must hold a JSON object or array, and this begins with "42"'],
    ['{}\n"text"\n', 'line 2: each line must hold a JSON object or array, and this begins with "\\"text\\""'],
    ['{}\nnull', 'line 2: each line must hold a JSON object or array, and this begins with "null"'],
    [
      'name,value\n1,2\n',
      'line 1: each line must hold a JSON object or array, and this begins with "name,value"',
    ],
    ['\n \n', 'The file holds no records, only blank lines.'],
  ])('%j is refused', async (content, expected) => {
    expect(await steadyComplaint('a.jsonl', content)).toBe(expected)
  })

  test('a line is limited to 16 MiB', async () => {
    const limit = 16 * 1024 * 1024
    const fits = `{}\n["${'x'.repeat(limit - 4)}"]\n`
    expect(await complaint('a.jsonl', fits)).toBeNull()
    expect(await complaint('a.jsonl', fits.replace('x', 'xx'))).toBe('line 2: the line is longer than 16 MiB')
  })

  test('nesting is limited', async () => {
    const nested = (depth: number) => `{}\n${'['.repeat(depth)}${']'.repeat(depth)}\n`
    expect(await complaint('a.jsonl', nested(512))).toBeNull()
    expect(await complaint('a.jsonl', nested(513))).toBe(
      'line 2: arrays and objects are nested more than 512 deep',
    )
    expect(await complaint('a.jsonl', `["${'['.repeat(2000)}\\"${'{'.repeat(2000)}"]`)).toBeNull()
  })
})

describe('JSON', () => {
  const documents = [
    '{}',
    '[]',
    ' \n[1, -0, 1.5e-3, true, false, null, "a\\u00e9\\n\\/"]\n',
    '{"a":{"b":[{}]}}',
    '["\u2028\u0085"]',
    '{',
    '}',
    '[1,]',
    '{"a":1,}',
    '[01]',
    '[1.]',
    '[.5]',
    '[+1]',
    '[-]',
    '[1e]',
    '[tru]',
    '[truex]',
    '[true false]',
    '{"a" 1}',
    '{a:1}',
    "['a']",
    '["a\nb"]',
    '["\\x"]',
    '["\\u12g4"]',
    '[1] x',
    '[1][2]',
    '[NaN]',
    '["a',
    '[1',
    '[nul',
    '["\t"]',
    '[1 2]',
    '{"a":1 "b":2}',
    '[,1]',
    '{,}',
    '[}',
    '{]',
    '[1]]',
    '// c\n[]',
    '[1\u00a0]',
    '[\u2028]',
    '{"a":"b":1}',
  ]
  test.each(documents)('%j is judged as JSON.parse does', async (content) => {
    let valid = true
    try {
      JSON.parse(content)
    } catch {
      valid = false
    }
    for (let chunkBytes = 1; chunkBytes <= content.length; chunkBytes++) {
      expect((await complaint('a.json', content, chunkBytes)) === null, `in chunks of ${chunkBytes}`).toBe(
        valid,
      )
    }
  })

  test.each([
    ['[\n1,\n2 3\n]', `line 3: this is not valid JSON: expected ',', but there is "3"`],
    ['{"a": 1,\n"b" 2}', `line 2: this is not valid JSON: expected ':', but there is "2}"`],
    ['{"a": 1,\r\n\r\nb: 2}', 'line 3: this is not valid JSON: expected an object key, but there is "b: 2}"'],
    ['["\u2028\u2028",\n,]', 'line 2: this is not valid JSON: expected a value, but there is ",]"'],
    [
      '["one\ntwo"]',
      'line 1: this is not valid JSON: this cannot stand in a string, but there is the end of the line',
    ],
    [
      '{"a":1}\n{"b":2}\n',
      'line 2: this is not valid JSON: the document is over, but there is "{\\"b\\":2}"',
    ],
    ['{"a":[\n1,\n', 'line 3: this is not valid JSON: the file ends in the middle of the document'],
    ['\n\n42', 'line 3: a JSON file must hold an object or an array, and this begins with "42"'],
    ['"text"', 'line 1: a JSON file must hold an object or an array, and this begins with "\\"text\\""'],
    ['name: x', 'line 1: a JSON file must hold an object or an array, and this begins with "name: x"'],
    [' \n ', 'line 2: this is not valid JSON: the file ends in the middle of the document'],
  ])('%j is refused by its line', async (content, expected) => {
    expect(await steadyLine('a.json', content)).toBe(expected)
  })

  test('the line is right far into a file', async () => {
    const rows = Array.from({ length: 20_000 }, (_, index) => `{"id": ${index}, "text": "größe 🚂"}`)
    const good = `[\n${rows.join(',\n')}\n]\n`
    expect(await complaint('a.json', good, 1000)).toBeNull()
    expect(await complaint('a.json', good.replace('"id": 15000', '"id" 15000'), 1000)).toMatch(
      /^line 15002: /,
    )
  })

  test('nesting is limited', async () => {
    const nested = (depth: number) => `\n${'[\n'.repeat(depth)}1${']'.repeat(depth)}\n`
    expect(await complaint('a.json', nested(512))).toBeNull()
    expect(await steadyComplaint('a.json', nested(513))).toBe(
      'line 514: arrays and objects are nested more than 512 deep',
    )
    expect(await complaint('a.json', `{"a":${'['.repeat(1_000_000)}`)).toBe(
      'line 1: arrays and objects are nested more than 512 deep',
    )
    expect(await complaint('a.json', `["${'[{'.repeat(2000)}"]`)).toBeNull()
  })
})
