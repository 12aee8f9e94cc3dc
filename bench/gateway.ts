import { startModelServer } from '../test/support/model-server-process.ts'
import type { BenchCase, Measurement } from './bench-case.ts'
import { end, nextMessage, startProgram } from './support/crowd.ts'
import { formatMs, formatNumber, formatRate } from './support/format.ts'
import { createModelClient, type ModelClient } from './support/model-client.ts'
import { median, secondsOf } from './support/statistics.ts'

const STREAMS = 50
const TOKENS_PER_SECOND = 40
/** How long each stream goes on, in s, and how often all of them are measured. */
const STREAM_SECONDS = 10
const STREAM_TURNS = 3
/** How many short answers are asked for at a time, and how many in all in each turn. */
const IN_FLIGHT = 16
const ANSWERS = 2000
const ANSWER_TURNS = 15

/** Models asked through the gateway. */
export const gateway: BenchCase = {
  name: 'gateway',
  description:
    'streams and short answers of a model through the gateway, against the model server asked directly',
  async run({ scale }) {
    await using paced = await startModelServer(
      ...['--served-model-name', 'paced', '--tokens-per-second', String(TOKENS_PER_SECOND)],
      // A model takes at least as long for its first token as for each of the others.
      ...['--first-token-ms', String(1000 / TOKENS_PER_SECOND)],
    )
    await using unpaced = await startModelServer('--served-model-name', 'unpaced')
    const program = startProgram(
      '../../test/gateway/support/gateway-process.ts',
      `paced=${paced.url}`,
      `unpaced=${unpaced.url}`,
    )
    try {
      const url = await nextMessage<string>(program)
      return [
        await measureAnswers({ through: url, direct: unpaced.url }, Math.ceil(ANSWERS * scale)),
        ...(await measureStreams({ through: url, direct: paced.url }, Math.ceil(STREAM_SECONDS * scale))),
      ]
    } finally {
      await end(program)
    }
  },
}

/** The gateway, and the model server behind it. */
interface Urls {
  through: string
  direct: string
}

/** How fast many streams come at once that are as slow as a real model. */
async function measureStreams(urls: Urls, seconds: number): Promise<Measurement[]> {
  const { through, direct } = await inTurns(urls, STREAM_TURNS, async (client) => {
    // So that the connections are open on either way.
    await all(STREAMS, () => client.stream('paced', 1))
    const streams = await all(STREAMS, () => client.stream('paced', seconds * TOKENS_PER_SECOND))
    return {
      slowest: Math.min(...streams.map(({ tokensPerSecond }) => tokensPerSecond)),
      firstByteMs: median(streams.map(({ firstByteMs }) => firstByteMs)),
    }
  })
  const rateOf = (turns: typeof through) => median(turns.map(({ slowest }) => slowest))
  const firstByteOf = (turns: typeof through) => median(turns.map(({ firstByteMs }) => firstByteMs))
  return [
    {
      what: `the slowest of ${STREAMS} streams of ${TOKENS_PER_SECOND} tokens/s`,
      measured: formatRate(rateOf(through), 1, 'tokens'),
      limit: { what: 'direct', measured: formatRate(rateOf(direct), 1, 'tokens') },
      ratio: { value: rateOf(through) / rateOf(direct), goal: { atLeast: 0.95 } },
    },
    {
      what: `the first byte of ${STREAMS} streams that begin at once`,
      measured: formatMs(firstByteOf(through)),
      limit: { what: 'direct', measured: formatMs(firstByteOf(direct)) },
      ratio: { value: firstByteOf(through) / firstByteOf(direct), goal: { atMost: 1.3 } },
    },
  ]
}

/** How many short answers come when client, gateway and model server have all to do with the machine that they can. */
async function measureAnswers(urls: Urls, count: number): Promise<Measurement> {
  const rates = await inTurns(urls, ANSWER_TURNS, async (client) => {
    let asked = 0
    const asker = async () => {
      while (asked++ < count) await client.ask('unpaced')
    }
    return count / (await secondsOf(() => all(IN_FLIGHT, asker)))
  })
  const [through, direct] = [median(rates.through), median(rates.direct)]
  return {
    what: `short answers, ${formatNumber(IN_FLIGHT)} at a time`,
    measured: formatRate(through, 1, 'requests'),
    limit: { what: 'direct', measured: formatRate(direct, 1, 'requests') },
    ratio: { value: through / direct, goal: { atLeast: 0.4 } },
  }
}

/** Measures both, one after the other and again; once before anything counts. */
async function inTurns<T>(
  urls: Urls,
  turns: number,
  measure: (client: ModelClient) => Promise<T>,
): Promise<{ through: T[]; direct: T[] }> {
  using through = createModelClient(urls.through)
  using direct = createModelClient(urls.direct)
  const results: { through: T[]; direct: T[] } = { through: [], direct: [] }
  await measure(through)
  await measure(direct)
  for (let turn = 0; turn < turns; turn++) {
    results.direct.push(await measure(direct))
    results.through.push(await measure(through))
  }
  return results
}

function all<T>(count: number, work: () => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, work))
}
