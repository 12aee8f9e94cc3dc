import { fillNormal, type Random } from './random.ts'

/** One named tensor: a view into the arrays that hold all parameters. */
interface Parameter {
  name: string
  shape: number[]
  values: Float32Array
  gradients: Float32Array
  /** Where it begins in the flat arrays. */
  offset: number
  /** Whether weight decay pulls it towards zero: matrices yes, gains and embeddings no. */
  decays: boolean
}

/** All parameters of a model; the flat arrays let the optimizer run over them in one loop. */
export interface Parameters {
  values: Float32Array
  gradients: Float32Array
  list: Parameter[]
  /** @throws if there is no parameter of that name. */
  get(name: string): Parameter
}

/** What a parameter looks like before training. */
export interface ParameterSpec {
  name: string
  shape: number[]
  /** Standard deviation of the initial values, or the word for a vector of ones. */
  initial: number | 'ones'
  decays: boolean
}

/** Lays the parameters out one after the other and gives them their initial values. */
export function createParameters(specs: ParameterSpec[], random: Random): Parameters {
  const sizes = specs.map((spec) => spec.shape.reduce((a, b) => a * b, 1))
  const total = sizes.reduce((a, b) => a + b, 0)
  const values = new Float32Array(total)
  const gradients = new Float32Array(total)
  let offset = 0
  const list = specs.map((spec, i): Parameter => {
    const end = offset + (sizes[i] ?? 0)
    const parameter: Parameter = {
      name: spec.name,
      shape: spec.shape,
      values: values.subarray(offset, end),
      gradients: gradients.subarray(offset, end),
      offset,
      decays: spec.decays,
    }
    if (spec.initial === 'ones') parameter.values.fill(1)
    else fillNormal(parameter.values, spec.initial, random)
    offset = end
    return parameter
  })
  const byName = new Map(list.map((parameter) => [parameter.name, parameter]))
  return {
    values,
    gradients,
    list,
    get(name) {
      const parameter = byName.get(name)
      if (!parameter) throw new Error(`no parameter ${name}`)
      return parameter
    },
  }
}
