/** What fields that hold a secret are called: of settings, inputs, requests and answers. */
const SECRET_FIELDS = [
  'password',
  'newPassword',
  'currentPassword',
  'adminPassword',
  'token',
  'accessToken',
  'refreshToken',
  'invitationToken',
  'secret',
  'secretKey',
  'newSecretKey',
  'smtpUrl',
  'authorization',
  'Authorization',
  'cookie',
  'set-cookie',
]

/**
 * Where the log shows no value, for pino: such a field of whatever is logged, down to the third level. Nothing
 * of ours logs one; this is for the day that somebody logs a whole request.
 */
export const REDACTED_PATHS = SECRET_FIELDS.flatMap((field) =>
  ['', '*', '*.*'].map((parent) => `${parent}["${field}"]`),
)
