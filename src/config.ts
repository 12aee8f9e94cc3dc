import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import proxyAddr from 'proxy-addr'
import { z } from 'zod'
import { type EncryptionKey, parseEncryptionKey } from './secrets/encryption-key.ts'

const MiB = 1024 * 1024

const wholeNumber = (minimum: number, maximum = Number.MAX_SAFE_INTEGER) =>
  z.coerce
    .number({ error: 'must be a number' })
    .int('must be a whole number')
    .min(minimum, `must be at least ${minimum}`)
    .max(maximum, `must be at most ${maximum}`)

const flag = z
  .enum(['true', 'false'], { error: 'must be true or false' })
  .transform((value) => value === 'true')

/** For whom something is there; true and false are what the setting of GraphiQL used to be. */
const audience = z
  .enum(['everyone', 'signed-in', 'off', 'true', 'false'], { error: 'must be everyone, signed-in or off' })
  .transform((value) => (value === 'true' ? 'signed-in' : value === 'false' ? 'off' : value))

const path = z
  .string()
  .min(1)
  .transform((value) => resolve(value))

/** What may be less than one. */
const positive = (maximum: number) =>
  z.coerce
    .number({ error: 'must be a number' })
    .positive('must be more than 0')
    .max(maximum, `must be at most ${maximum}`)

const portRange = z
  .string()
  .regex(/^\d+-\d+$/, 'must be two ports such as 8100-8199')
  .transform((value) => {
    const [first = 0, last = 0] = value.split('-').map(Number)
    return { first, last }
  })
  .refine(
    ({ first, last }) => first >= 1 && first <= last && last <= 65_535,
    'must be two ports from 1 to 65535, the lower one first',
  )

const list = z.string().transform((value) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
)

const encryptionKey = z.string().transform((value, context) => {
  const key = parseEncryptionKey(value)
  if (key) return key
  // Without the input, which may be most of a key: the message is printed.
  context.addIssue({
    code: 'custom',
    message: 'must be 32 bytes, in base64 or hexadecimal',
    input: undefined,
  })
  return z.NEVER
})

const smtpUrl = z
  .string()
  .refine(isSmtpUrl, 'must be an address such as smtps://user:password@mail.example.org')

