import { describe, expect, test } from 'vitest'
import { chooseGpus, gpusOf } from '../../../src/domains/deployments/places/gpu-choice.ts'

const GiB = 1024 ** 3
const OTHER_NODE = 'node_01m7zcx6b0ecx8dq5gc2nh8627'

describe('the GPUs of another machine', () => {
  const hardware = { gpus: [{ index: 0, memoryTotalBytes: 80 * GiB }, { index: 3 }] }
  const known = (latest: { index: number; memoryUsedBytes: number | null }[] | null) =>
    gpusOf(
      {
        environment: {},
        latestGpus: () =>
          latest?.map((gpu) => ({
            name: 'GPU',
            utilization: null,
            memoryTotalBytes: null,
            temperatureCelsius: null,
            powerWatts: null,
            ...gpu,
          })) ?? null,
      },
      { id: OTHER_NODE, hardware },
    )

  test('are those that it told of, as full as it last said', async () => {
    expect(await known([{ index: 0, memoryUsedBytes: 20 * GiB }])).toEqual([
      { index: 0, freeBytes: 60 * GiB },
      { index: 3, freeBytes: Infinity },
    ])
  })

  test('are taken to be empty until it says how they do', async () => {
    expect(await known(null)).toMatchObject([{ freeBytes: 80 * GiB }, { freeBytes: Infinity }])
  })

  test.each([{}, null, { gpus: 'many' }, { gpus: [{ index: 'first' }] }])(
    'are none where it tells nothing of them: %j',
    async (told) => {
      expect(
        await gpusOf({ environment: {}, latestGpus: () => null }, { id: OTHER_NODE, hardware: told }),
      ).toEqual([])
    },
  )
})

describe('the choice', () => {
  const gpus = [10, 40, 20, 80].map((free, index) => ({ index, freeBytes: free * GiB }))
  const choose = (
    wishes: { gpuCount?: number; preferredGpu?: number },
    { taken = [], model = 1, of = gpus }: { taken?: number[]; model?: number; of?: typeof gpus } = {},
  ) =>
    chooseGpus(
      { gpuCount: null, preferredGpu: null, ...wishes },
      { gpus: of, reserved: new Set(taken), modelBytes: model * GiB },
      'It',
    )

  test.each([
    { what: 'the emptiest', wishes: {}, given: {}, chosen: [3] },
    { what: 'what nobody has', wishes: {}, given: { taken: [3] }, chosen: [1] },
    { what: 'what is preferred', wishes: { preferredGpu: 0 }, given: {}, chosen: [0] },
    { what: 'another when that is full', wishes: { preferredGpu: 0 }, given: { model: 10 }, chosen: [3] },
    { what: 'several, by number', wishes: { gpuCount: 3 }, given: {}, chosen: [1, 2, 3] },
    { what: 'the model spread over them', wishes: { gpuCount: 2 }, given: { model: 70 }, chosen: [1, 3] },
    { what: 'none', wishes: { gpuCount: 0 }, given: {}, chosen: [] },
    { what: 'none where there are none', wishes: {}, given: { of: [] }, chosen: [] },
  ])('is $what', ({ wishes, given, chosen }) => {
    expect(choose(wishes, given)).toEqual(chosen)
  })

  test.each([
    { wishes: { gpuCount: 5 }, given: {}, why: 'It has 4 GPUs, not 5.' },
    {
      wishes: { gpuCount: 1 },
      given: { of: [] },
      why: 'It has no GPU that nvidia-smi tells of: deploy with gpuCount 0.',
    },
    { wishes: {}, given: { model: 100 }, why: 'It has no GPU free for this: each needs 110.0 GiB' },
    { wishes: { gpuCount: 2 }, given: { taken: [0, 1, 2] }, why: 'It has no 2 GPUs free for this' },
  ])('is told why there is none: $why', ({ wishes, given, why }) => {
    expect(choose(wishes, given)).toContain(why)
  })
})
