import { describe, expect, test } from 'vitest'
import { contentCheckFor } from '../../../../src/domains/datasets/content/index.ts'
import { complaint, steadyComplaint } from './complaint.ts'

const BOM = '\ufeff'

test('the extension chooses the check', () => {
  for (const name of ['a.json', 'a.jsonl', 'a.ndjson', 'a.csv', 'a.txt', 'A.JSONL', 'a.b.Csv']) {
    expect(contentCheckFor(name), name).not.toBeNull()
  }
  for (const name of ['a.parquet', 'a.jsonl.gz', 'jsonl', '.json', 'a.bin', '']) {
    expect(contentCheckFor(name), name).toBeNull()
  }
})

describe.each(['a.json', 'a.jsonl', 'a.csv', 'a.txt'])('%s', (filename) => {
  const valid =
    { 'a.json': '{"ä":\n"🚂"}', 'a.jsonl': '{"ä":"🚂"}\n', 'a.csv': 'ä,🚂\n1,2\n', 'a.txt': 'ä🚂' }[
      filename
    ] ?? ''

  test('may be UTF-8 with and without a byte order mark', async () => {
    expect(await steadyComplaint(filename, valid)).toBeNull()
    expect(await steadyComplaint(filename, BOM + valid)).toBeNull()
  })

  test('may not be empty', async () => {
    expect(await steadyComplaint(filename, '')).toBe('The file is empty.')
    expect(await steadyComplaint(filename, BOM)).toBe('The file is empty.')
  })

  test('may not be in another encoding', async () => {
    expect(await steadyComplaint(filename, Buffer.from(BOM + valid, 'utf16le'))).toBe(
      'line 1: the text is encoded as UTF-16; save the file as UTF-8',
    )
    const bad = 'this is not valid UTF-8 text; save the file as UTF-8'
    const latin1 = Buffer.from(valid.replace('🚂', 'x'), 'latin1')
    expect(await steadyComplaint(filename, latin1)).toBe(`line 1: ${bad}`)
    expect(await complaint(filename, Buffer.from([0xff]))).toBe(`line 1: ${bad}`)
  })
})

describe('text', () => {
  test.each<[string, Buffer, string]>([
    [
      'a bad byte',
      Buffer.concat([Buffer.from('one\ntwo\nth'), Buffer.from([0xff]), Buffer.from('ree\n')]),
      'line 3: this is not valid UTF-8 text; save the file as UTF-8',
    ],
    [
      'an overlong form',
      Buffer.concat([Buffer.from('one\n'), Buffer.from([0xc0, 0x80])]),
      'line 2: this is not valid UTF-8 text; save the file as UTF-8',
    ],
    [
      'a surrogate',
      Buffer.concat([Buffer.from('é\n\n'), Buffer.from([0xed, 0xa0, 0x80])]),
      'line 3: this is not valid UTF-8 text; save the file as UTF-8',
    ],
    [
      'a character without its end',
      Buffer.from('one\n🚂').subarray(0, -1),
      'line 2: this is not valid UTF-8 text; save the file as UTF-8',
    ],
    [
      'a character cut by a line',
      Buffer.concat([Buffer.from([0xe2, 0x82]), Buffer.from('\nx')]),
      'line 1: this is not valid UTF-8 text; save the file as UTF-8',
    ],
    [
      'stray continuations',
      Buffer.concat([Buffer.from('a\n'), Buffer.alloc(9, 0x80)]),
      'line 2: this is not valid UTF-8 text; save the file as UTF-8',
    ],
    ['a NUL', Buffer.from('one\ntwo\0\n'), 'line 2: there is a NUL byte, so this is not a text file'],
  ])('%s is named by its line', async (_, content, expected) => {
    expect(await steadyComplaint('a.txt', content)).toBe(expected)
  })

  test('a byte order mark counts only at the start', async () => {
    expect(await complaint('a.json', `${BOM}${BOM}[]`)).toMatch(/^line 1: a JSON file must hold/)
  })
})
