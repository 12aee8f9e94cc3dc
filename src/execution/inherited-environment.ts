/**
 * What a run inherits from the server's environment: what programs need to work at all, and the settings
 * of the usual training stacks. A name, or a prefix followed by `*`. Secrets are not among them.
 */
const INHERITED = [
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'SHELL',
  'LANG',
  'LANGUAGE',
  'LC_*',
  'TZ',
  'TMPDIR',
  'LD_LIBRARY_PATH',
  'XDG_*',
  'CUDA_*',
  'NVIDIA_*',
  'NCCL_*',
  'ROCR_*',
  'HIP_*',
  'OMP_*',
  'MKL_*',
  'TORCH_*',
  'PYTORCH_*',
  'PYTHONPATH',
  'PYTHONHOME',
  'VIRTUAL_ENV',
  'CONDA_*',
  'PYENV_*',
  'TRANSFORMERS_*',
  'HF_HOME',
  'HF_HUB_OFFLINE',
  'HF_ENDPOINT',
  'HF_DATASETS_CACHE',
  'TOKENIZERS_PARALLELISM',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'REQUESTS_CA_BUNDLE',
  'NODE_EXTRA_CA_CERTS',
]

/** The server's own settings never reach a run, whatever the operator allows; NODE_ENV it sets for itself (production.ts). */
const OWN = /^(TRAINYARD_|NODE_ENV$)/

/**
 * The part of the server's environment that runs inherit.
 *
 * @param allowed further names or `PREFIX_*` that the operator lets through
 */
export function inheritedEnvironment(server: NodeJS.ProcessEnv, allowed: string[]): Record<string, string> {
  const patterns = [...INHERITED, ...allowed]
  const inherits = (name: string) =>
    patterns.some((pattern) =>
      pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern,
    )
  const environment: Record<string, string> = {
    // Python holds its output back when it is written to a file; a log that people watch must not wait for it.
    PYTHONUNBUFFERED: '1',
  }
  for (const [name, value] of Object.entries(server)) {
    if (value !== undefined && !OWN.test(name) && inherits(name)) environment[name] = value
  }
  return environment
}
