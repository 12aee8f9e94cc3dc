import { humanSize } from '../storage/human-size.ts'
import { drawChart } from './chart.ts'
import type { Outcome, RunResult } from './scenario.ts'
import { formatTable } from './table.ts'
import type { Terminal } from './terminal.ts'

const CHART_HEIGHT = 14

/** Shows what came of the demo: the loss of both runs, how good the model is, what is there to keep. */
export function showOutcome(terminal: Terminal, { runs }: Outcome): void {
  const [first, second] = runs
  const { paint, say } = terminal
  const indented = (lines: string[]) => {
    for (const line of lines) say(`  ${line}`)
  }

  say(
    `\n${paint('strong', 'Loss by step')}  ${paint('first', first.name)}, then ${paint('second', second.name)}`,
  )
  indented(
    drawChart(
      [
        { points: lossOf(first), paint: (text) => paint('first', text) },
        { points: lossOf(second), paint: (text) => paint('second', text) },
      ],
      {
        width: terminal.width() - 3,
        height: CHART_HEIGHT,
        mark: { x: first.step ?? 0, label: `resumed after step ${first.step}` },
      },
    ),
  )

  const accuracy = second.metrics.find(({ key }) => key === 'eval_accuracy')
  if (accuracy) {
    const percent = `${(100 * accuracy.value).toFixed(1)} %`
    say(`\n${paint('strong', 'Held-out accuracy')}  ${paint('good', percent)} of the sums it never saw`)
  }

  say(`\n${paint('strong', 'Artifacts')}`)
  indented(artifactTable([first, second]))
}

/** A query that shows the project of the demo, to paste into GraphiQL. */
export function overviewQuery(project: string): string {
  return `query Overview {
  project(ref: ${JSON.stringify(project)}) {
    runs {
      edges {
        node {
          name
          status
          step
          hyperparameters
          resumedFrom { name }
          metrics { key value }
          artifacts(filter: { type: CHECKPOINT }) {
            edges { node { name sizeBytes downloadUrl tags { value notes } } }
          }
        }
      }
    }
  }
}`
}

function lossOf({ metricSeries }: RunResult) {
  return (metricSeries[0]?.buckets ?? []).map(({ step, mean }) => ({ x: step, y: mean }))
}

function artifactTable(runs: RunResult[]): string[] {
  const rows = runs.flatMap(({ name: run, artifacts }) =>
    artifacts.edges
      .map(({ node }) => ({ ...node, run }))
      .sort((a, b) => (a.step ?? Number.MAX_VALUE) - (b.step ?? Number.MAX_VALUE)),
  )
  return formatTable(
    [
      { title: 'Run', text: ({ run }) => run },
      { title: 'Artifact', text: ({ name }) => name },
      { title: 'Type', text: ({ type }) => type },
      { title: 'Step', align: 'right', text: ({ step }) => (step === null ? '' : String(step)) },
      {
        title: 'Size',
        align: 'right',
        text: ({ sizeBytes }) => (sizeBytes === null ? '' : humanSize(sizeBytes)),
      },
      { title: 'Tags', text: ({ tags }) => tags.map(({ value }) => value).join(', ') },
    ],
    rows,
  )
}
