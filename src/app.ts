import { constants } from 'node:fs'
import { access, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import type { Config } from './config.ts'
import { openDatabase } from './db/database.ts'
import { lockDataFolder } from './db/lock.ts'
import { createAccounts } from './domains/accounts/create.ts'
import { createAlerts } from './domains/alerts/create.ts'
import { createArtifactService } from './domains/artifacts/service.ts'
import { createAuditExports } from './domains/audit/export.ts'
import { createAuditRetention } from './domains/audit/retention.ts'
import { createAuditService } from './domains/audit/service.ts'
import { createComputeNodes } from './domains/compute-nodes/create.ts'
import { createOverviewService } from './domains/compute-nodes/overview.ts'
import { createComputeNodeService } from './domains/compute-nodes/service.ts'
import { createBlobs } from './domains/datasets/blobs.ts'
import { createDatasetService } from './domains/datasets/service.ts'
import { createDeployments } from './domains/deployments/deployments.ts'
import { createLauncherService } from './domains/launchers/service.ts'
import { createProjectAccess } from './domains/projects/access.ts'
import { createMemberService } from './domains/projects/members.ts'
import { createProjectService } from './domains/projects/service.ts'
import { createRunRecords } from './domains/runs/records.ts'
import { createReportingService } from './domains/runs/reporting.ts'
import { createRunService } from './domains/runs/service.ts'
import { createRunWatcher } from './domains/runs/watch.ts'
import { createScheduler, sweepRunFolders } from './domains/runs/worker/scheduler.ts'
import { createServerInfoService } from './domains/server-info/service.ts'
import { createGateway } from './gateway/gateway.ts'
import { RELATIONS, type Services } from './graphql/context.ts'
import { toSchema } from './graphql/index.ts'
import { localUrl } from './local-url.ts'
import { createAccountLetters } from './mail/account-letters.ts'
import { createMailer } from './mail/mailer.ts'
import { type Outage, outageOf } from './outage.ts'
import { createKeyStore } from './secrets/key-store.ts'
import { openSecrets } from './secrets/secrets.ts'
import { AGENT_DOCUMENTS } from './server/agent-documents.ts'
import { createClientAddress } from './server/client-address.ts'
import {
  createDownloadHandler,
  createDownloadLink,
  createExportLink,
  createInputLink,
} from './server/downloads.ts'
import { watchEndOfRights } from './server/end-of-rights.ts'
import { createGatewayDoor } from './server/gateway-door.ts'
import { createGraphqlHandler } from './server/graphql.ts'
import { createHealth } from './server/health.ts'
import { closeServer, createHttpServer, listen } from './server/http.ts'
import { createErrorMask } from './server/mask-errors.ts'
import { createOperationChecks } from './server/operation-checks.ts'
import { accountLink, createAccountPages } from './server/pages/account/account-pages.ts'
import { ACCOUNT_FORMS } from './server/pages/account/forms.ts'
import { PAGE_DOCUMENTS } from './server/pages/session-script.ts'
import { GRAPHQL_PATH } from './server/paths.ts'
import { createRateLimits } from './server/rate-limits.ts'
import { createSecurityHeaders } from './server/security-headers.ts'
import { refreshTokenOf } from './server/session-cookie.ts'
import { readTrustedDocuments } from './server/trusted-documents.ts'
import { serveSockets } from './server/ws.ts'
import { createDownloadSigner } from './storage/download-signer.ts'
import { createFilesystemStorage } from './storage/filesystem.ts'
import { watchRoom } from './storage/room.ts'
import { createSignals } from './streams/signals.ts'

/** How long requests under way may take when the server stops, in ms. */
const STOP_GRACE_MS = 5000

/** What the pages of the server itself and its agents send, which must work where only trusted documents are performed. */
const OWN_DOCUMENTS = [
  ...AGENT_DOCUMENTS,
  ...Object.values(PAGE_DOCUMENTS),
  ...Object.values(ACCOUNT_FORMS).map(({ mutation }) => mutation),
]

/** Why the data folder cannot be used for the time being. */
const OUTAGES: Record<Outage, string> = {
  'disk-full': 'its disk is full',
  'database-locked': 'another program has the lock of its database',
}

/** The data folder cannot be used; the message says why, in one line. */
export class DataFolderError extends Error {
  override readonly name = 'DataFolderError'
}

/** A running server. */
export interface RunningApp {
  /** Where clients reach it, e.g. http://127.0.0.1:4000. */
  url: string
  /** The administrator's password when it was made up just now: to be shown once. */
  newPassword: string | null
  /** For tests that count statements. */
  onStatement: (listener: (sql: string) => void) => () => void
  /** Stops from the outside in; trainings go on. */
  stop(): Promise<void>
}

/**
 * Wires everything together and starts it: the one place where parts meet.
 *
 * @param environment the server's own environment, of which runs inherit a part
 * @throws DataFolderError, DataFolderInUseError, SecretsError, ListenError with one line for the operator
 */
export async function startApp(
  config: Config,
  log: Logger,
  inheritedEnvironment: Record<string, string>,
): Promise<RunningApp> {
  const onStop: (() => Promise<unknown> | unknown)[] = []
  const stop = async () => {
    for (const step of onStop.splice(0).reverse()) await step()
  }
  try {
    return await start()
  } catch (error) {
    await stop()
    const outage = outageOf(error)
    if (outage)
      throw new DataFolderError(`The data folder ${config.dataDir} cannot be used: ${OUTAGES[outage]}.`)
    throw error
  }

  async function start(): Promise<RunningApp> {
    const { dataDir } = config
    const runsDir = join(dataDir, 'runs')
    const trustedDocuments =
      config.trustedDocuments === undefined
        ? null
        : await readTrustedDocuments(config.trustedDocuments, OWN_DOCUMENTS)
    await prepareFolders(dataDir, runsDir)
    onStop.push(await lockDataFolder(dataDir))

    const database = await openDatabase(join(dataDir, 'trainyard.db'))
    onStop.push(() => database.close())
    const { sealer, signingKeys } = await openSecrets({ database, store: createKeyStore(config) })
    const storage = await createFilesystemStorage({ root: join(dataDir, 'storage') })
    const blobs = createBlobs({ database, storage })
    await blobs.sweep()
    const room = watchRoom({ folder: dataDir, log: log.child({ domain: 'storage' }) })
    onStop.push(() => room.stop())
    const signals = createSignals()
    let ownUrl = ''
    let ownPort: number | null = null
    const publicUrl = () => config.publicUrl ?? ownUrl
    const signer = createDownloadSigner({
      secret: Buffer.from(signingKeys.download).toString('base64url'),
      ttlSeconds: config.downloadMinutes * 60,
    })
    const downloadLink = createDownloadLink(signer, publicUrl)

    const access = createProjectAccess({ database })
    const shared = { database, signals, access, runsDir }
    const alerts = createAlerts({ ...shared, ...config, sealer, log: log.child({ domain: 'alerts' }) })
    const nodes = await createComputeNodes({
      ...shared,
      ...config,
      environment: inheritedEnvironment,
      inputLink: createInputLink(signer),
      observe: alerts.observe,
      log: log.child({ domain: 'compute nodes' }),
    })
    const { executor, leases } = nodes
    onStop.push(() => nodes.stop())
    onStop.push(() => alerts.stop())
    await sweepRunFolders({ ...shared, executor, log })
    const mailer = createMailer(config)
    const accounts = createAccounts({
      ...config,
      database,
      signals,
      sessionKey: signingKeys.session,
      link: (page, secret) => accountLink(publicUrl(), page, secret),
      mail: mailer && createAccountLetters(mailer, publicUrl),
      onError: (error) => log.error({ err: error }, 'a letter could not be sent'),
    })
    onStop.push(() => accounts.settle())
    const { authenticate } = accounts
    const runs = createRunService({ ...shared, ...config, executor })
    const deployments = createDeployments({
      ...shared,
      ...config,
      sealer,
      executor,
      environment: inheritedEnvironment,
      deploymentsDir: join(dataDir, 'deployments'),
      leases,
      latestGpus: (nodeId) => nodes.latest(nodeId)?.gpus ?? null,
      ownPort: () => ownPort,
      log: log.child({ domain: 'deployments' }),
    })
    const services: Services = {
      ...accounts.services,
      ...alerts.services,
      ...nodes.services,
      ...deployments.services,
      runs,
      access,
      projects: createProjectService({
        ...shared,
        freeCommands: config.freeCommands,
        discardRuns: runs.discard,
      }),
      members: createMemberService(shared),
      launchers: createLauncherService({ database, sealer }),
      datasets: createDatasetService({
        database,
        access,
        blobs,
        maxFileBytes: config.maxDatasetFileBytes,
        maxTrainConfigBytes: config.maxTrainConfigBytes,
      }),
      computeNodes: createComputeNodeService({
        ...shared,
        ...config,
        runs,
        deployments: deployments.services.deployments,
      }),
      overview: createOverviewService({ ...shared, latestTelemetry: nodes.latest }),
      artifacts: createArtifactService(shared),
      runRecords: createRunRecords(shared),
      runWatcher: createRunWatcher(shared),
      reporting: createReportingService(shared),
      serverInfo: createServerInfoService({ config }),
      audit: createAuditService({ database }),
      auditExports: createAuditExports({ database, exportLink: createExportLink(signer, publicUrl) }),
    }
    const scheduler = createScheduler({
      ...shared,
      ...config,
      storage,
      sealer,
      room,
      executor,
      leases,
      apiTokens: services.apiTokens,
      apiUrl: () => ownUrl + GRAPHQL_PATH,
      log: log.child({ domain: 'runs' }),
    })
    onStop.push(() => scheduler.stop())
    onStop.push(() => deployments.stop())

    const retention = createAuditRetention({ database, log: log.child({ domain: 'audit' }), ...config })
    onStop.push(() => retention.stop())

    const health = createHealth({ database, room })
    const maskError = createErrorMask(log.child({ domain: 'graphql' }))
    const rateLimits = createRateLimits({
      points: config.rateLimitPoints,
      anonymousRequests: config.rateLimitAnonymousRequests,
    })
    const frontDoor = {
      authenticate,
      maskError,
      checks: createOperationChecks({ introspection: config.introspection, rateLimits }),
      rateLimits,
      clientAddress: createClientAddress(config.trustedProxies),
      trustedDocuments,
      origins: config,
    }
    const graphql = createGraphqlHandler({
      ...frontDoor,
      schema: toSchema(),
      contextOf: (caller) => ({ ...caller, services, downloadLink, [RELATIONS]: database.prisma }),
      secureCookie: config.secureCookie,
      graphiql: config.graphiql,
      hasSession: async (req) => {
        const refreshToken = refreshTokenOf(req)
        return refreshToken !== null && accounts.services.sessions.isLive(refreshToken)
      },
    })
    const downloads = createDownloadHandler({
      database,
      agentWork: services.agentWork,
      storage,
      signer,
      auditExports: services.auditExports,
      log: log.child({ domain: 'downloads' }),
    })
    const gateway = createGateway({
      ...createGatewayDoor(frontDoor),
      authenticate,
      directory: deployments.directory,
      limits: config.gateway,
      log: log.child({ domain: 'gateway' }),
    })
    onStop.push(
      watchEndOfRights(
        { signals, stillValid: accounts.stillValid, log: log.child({ domain: 'gateway' }) },
        gateway.underWay,
        gateway.endRights,
      ),
    )
    const server = createHttpServer({
      graphql,
      downloads,
      accountPages: createAccountPages(),
      gateway,
      health,
      securityHeaders: createSecurityHeaders(config.publicUrl),
      log: log.child({ domain: 'http' }),
    })
    const port = await listen(server, config.host, config.port)
    onStop.push(() => closeServer(server, STOP_GRACE_MS))
    ownPort = port
    ownUrl = localUrl(config.host, port)
    onStop.push(
      serveSockets({
        ...frontDoor,
        server,
        graphql,
        signals,
        stillValid: accounts.stillValid,
        socketsPerUser: config.socketsPerUser,
        log: log.child({ domain: 'sockets' }),
      }),
    )

    await nodes.start()
    // Before whatever finds out what became of runs and deployments, so that it is told of that.
    await alerts.start()
    await scheduler.start()
    await deployments.start()
    retention.start()
    // Last, because a password that was made up is shown only by a server that runs.
    const newPassword = await services.accounts.ensureAdministrator(config.adminPassword)
    health.setReady(true)
    onStop.push(() => health.setReady(false))
    return { url: publicUrl(), newPassword, onStatement: database.onStatement, stop }
  }
}

async function prepareFolders(dataDir: string, runsDir: string): Promise<void> {
  try {
    await mkdir(runsDir, { recursive: true, mode: 0o700 })
    await access(dataDir, constants.W_OK | constants.X_OK)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    if (outageOf(error)) throw error
    throw new DataFolderError(`The data folder ${dataDir} cannot be used: ${reason}.`)
  }
}
