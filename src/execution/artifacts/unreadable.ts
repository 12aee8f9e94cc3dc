/** Codes of what a script did to a file of its output meanwhile, or of a file that nobody here may read. */
export const UNREADABLE_CODES = ['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'ELOOP', 'EIO']
