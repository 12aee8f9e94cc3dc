import { describe, expect, test } from 'vitest'
import { complaint, steadyComplaint } from './complaint.ts'

describe('CSV', () => {
  test.each([
    ['plain rows', 'a,b\n1,2\n3,4\n'],
    ['no line feed at the end', 'a,b\n1,2'],
    ['quotes', 'a,b\n"x, y","say ""hi"""\n"",""\n'],
    ['fields over several lines', 'a,b\n"1\n2\r\n3",x\n4,5\n'],
    ['blank lines', '\na,b\n\n1,2\n\n\n'],
    ['lines that end as on Windows', 'a,b\r\n1,2\r\n'],
    ['lines that end as on old Macs', 'a,b\r1,2\r'],
    ['one column', 'a\n1\n2\n'],
    ['empty fields', ',\n,\n'],
  ])('%s are fine', async (_, content) => {
    expect(await steadyComplaint('a.csv', content)).toBeNull()
  })

  const columns = (line: number, row: string, first: string, firstLine = 1) =>
    `line ${line}: the row has ${row}, but the first one (line ${firstLine}) has ${first}; columns are separated by commas`

  test.each([
    ['a,b\n1,2\n3\n', columns(3, '1 column', '2 columns')],
    ['a,b\n1,2,3\n', columns(2, '3 columns', '2 columns')],
    ['a,b\n1,2\n3,4,5', columns(3, '3 columns', '2 columns')],
    ['\r\na,b\r\n\r\n1,2\r\n\r\n\r\n3\r\n', columns(7, '1 column', '2 columns', 2)],
    ['a\r1,2\r', columns(2, '2 columns', '1 column')],
    ['a,b\n"1\n2\r\n3",x\n4\n', columns(5, '1 column', '2 columns')],
    ['a,b\n1,2\n"3\n4",5,6\n7,8\n', columns(3, '3 columns', '2 columns')],
    ['a,b\n1,2\n3,"4\n5,6\n', 'line 3: a quote is opened in the row that begins here, and never closed'],
    [
      'a,b\r\n\r\n"1\r\n2,3\r\n4,5\r\n',
      'line 3: a quote is opened in the row that begins here, and never closed',
    ],
    [
      'a,b\n"1,2\n3,"4"\n',
      'line 3: a closing quote must end the field, which began on line 2; to have a quote inside a quoted field, write it twice',
    ],
    [
      'a,b\n"1"x,2\n',
      'line 2: a closing quote must end the field; to have a quote inside a quoted field, write it twice',
    ],
    [
      'a,b\n1,5" disk\n',
      'line 2: a quote in the middle of a field: put the field in quotes, and write the quote twice',
    ],
    ['\n\r\n', 'The file holds no rows, only blank lines.'],
  ])('%j is refused by its line', async (content, expected) => {
    expect(await steadyComplaint('a.csv', content)).toBe(expected)
  })

  test.each([
    ['a quote that is never closed', '"', 'x\n'],
    ['endless columns', '', ','],
  ])(
    'a row is limited to 16 MiB: %s',
    async (_, start, filler) => {
      const content = `a,b\n1,2\n${start}${filler.repeat((17 * 1024 * 1024) / filler.length)}`
      expect(await complaint('a.csv', content)).toBe(
        'line 3: the row is longer than 16 MiB; perhaps a quote is not closed',
      )
    },
    60_000,
  )
})
