/** Where a server that listens on `host` is reached from this machine, e.g. http://127.0.0.1:4000. */
export function localUrl(host: string, port: number): string {
  return `http://${hostForUrl(host)}:${port}`
}

/** An address to listen on as one to connect to. */
function hostForUrl(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}
