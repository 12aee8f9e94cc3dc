/** How a program is started that serves a model. */
export interface EngineTemplate {
  name: string
  description: string | null
  /** An argv template; see `fillEngineCommand`. */
  command: string[]
  /** Where it answers with a success once the model can be used. */
  healthPath: string
  /** What to do when the program is not there. */
  howToInstall: string
}

/** The engine of a deployment that names none. */
export const DEFAULT_ENGINE = 'vllm'

/** The engines that need no administrator to define them. */
export const BUILT_IN_ENGINES: readonly EngineTemplate[] = [
  {
    name: 'vllm',
    description: 'vLLM: for GPUs, and many requests at once.',
    command: [
      ...['vllm', 'serve', '{model}', '--host', '{host}', '--port', '{port}'],
      ...['--served-model-name', '{name}', '--tensor-parallel-size', '{gpus}'],
    ],
    healthPath: '/health',
    howToInstall: 'Install vLLM: pip install vllm.',
  },
  {
    name: 'sglang',
    description: 'SGLang: for GPUs, and many requests at once.',
    command: [
      ...['python3', '-m', 'sglang.launch_server', '--model-path', '{model}', '--host', '{host}'],
      ...['--port', '{port}', '--served-model-name', '{name}', '--tensor-parallel-size', '{gpus}'],
    ],
    healthPath: '/health',
    howToInstall: 'Install SGLang: pip install sglang.',
  },
  {
    name: 'llama.cpp',
    description:
      "The server of llama.cpp: for GGUF files, on CPUs and GPUs; the model's path is that of the file.",
    command: [
      'llama-server',
      '--model',
      '{model}',
      '--host',
      '{host}',
      '--port',
      '{port}',
      '--alias',
      '{name}',
    ],
    healthPath: '/health',
    howToInstall:
      'Install llama.cpp, whose llama-server must be in the PATH: https://github.com/ggml-org/llama.cpp.',
  },
  {
    name: 'transformers',
    description: "Hugging Face's transformers serve: whatever transformers can load, on CPUs and GPUs.",
    command: ['transformers', 'serve', '{model}', '--host', '{host}', '--port', '{port}'],
    healthPath: '/health',
    howToInstall: "Install transformers with its server: pip install 'transformers[serving]'.",
  },
]

/** What the placeholders of an engine's command stand for. */
export interface EnginePlaceholders {
  model: string
  host: string
  port: number
  name: string
  /** How many GPUs; 1 without any, because engines count devices so. */
  gpus: number
}

/**
 * Fills the placeholders {model}, {host}, {port}, {name} and {gpus} of an argv template. Each element stays one
 * argument whatever is filled in; braces that are no placeholder stay as they are.
 */
export function fillEngineCommand(template: string[], placeholders: EnginePlaceholders): string[] {
  return template.map((element) =>
    element.replace(/\{(model|host|port|name|gpus)\}/g, (_, name: keyof EnginePlaceholders) =>
      String(placeholders[name]),
    ),
  )
}
