import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { type RunningApp, startApp } from '../../src/app.ts'
import { type Config, readConfig } from '../../src/config.ts'
import { inheritedEnvironment } from '../../src/execution/inherited-environment.ts'
import { type ApiClient, createClient } from './client.ts'

/** The administrator's password in tests. */
export const PASSWORD = 'correct-horse'

/** A server of a test's own, with somebody signed in. */
export interface TestApp extends RunningApp {
  /** Speaks for the administrator. */
  api: ApiClient
  dataDir: string
  config: Config
  /** Ends this server, leaving the data, and starts another on it. */
  restart(): Promise<void>
}

/** Starts a real server on a free port with a data folder that goes away with it. */
export async function startTestApp(settings: Partial<Config> = {}): Promise<TestApp> {
  const dataDir = await mkdtemp(join(tmpdir(), 'trainyard-test-'))
  const config: Config = {
    ...readConfig({ PORT: '0', LOG_LEVEL: 'silent' }),
    dataDir,
    adminPassword: PASSWORD,
    artifactQuietMs: 300,
    ...settings,
  }
  const start = () =>
    startApp(config, pino({ level: process.env.TEST_LOG ?? 'silent' }), inheritedEnvironment(process.env, []))
  let app = await start()
  const api = createClient(app.url)
  await api.signIn('admin', PASSWORD)
  const testApp: TestApp = {
    ...app,
    api,
    dataDir,
    config,
    async restart() {
      await app.stop()
      app = await start()
      testApp.url = app.url
      api.moveTo(app.url)
    },
    async stop() {
      await api.close()
      await app.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
  return testApp
}
