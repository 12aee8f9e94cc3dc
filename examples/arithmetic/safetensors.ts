// The safetensors format: the length of a JSON header (8 bytes, little-endian), the header, then
// the tensors' bytes. https://huggingface.co/docs/safetensors

/** A named array of 32-bit floats, row-major. */
export interface Tensor {
  name: string
  shape: number[]
  values: Float32Array
}

export interface TensorFile {
  tensors: Map<string, Tensor>
  metadata: Record<string, string>
}

const LENGTH_BYTES = 8
const ALIGNMENT = 8

export function encodeSafetensors(tensors: Tensor[], metadata: Record<string, string>): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata }
  let offset = 0
  for (const { name, shape, values } of tensors) {
    const end = offset + values.byteLength
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, end] }
    offset = end
  }
  const json = Buffer.from(JSON.stringify(header))
  const headerLength = Math.ceil(json.length / ALIGNMENT) * ALIGNMENT
  const file = Buffer.alloc(LENGTH_BYTES + headerLength + offset, ' ')
  file.writeBigUInt64LE(BigInt(headerLength))
  json.copy(file, LENGTH_BYTES)
  let at = LENGTH_BYTES + headerLength
  for (const { values } of tensors) {
    // Every platform that Node runs on stores floats little-endian, as the format wants them.
    file.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at)
    at += values.byteLength
  }
  return file
}

/** @throws if the bytes are not a safetensors file of 32-bit floats. */
export function decodeSafetensors(file: Uint8Array): TensorFile {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength)
  if (bytes.length < LENGTH_BYTES) throw new Error('not a safetensors file: too short')
  const begin = LENGTH_BYTES + Number(bytes.readBigUInt64LE())
  if (begin > bytes.length) throw new Error('not a safetensors file: the header is cut off')
  const header: unknown = JSON.parse(bytes.toString('utf8', LENGTH_BYTES, begin))
  if (typeof header !== 'object' || header === null) throw new Error('not a safetensors file: no header')
  const tensors = new Map<string, Tensor>()
  const metadata: Record<string, string> = {}
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') Object.assign(metadata, entry)
    else tensors.set(name, decodeTensor(name, entry, bytes.subarray(begin)))
  }
  return { tensors, metadata }
}

function decodeTensor(name: string, entry: unknown, data: Uint8Array): Tensor {
  if (!isTensorEntry(entry))
    throw new Error(`tensor ${name}: expected 32-bit floats with a shape and offsets`)
  const [from = 0, to = 0] = entry.data_offsets
  const length = entry.shape.reduce((a, b) => a * b, 1)
  if (to - from !== length * Float32Array.BYTES_PER_ELEMENT || to > data.length) {
    throw new Error(`tensor ${name}: its bytes do not fit its shape`)
  }
  // Copied, because a Float32Array must begin at a multiple of four and the file need not.
  return {
    name,
    shape: entry.shape,
    values: new Float32Array(Uint8Array.from(data.subarray(from, to)).buffer),
  }
}

function isTensorEntry(value: unknown): value is { shape: number[]; data_offsets: number[] } {
  if (typeof value !== 'object' || value === null) return false
  if (!('dtype' in value) || value.dtype !== 'F32') return false
  if (!('shape' in value) || !isNumbers(value.shape)) return false
  return 'data_offsets' in value && isNumbers(value.data_offsets) && value.data_offsets.length === 2
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'number')
}
