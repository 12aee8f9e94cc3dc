import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { mergeTrainConfig, parseTrainConfig } from '../../../src/domains/datasets/train-config.ts'
import type { JsonObject } from '../../../src/domains/input.ts'
import { ValidationError } from '../../../src/errors.ts'

const MAX_BYTES = 5 * 1024 * 1024

const read = (text: string | Uint8Array, filename = 'train.yaml') =>
  parseTrainConfig(filename, Buffer.from(text), { maxBytes: MAX_BYTES }).content

function complaint(text: string | Uint8Array, filename?: string): string {
  try {
    read(text, filename)
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error
    expect(error.issues[0]?.path).toEqual(['file'])
    return error.issues[0]?.message ?? ''
  }
  return 'accepted'
}

describe('parseTrainConfig', () => {
  test('reads a config as JSON', () => {
    const text = [
      '# a config',
      'model: Qwen/Qwen3-8B',
      'learning_rate: 5.0e-5',
      'bf16: true',
      'resume: ~',
      'flag: yes',
      'layers: [0x10, -1, 1.50]',
      'lora:',
      '  r: 8',
      '  target: [q_proj, v_proj]',
      'labels: {0: neg, 1: pos}',
      '',
    ].join('\n')
    expect(read(text)).toEqual({
      model: 'Qwen/Qwen3-8B',
      learning_rate: 0.00005,
      bf16: true,
      resume: null,
      flag: 'yes',
      layers: [16, -1, 1.5],
      lora: { r: 8, target: ['q_proj', 'v_proj'] },
      labels: { 0: 'neg', 1: 'pos' },
    })
    expect(read(text, 'TRAIN.YML')).toEqual(read(text))
    expect(read(`\ufeff${text}`)).toEqual(read(text))
  })

  test('resolves aliases and merge keys', () => {
    const text =
      'base: &base {lr: 1, steps: 5}\nother: &other {lr: 2, seed: 7}\na:\n  <<: *base\n  lr: 9\nb:\n  <<: [*base, *other]\nc: *base\n'
    expect(read(text)).toMatchObject({
      a: { lr: 9, steps: 5 },
      b: { lr: 1, steps: 5, seed: 7 },
      c: { lr: 1, steps: 5 },
    })
  })

  test('keeps what JSON has no number for as text', () => {
    expect(read('a: .inf\nb: [-.INF, .nan]\n')).toEqual({ a: '.inf', b: ['-.inf', '.nan'] })
  })

  test('a key called constructor is only a key', () => {
    const content = read('constructor: {prototype: 1}\n')
    expect(Object.keys(content)).toEqual(['constructor'])
    expect(Object.getPrototypeOf(content)).toBe(Object.prototype)
  })

  test.each([
    ['a: 1\nb: [1,\nc: 2\n', /^line 3, column \d+: /],
    ['a: 1\n\tb: 2\n', /^line 2, column 1: Tabs are not allowed/],
    ['a: 1\nb:\n  c: 1\n  c: 2\n', /^line 4, column 3: the key "c" is there twice$/],
    ['a: 1\n"a": 2\n', /^line 2, column 1: the key "a" is there twice$/],
    ['1: a\n"1": b\n', /^line 2, column 1: the key "1" is there twice$/],
    ['a: 1\n---\nb: 2\n', /^line 2, column 1: a second document begins here/],
    [
      'a: !!python/object:os.system x\n',
      /^line 1, column \d+: Unresolved tag: tag:yaml.org,2002:python\/object:os.system; a config holds plain values only$/,
    ],
    ['a: !!binary aGVsbG8=\n', /^line 1, column \d+: Unresolved tag: .*:(binary|set); /],
    ['a:\n  - !env HOME\n', /^line 2, column \d+: Unresolved tag: !env; /],
    ['a: !!set {x, y}\n', /^line 1, column \d+: Unresolved tag: .*:(binary|set); /],
    ['? [a, b]\n: 1\n', /^line 1, column 3: a key must be a single value/],
    ['__proto__: {polluted: true}\n', /^line 1, column 1: the key __proto__ has no place/],
    ['x: {<<: {"__proto__": {a: 1}}}\n', /^line 1, column \d+: the key __proto__ has no place/],
    ['a: *nope\n', /^line 1, column 4: there is no anchor &nope before/],
    ['a: *later\nb: &later 1\n', /^line 1, column 4: there is no anchor &later before/],
    ['a: &x [1, *x]\n', /^line 1, column 11: the alias \*x stands inside what it refers to/],
    ['a: &x {<<: *x}\n', /^line 1, column 12: the alias \*x stands inside/],
    ['a: {<<: 5}\n', /^line 1, column 5: what << merges must be a mapping/],
    ['- a\n- b\n', /^line 1: a train config must be a mapping/],
    ['just text\n', /^line 1: a train config must be a mapping/],
    ['', /^The file is empty\.$/],
    ['# only a comment\n', /^The file is empty\.$/],
  ])('refuses %j', (text, expected) => {
    expect(complaint(text)).toMatch(expected)
  })

  test('refuses deep nesting, however deep', () => {
    const nested = (depth: number) => complaint(`a: ${'['.repeat(depth)}${']'.repeat(depth)}\n`)
    expect(nested(250)).toBe('accepted')
    expect(nested(300)).toMatch(/^line 1, column \d+: values are nested more than 256 deep$/)
    expect(nested(50_000)).toMatch(/^line 1, column \d+: values are nested too deeply$/)
  })

  test('accepts the tags of the core schema', () => {
    expect(read('a: !!str 1\nb: !!float 2.0\nc: !!map {d: !!seq [1]}\n')).toEqual({
      a: '1',
      b: 2,
      c: { d: [1] },
    })
  })

  test.each(['train.json', 'train', 'yaml', 'train.yaml.gz'])('refuses the name %s', (filename) => {
    expect(complaint('a: 1', filename)).toBe('A train config must be a .yaml or .yml file.')
  })

  test('refuses what is too large, naming the limit', () => {
    expect(() => parseTrainConfig('a.yml', Buffer.alloc(2049, '#'), { maxBytes: 2048 })).toThrow(
      'larger than 2 KiB',
    )
  })

  test('refuses other encodings', () => {
    expect(complaint(Buffer.from('a: caf\xe9', 'latin1'))).toBe(
      'The file is not valid UTF-8 text; save it as UTF-8.',
    )
    expect(complaint(Buffer.from('\ufeffa: 1', 'utf16le'))).toContain('UTF-8')
  })

  test('refuses bombs before they go off', () => {
    const levels = Array.from({ length: 20 }, (_, level) => {
      const items = level === 0 ? ['x', 'x'] : Array.from({ length: 9 }, () => `*l${level - 1}`)
      return `l${level}: &l${level} [${items}]`
    })
    expect(complaint(levels.join('\n'))).toMatch(
      /^line \d+, column \d+: the aliases stand for too many values$/,
    )

    const chain = Array.from({ length: 5000 }, (_, at) => `a${at}: &a${at} [${at > 0 ? `*a${at - 1}` : '1'}]`)
    expect(complaint(chain.join('\n'))).toMatch(/nested more than 256 deep|too many values/)

    const merges = Array.from(
      { length: 40 },
      (_, at) => `m${at}: &m${at} {k${at}: [1]${at > 0 ? `, <<: *m${at - 1}` : ''}}`,
    )
    expect(complaint(merges.join('\n'))).toBe('accepted')
  })

  test('many keys are read, and too many refused, before anybody has to wait', () => {
    const keys = (count: number) => Array.from({ length: count }, (_, at) => `k${at}: ${at}\n`).join('')
    expect(Object.keys(read(keys(20_000)))).toHaveLength(20_000)
    for (const text of [
      keys(100_000),
      `a: [${'1,'.repeat(1_000_000)}]`,
      `${'# x\n'.repeat(500_000)}a: 1\n`,
    ]) {
      expect(complaint(text)).toBe('The file has more values than a train config may have.')
    }
  }, 10_000)
})

