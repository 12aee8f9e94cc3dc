import { createHash } from 'node:crypto'

/** A page and what it may do in a browser. */
export interface Page {
  html: string
  contentSecurityPolicy: string
}

/**
 * A page that runs the scripts that stand in it and no others.
 *
 * @param sources what else it may load, by directive of a Content-Security-Policy
 */
export function definePage(html: string, sources: Record<string, string>): Page {
  const scripts = [...html.matchAll(/<script>([\s\S]*?)<\/script>/g)]
  const hashes = scripts.map(([, script = '']) => `'sha256-${sha256(script)}'`)
  const directives = {
    'default-src': "'none'",
    'base-uri': "'none'",
    'form-action': "'none'",
    'frame-ancestors': "'none'",
    'connect-src': "'self'",
    'script-src': hashes.join(' '),
    ...sources,
  }
  const contentSecurityPolicy = Object.entries(directives).map(([name, value]) => `${name} ${value}`)
  return { html, contentSecurityPolicy: contentSecurityPolicy.join('; ') }
}

/** A source for a style that stands in a page. */
export function hashSource(text: string): string {
  return `'sha256-${sha256(text)}'`
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64')
}
