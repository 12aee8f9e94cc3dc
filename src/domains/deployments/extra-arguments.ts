import { type FieldIssue, ValidationError } from '../../errors.ts'

/** Why an argument is not for people to give. */
const WHY = {
  place: 'Trainyard decides where a model server listens.',
  identity: 'Trainyard decides which model is served, and under which name.',
  access: 'Trainyard checks who may use a model.',
  code: 'it makes the engine run code of your own.',
  files: 'it makes the engine read, write or show files; an administrator can put it into an engine.',
} as const

/**
 * What is refused, of all engines together, and why: the long names without their dashes. Of vLLM, SGLang, llama.cpp's
 * server and transformers serve.
 */
const DENIED: readonly { why: string; names: readonly string[] }[] = [
  {
    why: WHY.place,
    names: [
      ...['host', 'port', 'uds', 'headless', 'root-path', 'fastapi-root-path', 'reuse-port', 'config'],
      ...['data-parallel-address', 'data-parallel-rpc-port', 'data-parallel-external-lb'],
      ...['data-parallel-hybrid-lb', 'data-parallel-supervisor-port', 'master-addr', 'master-port'],
      ...['dist-init-addr', 'nccl-port', 'rpc', 'grpc', 'api-prefix', 'ssl-keyfile', 'ssl-certfile'],
      ...['ssl-ca-certs', 'ssl-key-file', 'ssl-cert-file'],
    ],
  },
  {
    why: WHY.identity,
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
    why: WHY.access,
    names: ['api-key', 'api-key-file', 'admin-api-key', 'hf-token', 'allowed-origins'],
  },
  {
    why: WHY.code,
    names: [
      ...['middleware', 'tool-parser-plugin', 'reasoning-parser-plugin', 'logits-processors', 'worker-cls'],
      ...['worker-extension-cls', 'scheduler-cls', 'distributed-executor-backend', 'io-processor-plugin'],
      ...['custom-pipeline-name', 'forward-hooks', 'enable-custom-logit-processor', 'tool-server', 'tools'],
      'trust-request-chat-template',
    ],
  },
  {
    why: WHY.files,
    names: [
      ...['allowed-local-media-path', 'path', 'media-path', 'slot-save-path', 'log-file', 'log-config-file'],
      ...['chat-template', 'chat-template-file', 'completion-template', 'grammar-file', 'json-schema-file'],
      ...['lora', 'lora-scaled', 'lora-modules', 'lora-paths', 'control-vector', 'control-vector-scaled'],
      ...[
        'mmproj',
        'mmproj-url',
        'model-draft',
        'speculative-draft-model-path',
        'tokenizer',
        'tokenizer-path',
      ],
      ...['download-dir', 'file-storage-path', 'crash-dump-folder', 'webui-config-file', 'prompt-cache'],
    ],
  },
]

/** Short names of the same, as llama.cpp has them, with one dash. */
const DENIED_SHORT: readonly { why: string; names: readonly string[] }[] = [
  { why: WHY.identity, names: ['m', 'a', 'mu', 'hf', 'hfr', 'hff', 'dr'] },
  { why: WHY.access, names: ['hft'] },
  { why: WHY.files, names: ['md', 'mm', 'mmu', 'mv', 'jf'] },
]

/** Arguments that are allowed although what is refused begins with them: engines take them for what they are. */
const WHOLE = ['reasoning-parser', 'grammar', 'json-schema']

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
  const short = dashes === '-' && DENIED_SHORT.find(({ names }) => names.includes(written))
  if (short) return `${shown} is not allowed: ${short.why}`
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
