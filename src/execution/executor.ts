/**
 * How a command is started somewhere and kept hold of: the one interface that runs and deployments
 * use. An implementation may start it on this machine, in a container, through a batch system or on
 * another node; each keeps what it knows in the execution's directory, so that a server that was
 * restarted finds everything again by asking with that directory.
 */
export interface Executor {
  /**
   * Starts the command, once: launching a directory again, even at the same time or after the first
   * caller was killed half-way, never starts a second one; the repetition must have the same marker. Resolves when the execution no longer
   * depends on the caller; whether the command could be started is then told by `inspect`.
   *
   * @throws {LaunchError} nothing was started and launching again may work
   */
  launch(spec: LaunchSpec): Promise<void>

  /** What is known about the execution now. Changes nothing, and is cheap enough to be asked every second. */
  inspect(directory: string): Promise<ExecutionReport>

  /**
   * Asks every process of the execution to end (SIGTERM) and kills, after the grace, what is left.
   * Resolves as soon as the request is stored and somebody who outlives the caller acts on it;
   * `inspect` tells when it is over.
   *
   * May be repeated: the earliest deadline of all requests counts, so `graceSeconds: 0` after 30
   * kills now, and 30 after 0 changes nothing. Before the launch it prevents the start; after the
   * end it does nothing; for a `lost` execution it ends what may have survived of it. To remove the
   * directory of a running execution is to ask for its end.
   */
  terminate(directory: string, options: { graceSeconds: number }): Promise<void>

  /**
   * Regular files that the execution's processes hold open for writing now, as absolute paths
   * without links. Who collects results leaves these alone until they are closed.
   */
  filesBeingWritten(directory: string): Promise<string[]>

  /**
   * Whether a program that was there before the command listens on a TCP port: then it is not the command that
   * answers there. False where that cannot be told.
   */
  isPortOfStranger(directory: string, port: number): Promise<boolean>

  /**
   * The caller has taken all that it wants of an execution that is over: what is kept of it elsewhere goes. Processes
   * that are left are ended. What lies in the directory stays.
   */
  release(directory: string): Promise<void>
}

/** Everything needed to start one command. It is stored as JSON, readable by its owner only. */
export interface LaunchSpec {
  /** The compute node to run it on; this machine unless given. */
  nodeId?: string
  /**
   * The folder of this execution, an absolute path. It must exist and be used for nothing else of
   * the same file names; stdout.log and stderr.log appear in it.
   */
  directory: string
  /** The program, looked up in `env.PATH`, and its arguments. Never goes through a shell. */
  argv: [string, ...string[]]
  /** Where it starts; null for where commands start on the machine that it is for. */
  cwd: string | null
  /** The environment of the command, beside what commands inherit on the machine that it is for. */
  env: Record<string, string>
  marker: EnvironmentMarker
  /** What an executor on another machine must bring there, and back. One on this machine finds it in its place. */
  carried?: CarriedFiles
}

/** Files that belong to a command and lie on this machine. */
export interface CarriedFiles {
  /** The folder of everything that the command has for itself: there it becomes another one, in `argv` and `env` too. */
  root: string
  /** Files and folders that the command reads, by absolute paths, under `root` or elsewhere; they must not change. */
  inputs: string[]
  /** The folder under `root` that its results appear in: what is finished there is brought back. Null for none. */
  output: string | null
}

/**
 * A variable that is added to the command's environment, and so to that of each descendant, with a
 * value that no other execution has. By it the whole tree is found, even what left the session and
 * lost its parent.
 */
export interface EnvironmentMarker {
  name: string
  value: string
}

/** What became of an execution. */
export type ExecutionReport =
  /** Never launched, or the launch was cut short before it could have started anything. */
  | { state: 'absent' }
  /** Launched; the command does not run yet. */
  | { state: 'starting' }
  /**
   * The command runs, or has ended and what it left behind is being ended. `supervised` is false
   * when the supervisor was killed: the command goes on and can be terminated, but its exit status
   * will not be known.
   */
  | { state: 'running'; pid: number; startedAt: Date; supervised: boolean }
  /** The command has ended, and none of its processes is left. */
  | {
      state: 'exited'
      /** Null when a signal ended it. */
      exitCode: number | null
      /** Name of the signal that ended it, such as SIGKILL. */
      signal: string | null
      startedAt: Date
      /** When the command itself ended; descendants may have been ended later. */
      endedAt: Date
      /** The termination requested before `endedAt`; null when the command ended by itself. */
      termination: TerminationReport | null
      cleanup: CleanupReport
    }
  /** A termination was requested before the command was started, so it never ran. */
  | { state: 'withdrawn'; termination: TerminationReport; endedAt: Date }
  /** The command could not be started; `reason` is for people. */
  | { state: 'failed'; reason: string; endedAt: Date }
  /**
   * Nothing of it runs that is known, and how it ended cannot be known any more; `reason` is for
   * people. `termination` tells whether a termination was requested.
   */
  | { state: 'lost'; reason: string; termination: TerminationReport | null; cleanup: CleanupReport }

/** A request to terminate that had an effect. */
export interface TerminationReport {
  /** When it was first requested. */
  requestedAt: Date
}

/** What had to be done so that no process was left. */
export interface CleanupReport {
  /** Whether any process had to be killed because it did not end within the grace. */
  killed: boolean
  /** Files that were open for writing when they were killed: what they hold is incomplete. */
  unfinishedFiles: string[]
}

/** Nothing could be started: the reason is the machine's, not the command's. Launching again may work. */
export class LaunchError extends Error {
  override readonly name = 'LaunchError'
}
