import type { Readable } from 'node:stream'

/** A part of a blob in bytes, counted from 0, both ends included, as in an HTTP Range header. */
export interface ByteRange {
  start: number
  end: number
}

/** What is known of a stored blob without reading it. */
export interface BlobStat {
  sizeBytes: number
  modifiedAt: Date
}

/** What `put` learned of the bytes while it wrote them. `sha256` is lower-case hex. */
export interface StoredBlob {
  sizeBytes: number
  sha256: string
}

/**
 * Looks at a file while it is uploaded. Each chunk is shown once and in order; `end` follows the last.
 * Either may throw (or reject with) a ValidationError, and nothing is stored then. A check may not keep
 * a chunk after its `write` settled, nor memory that grows with the file.
 */
export interface ContentCheck {
  write(chunk: Uint8Array): void | Promise<void>
  end(): void | Promise<void>
}

/** What `put` must hold a blob against. */
export interface PutOptions {
  /** The largest size accepted, in bytes. */
  maxBytes: number
  check?: ContentCheck | null
}

/**
 * Blobs by key. A key is a path of segments of letters, digits, `.`, `_` and `-`, such as
 * `datasets/ds_1/file_2`; the server makes keys from ids, so a bad one is a defect here, not bad input,
 * and every method rejects it with a TypeError. Implemented by the file system; a bucket can follow.
 */
export interface Storage {
  /**
   * Stores what `source` yields, replacing what was there. Atomic and durable: until this resolves
   * nothing is visible under `key`, and what it resolved for survives a power cut.
   *
   * @throws ValidationError when the source is longer than `maxBytes`, or what `check` throws
   * @throws UnavailableError when the disk is full
   * @throws whatever `source` throws when it breaks off
   */
  put(key: string, source: AsyncIterable<Uint8Array>, options: PutOptions): Promise<StoredBlob>

  /**
   * Opens a blob, or the part of it that `range` names (which must lie inside). `sizeBytes` is the size
   * of the whole blob. The caller must read the stream to its end or destroy it.
   *
   * @throws NotFoundError when there is no such blob
   */
  open(key: string, range?: ByteRange): Promise<{ stream: Readable; sizeBytes: number }>

  /** Size and time of a blob, or null when there is none. */
  stat(key: string): Promise<BlobStat | null>

  /** Removes a blob; that there is none is no error. */
  delete(key: string): Promise<void>

  /**
   * Puts a blob at `targetPath` on this machine, for a process that wants a file, replacing what is
   * there. The file may share its bytes with the store, so it is read-only and must stay unchanged.
   *
   * @throws NotFoundError when there is no such blob
   */
  materialize(key: string, targetPath: string): Promise<void>

  /** Where the blob lies, for people and other tools (`file:///…`, later `s3://…`). Grants nothing. */
  uri(key: string): string

  /**
   * Removes what uploads of a killed server left behind, and says how many. To be called once at start,
   * before the first `put`.
   */
  sweepTemporary(): Promise<number>
}
