import { basename, join, relative, resolve, sep } from 'node:path'
import { z } from 'zod'
import type { LaunchSpec } from '../execution/executor.ts'
import { readFileIfAny, replaceFile } from '../execution/supervisor/atomic-file.ts'
import { kindOfId } from '../ids.ts'
import type { GivenAssignment } from './connection.ts'
import { createRelocator, type Relocation } from './relocate.ts'

/** Where things of an execution lie. */
export interface ExecutionPlace {
  /** Everything of it. */
  folder: string
  /** What the command is, as the server says it. */
  assignment: string
  /** What stands for the folder that the command has for itself on the server. */
  root: string
  /** What it reads that does not lie under that folder. */
  inputs: string
  /** The supervisor's folder. */
  process: string
  /** What the server has of its results. */
  results: string
}

/** @param executions the folder of all @throws Error for what is no id: its folder is made, and removed, by this name */
export function placeOf(executions: string, executionId: string): ExecutionPlace {
  if (kindOfId(executionId) !== 'Execution') {
    throw new Error(`${JSON.stringify(executionId)} is not the id of an execution.`)
  }
  const folder = join(executions, executionId)
  return {
    folder,
    assignment: join(folder, 'assignment.json'),
    root: join(folder, 'root'),
    inputs: join(folder, 'inputs'),
    process: join(folder, 'process'),
    results: join(folder, 'results.json'),
  }
}

/** A command, and where its things are here. */
export interface Assignment {
  given: GivenAssignment
  /** From the paths of the server to those here. */
  relocations: Relocation[]
  /** What it reads, in its places here. */
  inputs: { place: string; isFolder: boolean; files: InputFile[] }[]
  /** Where its results appear; null for none. */
  output: string | null
}

/** A file to be brought here. */
export interface InputFile {
  /** Its place here. */
  place: string
  sizeBytes: number
  sha256: string
  /** Where it is downloaded, below the address of the server. */
  url: string
}

const Environment = z.record(z.string(), z.string())

/** A path below a folder. @throws Error when it leads out of it: whatever a server says, its files stay in their places */
function inside(folder: string, path: string): string {
  const whole = resolve(folder, path)
  if (whole.startsWith(folder + sep)) return whole
  throw new Error(`The server names ${JSON.stringify(path)} for a place that must be below ${folder}.`)
}

/** Where the things of a command are here. @throws Error when they would not be in its folder */
export function placeAssignment(given: GivenAssignment, place: ExecutionPlace): Assignment {
  const { root } = given
  const isUnderRoot = (path: string) => root !== null && (path === root || path.startsWith(root + sep))
  const relocations: Relocation[] = root === null ? [] : [{ from: root, to: place.root }]
  const inputs = given.inputs.map(({ path, isFolder, files }, index) => {
    const to =
      root !== null && isUnderRoot(path)
        ? inside(place.root, relative(root, path))
        : inside(join(place.inputs, String(index)), basename(path))
    relocations.push({ from: path, to })
    return {
      place: to,
      isFolder,
      files: files.map((file) => ({ ...file, place: file.path === '' ? to : inside(to, file.path) })),
    }
  })
  const output =
    given.output === null
      ? null
      : inside(place.root, relative(place.root, createRelocator(relocations)(given.output)))
  return { given, relocations, inputs, output }
}

/**
 * What to start.
 *
 * @param apiUrl where the command reaches the API from here
 */
export function launchSpecOf(
  { given, relocations }: Assignment,
  place: ExecutionPlace,
  apiUrl: string,
): LaunchSpec {
  const relocate = createRelocator(relocations)
  const [program = '', ...args] = given.argv.map(relocate)
  const variables = Object.entries(Environment.parse(given.environment))
  const env = Object.fromEntries(variables.map(([name, value]) => [name, relocate(value)]))
  return {
    directory: place.process,
    argv: [program, ...args],
    cwd: given.workingDirectory === null ? null : relocate(given.workingDirectory),
    env: { ...env, ...(env.TRAINYARD_API_URL !== undefined && { TRAINYARD_API_URL: apiUrl }) },
    marker: { name: given.markerName, value: given.markerValue },
  }
}

/** What was stored of a command; null when it is not known here. */
export async function readAssignment(place: ExecutionPlace): Promise<Assignment | null> {
  const text = await readFileIfAny(place.assignment)
  if (text === null) return null
  const given: GivenAssignment = JSON.parse(text)
  return placeAssignment(given, place)
}

/** Stores what a command is, for its owner only: it holds secrets. */
export async function storeAssignment(given: GivenAssignment, place: ExecutionPlace): Promise<Assignment> {
  await replaceFile(place.assignment, `${JSON.stringify(given)}\n`)
  return placeAssignment(given, place)
}