/** What merging means, said in the simplest way. */
function deepMerge(base: JsonObject, overrides: JsonObject): JsonObject {
  const result = { ...base }
  for (const [key, value] of Object.entries(overrides)) {
    const old = result[key]
    const both = isObject(old) && isObject(value)
    Object.defineProperty(result, key, {
      value: both ? deepMerge(old, value) : value,
      enumerable: true,
      writable: true,
      configurable: true,
    })
  }
  return result
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

describe('mergeTrainConfig', () => {
  test('changes what is overridden and keeps the rest as it is written', () => {
    const text = `# Fine-tuning
model: Qwen/Qwen3-8B # the base

# schedule
learning_rate: 5.0e-5 # from the paper
warmup: 1e-4
hidden: 0xFF
big: 12345678901234567890
quoted: 'yes'
truth: True
empty:
train:
  # how long
  epochs: 3 # enough
  seed: 42
  layers:
    - 1
    - 2
prompt: |
  Two
  lines

# the end
`
    const merged = mergeTrainConfig(text, {
      learning_rate: 1e-6,
      train: { epochs: 5, layers: [3] },
      added: 'x',
    })

    expect(merged).toBe(
      text
        .replace('5.0e-5', '0.000001')
        .replace('epochs: 3', 'epochs: 5')
        .replace('    - 1\n    - 2\n', '    - 3\n')
        .replace('  lines\n', '  lines\nadded: x\n'),
    )
    expect(mergeTrainConfig(text, {})).toBe(text)
  })

  test('a dot in a key is part of its name', () => {
    expect(parse(mergeTrainConfig('a: {b: 1}\n', { 'a.b': 2 }))).toEqual({ a: { b: 1 }, 'a.b': 2 })
  })

  test('an override changes one place, though others refer to it', () => {
    const text = 'lr: &lr 1\nwarm: *lr\nbase: &base {x: {y: 1}}\nrun:\n  <<: *base\n  z: 3\ncopy: *base\n'
    const merged = mergeTrainConfig(text, { lr: 2, run: { x: { y: 5 } } })
    expect(merged).not.toMatch(/[&*]|<</)
    expect(parse(merged)).toEqual({
      lr: 2,
      warm: 1,
      base: { x: { y: 1 } },
      run: { x: { y: 5 }, z: 3 },
      copy: { x: { y: 1 } },
    })
  })

  test('without a config, the overrides are all there is', () => {
    expect(mergeTrainConfig(null, { lr: 0.5, lora: { r: 8 } })).toBe('lr: 0.5\nlora:\n  r: 8\n')
    expect(mergeTrainConfig(null, {})).toBe('{}\n')
    expect(mergeTrainConfig('# todo\n', { a: 1 })).toBe('# todo\n\na: 1\n')
  })

  test('new values mean the same to YAML 1.1, which Python reads', () => {
    const merged = mergeTrainConfig(null, {
      small: 1e-7,
      large: 1e21,
      third: 1.5e-9,
      whole: 100,
      yes: 'no',
      n: 'N',
      number: '1e-4',
      time: '12:30:00',
      octal: '0777',
      nothing: 'null',
      path: 'out/model-1.bin',
      date: '2026-01-01',
      next: 'a\u0085b\u2028c\u007f',
    })
    expect(merged).toBe(`small: 1.0e-7
large: 1.0e+21
third: 1.5e-9
whole: 100
"yes": "no"
"n": "N"
number: "1e-4"
time: "12:30:00"
octal: "0777"
nothing: "null"
path: out/model-1.bin
date: "2026-01-01"
next: "a\\u0085b\\u2028c\\u007f"
`)
  })

  test.each(['a: [', '- list', 'a: 1\na: 2'])('refuses %j, which is not a config', (text) => {
    expect(() => mergeTrainConfig(text, { a: 1 })).toThrow(ValidationError)
  })

  const bases = [
    '',
    'a: 1\n',
    'a: {b: {c: 1}, d: [1, 2]} # flow\nx: y\n',
    'a:\n  b:\n    c: 1 # c\n  # about d\n  d:\n    - 1\n    - k: v\nx: >\n  folded\n  text\n',
    '{a: 1, b: two}\n',
    '---\na: &x {b: 1}\nd: *x\n...\n',
    '%YAML 1.2\n---\na: 1\n',
    '0: zero\nnull: nothing\ntrue: yes\n"<<": {a: 1}\n',
    'a: "quoted"   # after\n\n\nb: \'single\'\n',
    'a: 1\r\nb:\r\n  c: 2\r\n',
  ]
  const overrides: string[] = [
    '{}',
    '{"a":null}',
    '{"a":{"b":{"c":2,"new":[]}}}',
    '{"a":{"b":5},"d":{"b":7}}',
    '{"a":[],"x":{},"b":{"c":{"d":{"e":[[[1]],{"f":[{}]}]}}}}',
    '{"a":"","b":" lead","c":"trail ","d":"a: b","e":"# no","f":"- x","g":"*x","h":"&x","i":"!x","j":"%x","k":"@x","l":"`x"}',
    '{"a":"line\\nline\\n","b":"tab\\t","c":"\\u0000\\u0007\\u001b","d":"\\"q\\" \'s\' \\\\","e":"---","f":"...","g":"\\ud83d\\ude82\\u00e9"}',
    '{"a":"\\ud800","b":"\\ufeff","c":"\\uffff"}',
    '{"a":-0.1,"b":1e300,"c":5e-324,"d":123456789012,"e":1e21,"f":-1e-9,"g":0}',
    '{"a":true,"b":false,"c":"true","d":"~","e":"null","f":"0x10","g":"1_000","h":".inf","i":"<<"}',
    '{"":1," ":2,"a b":3,"a: b":4,"# x":5,"<<":{"q":1},"? x":6,"- y":7,"0":8,"true":9,"\\n":10}',
    `{"${'k'.repeat(2000)}":"${'v '.repeat(2000)}"}`,
    '{"a":[{"x":1,"y":[1,2]},[],"s",null],"b":{"c":{"k":"a\\nb"}}}',
  ]
  test.each(bases)('%j with any overrides is YAML for the merged data', (base) => {
    const before = base === '' ? {} : read(base)
    for (const override of overrides) {
      const changes: JsonObject = JSON.parse(override)
      const merged = mergeTrainConfig(base, changes)
      expect(read(merged), override).toEqual(deepMerge(before, changes))
      expect(mergeTrainConfig(merged, changes), override).toBe(merged)
    }
  })
})
