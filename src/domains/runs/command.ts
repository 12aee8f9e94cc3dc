import { ValidationError } from '../../errors.ts'

/** What the placeholders of a command stand for; null where a run has no such thing. */
export interface Placeholders {
  config: string
  dataset: string | null
  output: string
  checkpoint: string | null
  model: string | null
  run: string
}

const WHY_UNSET: Record<keyof Placeholders, string> = {
  config: '',
  output: '',
  run: '',
  dataset: 'neither the project nor the run names a dataset',
  checkpoint:
    'this run does not resume from a checkpoint; what only a resumed run needs belongs in resumeArgs',
  model: 'neither the project (baseModel) nor the run (model) names one',
}

/**
 * Fills the placeholders of an argv template. Each element stays one argument whatever is filled in;
 * braces that are no placeholder, such as JSON, stay as they are.
 *
 * @throws ValidationError when a placeholder is used that this run has nothing for
 */
export function fillCommand(template: string[], placeholders: Placeholders): string[] {
  return template.map((element, index) =>
    element.replace(/\{(config|dataset|output|checkpoint|model|run)\}/g, (_, name: keyof Placeholders) => {
      const value = placeholders[name]
      if (value === null) {
        throw ValidationError.at(`command.${index}`, `{${name}} cannot be filled in: ${WHY_UNSET[name]}.`)
      }
      return value
    }),
  )
}

/** An argv as a line that a POSIX shell reads back as the same argv. */
export function quoteForShell(argv: string[]): string {
  return argv
    .map((element) => (/^[\w@%+=:,./-]+$/.test(element) ? element : `'${element.replaceAll("'", `'\\''`)}'`))
    .join(' ')
}
