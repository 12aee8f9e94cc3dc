import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AccountPage } from '../../../domains/accounts/mail.ts'
import { pathOf } from '../../../request-path.ts'
import { sendText } from '../../respond.ts'
import { formPage } from './form-page.ts'
import { ACCOUNT_FORMS } from './forms.ts'

/** What the paths of the pages begin with. */
export const ACCOUNT_PAGES_PATH = '/account/'

/**
 * The link to a page. The token is in the fragment, which browsers send to nobody: it gets into no log on the
 * way, and no Referer.
 *
 * @example accountLink('https://trainyard.example.org', 'reset-password', token)
 *   // 'https://trainyard.example.org/account/reset-password#token=…'
 */
export function accountLink(publicUrl: string, page: AccountPage, token: string): string {
  return `${publicUrl}${ACCOUNT_PAGES_PATH}${page}#token=${encodeURIComponent(token)}`
}

/** Answers the requests for the pages behind the links in mails. */
export function createAccountPages(): (req: IncomingMessage, res: ServerResponse) => void {
  const pages = new Map(
    Object.entries(ACCOUNT_FORMS).map(([name, form]) => [ACCOUNT_PAGES_PATH + name, formPage(form)]),
  )

  return (req, res) => {
    const path = pathOf(req)
    const page = pages.get(path)
    if (!page) return sendText(res, 404, `There is nothing at ${path}.`)
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      res.setHeader('Allow', 'GET, HEAD')
      return sendText(res, 405, 'This is a page to look at: use GET.')
    }
    res.writeHead(200, {
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': page.contentSecurityPolicy,
      'Cache-Control': 'no-store',
    })
    res.end(page.html)
  }
}
