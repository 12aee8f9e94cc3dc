import { parseArgs } from 'node:util'

/** How a model server behaves. */
export interface ModelServerOptions {
  host: string
  /** 0 takes a free one. */
  port: number
  /** What the model is called in requests. */
  name: string
  /** Null sends as fast as it can. */
  tokensPerSecond: number | null
  /** How long it thinks before the first token, in ms. */
  firstTokenMs: number
  /** How long it loads: until then every path answers 503, in ms. */
  readyAfterMs: number
  neverHealthy: boolean
  /** When it ends by itself with exit code 1, in ms after the start. */
  crashAfterMs: number | null
  ignoreSigterm: boolean
  /** Refuses requests with `stream_options`, as `transformers serve` does. */
  refuseStreamOptions: boolean
}

/**
 * Understands the arguments of `vllm serve MODEL --host --port --served-model-name`, `--model` besides, and what
 * only this server can do. Arguments that it does not know it takes, as an engine with a hundred of them would.
 */
export function parseOptions(args: string[]): ModelServerOptions {
  const { values, positionals } = parseArgs({
    args,
    strict: false,
    options: {
      host: { type: 'string', default: '127.0.0.1' },
      port: { type: 'string', default: '8000' },
      model: { type: 'string' },
      'served-model-name': { type: 'string' },
      'tokens-per-second': { type: 'string' },
      'first-token-ms': { type: 'string', default: '0' },
      'ready-after': { type: 'string', default: '0' },
      'never-healthy': { type: 'boolean', default: false },
      'crash-after': { type: 'string' },
      'ignore-sigterm': { type: 'boolean', default: false },
      'refuse-stream-options': { type: 'boolean', default: false },
    },
  })
  const model = positionals[0] === 'serve' ? positionals[1] : values.model
  return {
    host: String(values.host),
    port: numberOf('port', values.port),
    name: String(values['served-model-name'] ?? model ?? 'model'),
    tokensPerSecond:
      values['tokens-per-second'] === undefined
        ? null
        : numberOf('tokens-per-second', values['tokens-per-second']),
    firstTokenMs: numberOf('first-token-ms', values['first-token-ms']),
    readyAfterMs: numberOf('ready-after', values['ready-after']) * 1000,
    neverHealthy: values['never-healthy'] === true,
    crashAfterMs:
      values['crash-after'] === undefined ? null : numberOf('crash-after', values['crash-after']) * 1000,
    ignoreSigterm: values['ignore-sigterm'] === true,
    refuseStreamOptions: values['refuse-stream-options'] === true,
  }
}

function numberOf(name: string, value: unknown): number {
  const number = Number(value)
  if (!(number >= 0)) throw new Error(`--${name} must be a number, not ${value}.`)
  return number
}
