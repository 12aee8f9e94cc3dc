/** A gibibyte, in bytes. */
export const GIB = 1024 ** 3

/** So many bytes in gibibytes, to one decimal place. */
export const toGiB = (bytes: number): string => (bytes / GIB).toFixed(1)
