/** Whether `error` came from the operating system with one of these codes (`ENOENT`, `EXDEV`, …). */
export function isErrno(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.some((code) => code === error.code)
}
