import { type FieldIssue, ValidationError } from '../../errors.ts'

/**
 * What is refused, of all engines together, and why: the long names without their dashes. Of vLLM, SGLang, llama.cpp's
 * server and transformers serve.
 */
const DENIED: readonly { why: string; names: readonly string[] }[] = [
  {
    why: 'Trainyard decides where a model server listens.',
    names: [
      ...['host', 'port', 'uds', 'headless', 'root-path', 'fastapi-root-path', 'reuse-port', 'config'],
      ...['data-parallel-address', 'data-parallel-rpc-port', 'data-parallel-external-lb'],
      ...['data-parallel-hybrid-lb', 'data-parallel-supervisor-port', 'master-addr', 'master-port'],
      ...['dist-init-addr', 'nccl-port', 'rpc', 'grpc', 'api-prefix', 'ssl-keyfile', 'ssl-certfile'],
      ...['ssl-ca-certs', 'ssl-key-file', 'ssl-cert-file'],
    ],
  },
  {
    why: 'Trainyard decides which model is served, and under which name.',
    names: [
      ...[
        'model',
        'model-path',
        'served-model-name',
        'alias',
        'force-model',
        'model-url',
        'hf-repo',
        'hf-file',
      ],
      ...['docker-repo', 'models-dir', 'models-preset', 'hf-config-path', 'model-tag'],
    ],
  },
  {
    why: 'Trainyard checks who may use a model.',
    names: ['api-key', 'api-key-file', 'admin-api-key', 'hf-token', 'allowed-origins'],
  },
  {
    why: 'it makes the engine run code of your own.',
    names: [
      ...['middleware', 'tool-parser-plugin', 'reasoning-parser-plugin', 'logits-processors', 'worker-cls'],
      ...['worker-extension-cls', 'scheduler-cls', 'distributed-executor-backend', 'io-processor-plugin'],
      ...['custom-pipeline-name', 'forward-hooks', 'enable-custom-logit-processor', 'tool-server', 'tools'],
      'trust-request-chat-template',
    ],
  },
  {
    why: 'it makes the engine read, write or show files.',
    names: [
      ...['allowed-local-media-path', 'path', 'media-path', 'slot-save-path', 'log-file', 'log-config-file'],
      ...['download-dir', 'file-storage-path', 'crash-dump-folder', 'webui-config-file', 'prompt-cache'],
    ],
  },
]

/** Short names of the same, as llama.cpp has them, with one dash. */
const DENIED_SHORT = ['m', 'a', 'mu', 'hf', 'hfr', 'hff', 'hft', 'dr']

/** Arguments that are allowed although what is refused begins with them: engines take them for what they are. */
const WHOLE = ['reasoning-parser', 'model-impl', 'tool-call-parser']

const TRUST_REMOTE_CODE = 'trust-remote-code'

/**
 * Checks the arguments that somebody adds to the command of an engine. Engines take the same argument in many
 * spellings: as `--a b` and `--a=b`, with underscores for dashes, in any case, cut short to a beginning that is
 * like no other, and with a key of the value behind a dot; so a beginning of what is refused is refused too.
 *
 * @throws ValidationError with one issue for each argument that is refused, at `extraArgs.POSITION`
 */
export function checkExtraArguments(args: string[], { trustRemoteCode }: { trustRemoteCode: boolean }): void {
  const issues = args.flatMap((argument, index): FieldIssue[] => {
    const why = refusalOf(argument, trustRemoteCode)
    return why === null ? [] : [{ path: ['extraArgs', String(index)], message: why }]
  })
  if (issues.length > 0) throw new ValidationError(issues)
}

function refusalOf(argument: string, trustRemoteCode: boolean): string | null {
  const [, dashes = '', written = ''] = /^(-+)([^=\s]*)/.exec(argument.trim()) ?? []
  if (dashes === '' || written === '') return null
  const shown = `${dashes}${written}`
  if (dashes === '-' && DENIED_SHORT.includes(written)) {
    return `${shown} is not allowed: Trainyard decides which model is served, and under which name.`
  }
  const name = written.toLowerCase().replaceAll('_', '-').split('.', 1)[0] ?? ''
  if (WHOLE.includes(name)) return null
  // Only names with two dashes may be cut short.
  const means = (full: string) => (dashes === '-' ? full === name : full.startsWith(name))
  if (!trustRemoteCode && means(TRUST_REMOTE_CODE)) {
    return `${shown} is not allowed: this server runs no code that comes with a model (TRAINYARD_TRUST_REMOTE_CODE).`
  }
  for (const { names, why } of DENIED) {
    const full = names.find(means)
    if (full === undefined) continue
    const meant = full === name ? shown : `${shown}, which engines take for --${full},`
    return `${meant} is not allowed: ${why}`
  }
  return null
}