const mailbox = z
  .string()
  .regex(
    /^(?:[^\p{Cc}<>()[\]\\,;:"@]+ <[^\s\p{Cc}<>,;@]+@[^\s\p{Cc}<>,;@]+>|[^\s\p{Cc}<>,;@]+@[^\s\p{Cc}<>,;@]+)$/u,
    'must be an address such as Trainyard <trainyard@example.org>',
  )
/** Addresses and ranges, which are tried here because the library says what is wrong only when it reads them. */
const proxies = list.refine(
  (value) => {
    try {
      return value.length === 0 || Boolean(proxyAddr.compile(value))
    } catch {
      return false
    }
  },
  { error: 'must be addresses, ranges such as 10.0.0.0/8, or loopback, linklocal, uniquelocal' },
)

/** Every setting: its environment variable, its check and its default. The table in README.md follows it. */
const Environment = z.object({
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: wholeNumber(0, 65_535).default(4000),
  TRAINYARD_DATA_DIR: path.default(resolve('data')),
  TRAINYARD_WORKING_DIR: path.default(resolve('.')),
  TRAINYARD_PUBLIC_URL: z.url({ error: 'must be a URL such as https://trainyard.example.org' }).optional(),
  TRAINYARD_ADMIN_PASSWORD: z.string().min(8, 'must have at least 8 characters').optional(),
  TRAINYARD_SECRET_KEY: encryptionKey.optional(),
  TRAINYARD_NEW_SECRET_KEY: encryptionKey.optional(),
  TRAINYARD_SECRET_KEY_FILE: path.optional(),
  TRAINYARD_SESSION_MINUTES: wholeNumber(1, 43_200).default(60),
  TRAINYARD_REFRESH_DAYS: wholeNumber(1, 3650).default(30),
  COOKIE_SECURE: flag.optional(),
  TRAINYARD_REGISTRATION: z
    .enum(['invitation', 'open', 'off'], { error: 'must be invitation, open or off' })
    .default('invitation'),
  TRAINYARD_LOGIN_FAILURES: wholeNumber(0).default(50),
  TRAINYARD_DOWNLOAD_MINUTES: wholeNumber(1, 43_200).default(60),
  TRAINYARD_AUDIT_DAYS: wholeNumber(0, 36_500).default(365),
  TRAINYARD_NODE_LEASE_SECONDS: positive(86_400).default(30),
  TRAINYARD_RUN_LEASE_SECONDS: positive(30 * 86_400).default(600),
  TRAINYARD_TELEMETRY_DAYS: wholeNumber(1, 36_500).default(365),
  TRAINYARD_ALERT_DAYS: wholeNumber(0, 36_500).default(90),
  TRAINYARD_MAX_CONCURRENT_RUNS: wholeNumber(1, 1000).default(Math.max(2, availableParallelism())),
  TRAINYARD_MAX_DATASET_FILE_MB: wholeNumber(1).default(100),
  TRAINYARD_CANCEL_GRACE_SECONDS: wholeNumber(0, 86_400).default(30),
  TRAINYARD_ARTIFACT_QUIET_MS: wholeNumber(0, 600_000).default(2000),
  TRAINYARD_RUN_ENV: list.default([]),
  TRAINYARD_FREE_COMMANDS: flag.optional(),
  TRAINYARD_MODEL_ROOTS: list.optional(),
  TRAINYARD_ALLOW_HUB_MODELS: flag.default(false),
  TRAINYARD_TRUST_REMOTE_CODE: flag.default(false),
  TRAINYARD_DEPLOYMENT_HOST: z.string().min(1).default('127.0.0.1'),
  TRAINYARD_DEPLOYMENT_PORTS: portRange.default({ first: 8100, last: 8199 }),
  TRAINYARD_DEPLOYMENT_START_MINUTES: positive(1440).default(20),
  TRAINYARD_DEPLOYMENT_STOP_SECONDS: positive(3600).default(30),
  TRAINYARD_DEPLOYMENT_MAX_RESTARTS: wholeNumber(0, 1000).default(5),
  TRAINYARD_ALLOWED_ORIGINS: list.default([]),
  TRAINYARD_SMTP_URL: smtpUrl.optional(),
  TRAINYARD_MAIL_FROM: mailbox.optional(),
  TRAINYARD_TRUSTED_PROXIES: proxies.default([]),
  TRAINYARD_INTROSPECTION: audience.default('signed-in'),
  TRAINYARD_GRAPHIQL: audience.default('signed-in'),
  TRAINYARD_TRUSTED_DOCUMENTS: path.optional(),
  TRAINYARD_RATE_LIMIT_POINTS: wholeNumber(0).default(100_000),
  TRAINYARD_RATE_LIMIT_ANONYMOUS_REQUESTS: wholeNumber(0).default(600),
  TRAINYARD_GATEWAY_MAX_BODY_MB: wholeNumber(1, 1024).default(32),
  TRAINYARD_GATEWAY_SILENCE_SECONDS: wholeNumber(1, 86_400).default(600),
  TRAINYARD_SOCKETS_PER_USER: wholeNumber(1).default(2000),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
})

/** What is right of each setting alone may be wrong of two together. */
const CoherentEnvironment = Environment.superRefine((env, context) => {
  const wrong = (name: keyof typeof env, message: string) =>
    context.addIssue({ code: 'custom', path: [name], message, input: undefined })
  if (env.TRAINYARD_SECRET_KEY && env.TRAINYARD_SECRET_KEY_FILE) {
    wrong('TRAINYARD_SECRET_KEY_FILE', 'must not be set along with TRAINYARD_SECRET_KEY')
  }
  if (env.TRAINYARD_SMTP_URL && !env.TRAINYARD_MAIL_FROM) {
    wrong('TRAINYARD_MAIL_FROM', 'must be set along with TRAINYARD_SMTP_URL')
  }
})

/** What the server runs with. */
export interface Config {
  /** Address and port to listen on; port 0 takes any free one. */
  host: string
  port: number
  /** The folder that everything is kept under. */
  dataDir: string
  /** Where the command of a run starts, unless its project says otherwise. */
  workingDir: string
  /** The address that clients reach the server at, when it is not `http://HOST:PORT`. */
  publicUrl: string | undefined
  adminPassword: string | undefined
  /** The key-encryption key, when it is given in the environment. */
  secretKey: EncryptionKey | undefined
  /** The next key-encryption key, when a rotation is to take it from the environment. */
  newSecretKey: EncryptionKey | undefined
  /** The file of the key-encryption key, when it is not secret.key in the data folder. */
  secretKeyFile: string | undefined
  /** How long an access token works. */
  sessionMinutes: number
  /** How long a sign-in lasts that is not used. */
  refreshDays: number
  /** Whether browsers may send the cookie of a session over HTTPS only. */
  secureCookie: boolean
  /** Who can make an account: those with an invitation, everybody, or nobody. */
  registration: 'invitation' | 'open' | 'off'
  /** How many sign-ins may fail from one address in ten minutes; 0 for any number. */
  loginFailuresPerAddress: number
  downloadMinutes: number
  /** How many days the audit trail is kept; 0 for ever. */
  auditDays: number
  /** How many days what compute nodes measured is kept. */
  telemetryDays: number
  /** How many days alerts are kept; 0 for ever. */
  alertDays: number
  maxConcurrentRuns: number
  /** After how long without a word of its agent a compute node is OFFLINE, in seconds. */
  nodeLeaseSeconds: number
  /** After how long without a word of its agent what runs on a compute node is given up as LOST, in seconds. */
  runLeaseSeconds: number
  maxDatasetFileBytes: number
  /** 5 MB, as documented: a configuration is written by people. */
  maxTrainConfigBytes: number
  cancelGraceSeconds: number
  /** How long a file must not change before it counts as complete, while its run lives. */
  artifactQuietMs: number
  /** Further variables (`NAME` or `PREFIX_*`) that runs inherit from the server's environment. */
  runEnv: string[]
  /** Whether members may say themselves what a project runs, instead of choosing a launcher of an administrator's. */
  freeCommands: boolean
  /** The folders that models may be served from. */
  modelRoots: string[]
  /** Whether models may be named as on the Hugging Face hub, from where the engine fetches them. */
  allowHubModels: boolean
  /** Whether an engine may be told to run code that comes with a model. */
  trustRemoteCode: boolean
  /** The address that model servers listen on. */
  deploymentHost: string
  /** The ports that they get, both ends included. */
  deploymentPorts: { first: number; last: number }
  /** How long a model server may take to become healthy. */
  deploymentStartSeconds: number
  /** How long one may take to end after SIGTERM. */
  deploymentStopSeconds: number
  /** How often one that crashes is started again before its deployment has failed. */
  deploymentMaxRestarts: number
  /** Other origins whose pages may use the API from a browser, such as https://dashboard.example.org. */
  allowedOrigins: string[]
  /** The SMTP server that mail goes through, with its password; no mail is sent without one. */
  smtpUrl: string | undefined
  /** Who mail is from, e.g. `Trainyard <trainyard@example.org>`; set whenever smtpUrl is. */
  mailFrom: string | undefined
  /** Addresses and ranges of proxies whose X-Forwarded-For counts. */
  trustedProxies: string[]
  /** Who may read the schema from the API. */
  introspection: 'everyone' | 'signed-in' | 'off'
  /** Whom a browser shows GraphiQL. */
  graphiql: 'everyone' | 'signed-in' | 'off'
  /** A JSON file of the only documents to perform; any unless given. */
  trustedDocuments: string | undefined
  /** What the operations of a user or a run may cost in ten seconds; 0 for as much as they like. */
  rateLimitPoints: number
  /** Requests without credentials from one address in ten seconds; 0 for as many as they like. */
  rateLimitAnonymousRequests: number
  socketsPerUser: number
  /** What a request to a model may take: how large its body is, and how long neither side says or takes anything. */
  gateway: { maxBodyBytes: number; silenceMs: number }
  logLevel: string
}

/** A setting is not acceptable; the message is one line for the person who set it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/**
 * Reads the settings from the environment, the only place that does.
 *
 * @throws ConfigError naming every variable that is wrong.
 */
export function readConfig(environment: NodeJS.ProcessEnv): Config {
  const set = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''))
  const parsed = CoherentEnvironment.safeParse(set)
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
    throw new ConfigError(`Wrong setting: ${problems.join('; ')}`)
  }
  const env = parsed.data
  return {
    host: env.HOST,
    port: env.PORT,
    dataDir: env.TRAINYARD_DATA_DIR,
    workingDir: env.TRAINYARD_WORKING_DIR,
    publicUrl: env.TRAINYARD_PUBLIC_URL?.replace(/\/$/, ''),
    adminPassword: env.TRAINYARD_ADMIN_PASSWORD,
    secretKey: env.TRAINYARD_SECRET_KEY,
    newSecretKey: env.TRAINYARD_NEW_SECRET_KEY,
    secretKeyFile: env.TRAINYARD_SECRET_KEY_FILE,
    sessionMinutes: env.TRAINYARD_SESSION_MINUTES,
    refreshDays: env.TRAINYARD_REFRESH_DAYS,
    secureCookie: env.COOKIE_SECURE ?? !isPlainLoopback(env.HOST, env.TRAINYARD_PUBLIC_URL),
    registration: env.TRAINYARD_REGISTRATION,
    loginFailuresPerAddress: env.TRAINYARD_LOGIN_FAILURES,
    downloadMinutes: env.TRAINYARD_DOWNLOAD_MINUTES,
    auditDays: env.TRAINYARD_AUDIT_DAYS,
    telemetryDays: env.TRAINYARD_TELEMETRY_DAYS,
    alertDays: env.TRAINYARD_ALERT_DAYS,
    maxConcurrentRuns: env.TRAINYARD_MAX_CONCURRENT_RUNS,
    nodeLeaseSeconds: env.TRAINYARD_NODE_LEASE_SECONDS,
    runLeaseSeconds: env.TRAINYARD_RUN_LEASE_SECONDS,
    maxDatasetFileBytes: env.TRAINYARD_MAX_DATASET_FILE_MB * MiB,
    maxTrainConfigBytes: 5 * MiB,
    cancelGraceSeconds: env.TRAINYARD_CANCEL_GRACE_SECONDS,
    artifactQuietMs: env.TRAINYARD_ARTIFACT_QUIET_MS,
    runEnv: env.TRAINYARD_RUN_ENV,
    // Whoever may say what is run may do all that the server may: on a network, that is for administrators to allow.
    freeCommands: env.TRAINYARD_FREE_COMMANDS ?? isForThisMachine(env.HOST, env.TRAINYARD_PUBLIC_URL),
    modelRoots: env.TRAINYARD_MODEL_ROOTS?.map((root) => resolve(root)) ?? [
      join(env.TRAINYARD_DATA_DIR, 'models'),
    ],
    allowHubModels: env.TRAINYARD_ALLOW_HUB_MODELS,
    trustRemoteCode: env.TRAINYARD_TRUST_REMOTE_CODE,
    deploymentHost: env.TRAINYARD_DEPLOYMENT_HOST,
    deploymentPorts: env.TRAINYARD_DEPLOYMENT_PORTS,
    deploymentStartSeconds: env.TRAINYARD_DEPLOYMENT_START_MINUTES * 60,
    deploymentStopSeconds: env.TRAINYARD_DEPLOYMENT_STOP_SECONDS,
    deploymentMaxRestarts: env.TRAINYARD_DEPLOYMENT_MAX_RESTARTS,
    allowedOrigins: env.TRAINYARD_ALLOWED_ORIGINS,
    trustedProxies: env.TRAINYARD_TRUSTED_PROXIES,
    introspection: env.TRAINYARD_INTROSPECTION,
    graphiql: env.TRAINYARD_GRAPHIQL,
    smtpUrl: env.TRAINYARD_SMTP_URL,
    mailFrom: env.TRAINYARD_MAIL_FROM,
    trustedDocuments: env.TRAINYARD_TRUSTED_DOCUMENTS,
    rateLimitPoints: env.TRAINYARD_RATE_LIMIT_POINTS,
    rateLimitAnonymousRequests: env.TRAINYARD_RATE_LIMIT_ANONYMOUS_REQUESTS,
    socketsPerUser: env.TRAINYARD_SOCKETS_PER_USER,
    gateway: {
      maxBodyBytes: env.TRAINYARD_GATEWAY_MAX_BODY_MB * MiB,
      silenceMs: env.TRAINYARD_GATEWAY_SILENCE_SECONDS * 1000,
    },
    logLevel: env.LOG_LEVEL,
  }
}

/** Whether the server is reached from this machine only, and without TLS: browsers keep a Secure cookie from it. */
function isPlainLoopback(host: string, publicUrl: string | undefined): boolean {
  return isLoopback(host) && !publicUrl?.startsWith('https:')
}

/** Whether nobody but this machine is meant to reach the server: no proxy passes on what comes from elsewhere. */
function isForThisMachine(host: string, publicUrl: string | undefined): boolean {
  return isLoopback(host) && (publicUrl === undefined || isLoopback(new URL(publicUrl).hostname))
}

/** Whether nobody but this machine reaches a server that listens there. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

/** Whether it names an SMTP server, and user and password can be decoded: a % in them must be written %25. */
function isSmtpUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname, username, password, pathname } = new URL(text)
  return (
    ['smtp:', 'smtps:'].includes(protocol) &&
    hostname !== '' &&
    ['', '/'].includes(pathname) &&
    !/%(?![0-9a-f]{2})/i.test(username + password)
  )
}
