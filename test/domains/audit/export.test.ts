import { parse } from 'csv-parse/sync'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  AuditExportDocument,
  AuditTrailDocument,
  CatalogCreateApiTokenDocument,
  type ExportAuditInput,
} from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { createClient } from '../../support/client.ts'
import { storeEvents, storeManyEvents } from '../../support/stored-events.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.stop())

async function linkTo(input: ExportAuditInput): Promise<string> {
  const { exportAudit } = await app.api.send(AuditExportDocument, { input })
  if (exportAudit.__typename !== 'AuditExport') throw new Error(JSON.stringify(exportAudit))
  return exportAudit.url
}

const linesOf = (text: string) => text.split('\n').filter((line) => line !== '')

describe('an export', () => {
  test('as JSON lines has every event with the fields of the API, the oldest first', async () => {
    const response = await fetch(await linkTo({ format: 'JSON_LINES' }))
    const written: { id: string; action: string }[] = linesOf(await response.text()).map((line) =>
      JSON.parse(line),
    )

    const { auditEvents } = await app.api.send(AuditTrailDocument, { first: 100 })
    const shown = auditEvents.edges.map(({ node }) => node).reverse()
    expect(response.headers.get('content-type')).toBe('application/jsonl; charset=utf-8')
    expect(written.map(({ id }) => id)).toEqual(shown.map(({ id }) => id))
    expect(shown.at(-1)).toMatchObject(written.at(-1) ?? {})
    expect(written.at(-1)).toMatchObject({
      action: 'AUDIT_EXPORTED',
      actorName: 'admin',
      details: { format: 'JSON_LINES', filter: {} },
    })
  })

  test.each([
    ['=HYPERLINK("http://evil.example")', `'=HYPERLINK("http://evil.example")`],
    ['+1', "'+1"],
    ['-1', "'-1"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['  =1', "'  =1"],
    ['\t=1', "'\t=1"],
    ['\r\n=1', "'\r\n=1"],
    ['＝1', "'＝1"],
    ['a "quoted", \r\n broken name', 'a "quoted", \r\n broken name'],
    ['项目-1', '项目-1'],
  ])('as CSV has %j in a cell as %j', async (targetName, cell) => {
    const address = `test of ${targetName}`
    await storeEvents(app.dataDir, [{ targetName, address, details: { text: '=1' } }])

    const response = await fetch(await linkTo({ format: 'CSV', filter: { address } }))
    const rows: Record<string, string>[] = parse(await response.text(), { columns: true })

    expect(response.headers.get('content-disposition')).toBe('attachment; filename="audit.csv"')
    expect(rows).toMatchObject([{ targetName: cell, details: '{"text":"=1"}', actorName: '' }])
  })

  test('of a filter has what matches, and nothing that was done after it was asked for', async () => {
    await storeEvents(app.dataDir, [{ address: 'there', action: 'RUN_STARTED' }])
    const url = await linkTo({
      format: 'JSON_LINES',
      filter: { address: 'there', since: '2000-01-01T00:00:00Z' },
    })
    await storeEvents(app.dataDir, [{ address: 'there', action: 'RUN_CANCELLED' }])

    const lines = linesOf(await (await fetch(url)).text())

    expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ action: 'RUN_STARTED' }])
  })

  test('of 100,000 events arrives whole, read in pages', async () => {
    const many = 100_000
    await storeManyEvents(app.dataDir, many)
    const url = await linkTo({ format: 'CSV', filter: { until: '2026-01-02T00:00:00Z' } })
    const pages: string[] = []
    const stop = app.onStatement((sql) => sql.includes('LIMIT') && pages.push(sql))

    const lines = linesOf(await (await fetch(url)).text())

    stop()
    expect(lines.length).toBe(many + 1)
    expect(lines.at(-1)).toContain(`"project ${many}"`)
    expect(pages.length).toBeGreaterThan(100)
  })
})

describe('the link', () => {
  test.each<[string, (url: URL) => void]>([
    ['with another filter', (url) => url.searchParams.set('filter', '{}')],
    ['with another end', (url) => url.searchParams.set('upTo', 'aud_7')],
    ['by somebody else', (url) => url.searchParams.set('by', 'usr_7')],
    ['with another format', (url) => url.searchParams.set('format', 'CSV')],
    ['without filter', (url) => url.searchParams.delete('filter')],
  ])('%s is refused', async (_what, change) => {
    const url = new URL(await linkTo({ format: 'JSON_LINES', filter: { actor: 'nobody' } }))
    change(url)

    expect((await fetch(url)).status).toBe(403)
  })

  test('says when it ends, and works without a token', async () => {
    const { exportAudit } = await app.api.send(AuditExportDocument, { input: { format: 'CSV' } })
    if (exportAudit.__typename !== 'AuditExport') throw new Error(JSON.stringify(exportAudit))

    const minutes = (Date.parse(exportAudit.expiresAt) - Date.now()) / 60_000
    expect(minutes).toBeGreaterThan(app.config.downloadMinutes - 1)
    expect((await fetch(exportAudit.url, { method: 'HEAD' })).status).toBe(200)
    expect((await fetch(exportAudit.url, { method: 'POST' })).status).toBe(405)
  })

  test('is refused to a token without the scope, and nothing is written down', async () => {
    const { createApiToken } = await app.api.send(CatalogCreateApiTokenDocument, {
      input: { name: 'script' },
    })
    const script = createClient(app.url)
    script.useToken(createApiToken.__typename === 'ApiToken' ? (createApiToken.token ?? null) : null)
    const count = async () =>
      (await app.api.send(AuditTrailDocument, { filter: { action: ['AUDIT_EXPORTED'] } })).auditEvents
        .totalCount
    const before = await count()

    const answer = await script.ask(AuditExportDocument, { input: { format: 'CSV' } })

    expect(answer).toMatchObject({ errors: [{ extensions: { code: 'FORBIDDEN' } }] })
    expect(await count()).toBe(before)
  })
})
