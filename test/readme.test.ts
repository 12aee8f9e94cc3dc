import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PASSWORD, startTestApp, type TestApp } from './support/app.ts'
import { seed } from './support/seed.ts'

let app: TestApp
let shell: ChildProcess
beforeAll(async () => {
  app = await startTestApp({ workingDir: process.cwd(), artifactQuietMs: 0 })
  shell = spawn('bash', [], { stdio: ['pipe', 'pipe', 'inherit'] })
})
afterAll(async () => {
  shell.stdin?.end()
  await once(shell, 'exit')
  await app.stop()
})

/** The code blocks of a section, in order. */
function blocksOf(heading: string): { language: string; code: string }[] {
  const section = readFileSync('README.md', 'utf8').split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''
  return [...section.matchAll(/```(\w+)\n(.*?)```/gs)].map(([, language = '', code = '']) => ({
    language,
    code,
  }))
}

/** Runs a block in the one shell that all blocks share, and returns what it prints. */
async function runInShell(code: string): Promise<string> {
  const lines: string[] = []
  const reader = createInterface({ input: shell.stdout as NonNullable<typeof shell.stdout> })
  shell.stdin?.write(`${code.replaceAll('http://127.0.0.1:4000', app.url)}\necho; echo "end $?"\n`)
  for await (const line of reader) {
    if (/^end \d+$/.test(line)) break
    lines.push(line)
  }
  return lines.join('\n')
}

test('the tour of the README works as it is printed', async () => {
  expect(PASSWORD).toBe('correct-horse')
  const given = seed(app.api)
  let runId = ''
  let artifactId = ''
  const blocks = blocksOf('A tour')
  expect(blocks.length).toBeGreaterThan(10)

  for (const { language, code } of blocks) {
    if (language === 'sh') {
      const printed = await runInShell(code)
      expect(printed, code).not.toMatch(/"code"|"errors"/)
      continue
    }
    const operation = code.replace('RUN_ID', runId).replace('ARTIFACT_ID', artifactId)
    if (operation.startsWith('subscription')) {
      const first = await app.api.watch<Record<string, unknown>, object>(operation).next()
      expect(first.done, operation).toBe(false)
      continue
    }
    if (operation.startsWith('query')) await given.end(runId)
    const data = await app.api.send<Record<string, { id?: string; code?: string }>, object>(operation)
    const [[field = '', result] = []] = Object.entries(data)
    expect(result?.code, `${operation}\n${JSON.stringify(data)}`).toBeUndefined()
    if (field === 'startRun') runId = result?.id ?? ''
    if (field === 'run') artifactId = (await given.state(runId)).artifacts.edges[0]?.node.id ?? ''
    if (field === 'resumeRun') await given.cancel(result?.id ?? '', 0)
  }
  expect(artifactId).not.toBe('')
})
