import type { BenchCase, Measurement } from './bench-case.ts'
import { startDeployedModels } from './support/deployed-models.ts'
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
/** How often before anything counts: so long do the compilers of all programs go on to make them faster. */
const ANSWER_WARM_UPS = 10

/** Models asked through the gateway. */
export const gateway: BenchCase = {
  name: 'gateway',
  description:
    'streams and short answers of a model through the gateway, against the model server asked directly',
  async run({ scale }) {
    await using models = await startDeployedModels()
    const { url: through, token } = models
    const unpaced = await models.deploy('unpaced')
    const paced = await models.deploy(
      'paced',
      ...['--tokens-per-second', String(TOKENS_PER_SECOND)],
      // A model takes at least as long for its first token as for each of the others.
      ...['--first-token-ms', String(1000 / TOKENS_PER_SECOND)],
    )
    return [
      await measureAnswers({ through, direct: unpaced, token }, Math.ceil(ANSWERS * scale)),
      ...(await measureStreams({ through, direct: paced, token }, Math.ceil(STREAM_SECONDS * scale))),
    ]
  },
}

/** The two ways to a model. */
interface Ways {
  /** Where the server is, whose gateway is asked. */
  through: string
  /** Where the model server is. */
  direct: string
  /** What the gateway is asked with. */
  token: string
}

/** How fast many streams come at once that are as slow as a real model. */
async function measureStreams(ways: Ways, seconds: number): Promise<Measurement[]> {
  const { through, direct } = await inTurns(ways, STREAM_TURNS, async (client) => {
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
async function measureAnswers(ways: Ways, count: number): Promise<Measurement> {
  const rate = async (client: ModelClient) => {
    let asked = 0
    const asker = async () => {
      while (asked++ < count) await client.ask('unpaced')
    }
    return count / (await secondsOf(() => all(IN_FLIGHT, asker)))
  }
  const rates = await inTurns(ways, ANSWER_TURNS, rate, ANSWER_WARM_UPS)
  const [through, direct] = [median(rates.through), median(rates.direct)]
  return {
    what: `short answers, ${formatNumber(IN_FLIGHT)} at a time`,
    measured: formatRate(through, 1, 'requests'),
    limit: { what: 'direct', measured: formatRate(direct, 1, 'requests') },
    ratio: { value: through / direct, goal: { atLeast: 0.4 } },
  }
}

/** Measures both, one after the other and again; some times before anything counts. */
async function inTurns<T>(
  ways: Ways,
  turns: number,
  measure: (client: ModelClient) => Promise<T>,
  warmUps = 1,
): Promise<{ through: T[]; direct: T[] }> {
  using through = createModelClient(ways.through, ways.token)
  using direct = createModelClient(ways.direct, ways.token)
  const results: { through: T[]; direct: T[] } = { through: [], direct: [] }
  for (let turn = -warmUps; turn < turns; turn++) {
    const [alone, passed] = [await measure(direct), await measure(through)]
    if (turn < 0) continue
    results.direct.push(alone)
    results.through.push(passed)
  }
  return results
}

function all<T>(count: number, work: () => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, work))
}
