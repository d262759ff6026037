import { type ChildProcess, fork } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Near } from './near.js'

const here = dirname(fileURLToPath(import.meta.url))
const START_DEADLINE_MS = 30_000

/** The toolkit as it is published. */
const DIST = join(here, '..', '..', 'dist')

export interface WorkerOptions {
  /** Shown in reports. */
  readonly name: string
  /** `naive`: the usual cache-aside instead of the toolkit. */
  readonly mode: 'vextrus' | 'naive'
  /** What the module is given. */
  readonly redis: Readonly<Record<string, unknown>>
  /** Where the compiled toolkit is. @default its `dist/` */
  readonly dist?: string | undefined
  /** The cache's option `l1`. @default what the toolkit does by itself */
  readonly l1?: Near | undefined
  /** Where versions live; none for a stampede. */
  readonly databasePort?: number | undefined
}

/** What a worker tells unasked. */
export interface WorkerEvents {
  violation?(details: Violation): void
  counts?(counts: Counts): void
  /** It is about to be killed in the middle of its load; machine ms. */
  dying?(at: number): void
  /** It is about to stop itself. */
  stopping?(where: Stop): void
}

/** A process stops itself while it holds a lock. */
export interface Stop {
  /** Of its program. */
  readonly place: string
  readonly key: string
  readonly fence: string
}

export type Counts = Readonly<Record<string, number>>

export interface Violation {
  readonly operation: string
  readonly saw: string
  readonly key?: string
  readonly demanded?: string
  readonly actor?: string
  /** How the process remembers. */
  readonly l1?: Near
  readonly isRefused?: boolean
  /** How far the read may be behind what was acknowledged, ms. */
  readonly allowanceMs?: number
  /** What the process wrote, where it is about that. */
  readonly console?: string
  /** When the read was under way, machine ms. */
  readonly from?: number
  readonly until?: number
  /** For each source that was stale: from when to when what it lacks was invalidated, machine ms. */
  readonly acknowledged?: readonly (readonly Span[])[]
}

/** From when to when, machine ms. */
export type Span = readonly [from: number, until: number]

/** One process of the fleet, started by {@link startWorker}. */
export class Worker {
  readonly exited: Promise<void>
  private readonly asked = new Map<number, { resolve(output: unknown): void; reject(error: Error): void }>()
  private count = 0
  private output = ''

  constructor(
    private readonly name: string,
    private readonly process: ChildProcess,
    private readonly events: WorkerEvents,
  ) {
    running.add(process)
    const collect = (chunk: Buffer): void => {
      this.output = (this.output + chunk.toString()).slice(-4_000)
    }
    process.stdout?.on('data', collect)
    process.stderr?.on('data', collect)
    process.on('message', (message) => this.hear(message as Message))
    this.exited = new Promise((resolve) =>
      process.once('exit', (code, signal) => {
        running.delete(process)
        for (const { reject } of this.asked.values()) {
          reject(new WorkerGone(`${name} ended with ${signal ?? `exit code ${code}`}:\n${this.output}`))
        }
        this.asked.clear()
        resolve()
      }),
    )
  }

  get pid(): number {
    return this.process.pid!
  }

  get dead(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null
  }

  /** What it wrote to its console. */
  get console(): string {
    return this.output
  }

  /** Rejects with {@link WorkerGone} when the process ends before it answers. */
  ask<T>(task: string, input: object = {}): Promise<T> {
    const id = ++this.count
    return new Promise((resolve, reject) => {
      this.asked.set(id, { resolve: resolve as (output: unknown) => void, reject })
      this.process.send({ id, task, input }, (error) => {
        if (error !== null && this.asked.delete(id)) reject(new WorkerGone(`${this.name} is gone`))
      })
    })
  }

  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    this.process.kill(signal)
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.exited
  }

  /** Lets it leave in order, if it is still there. */
  async close(): Promise<void> {
    try {
      await this.ask('close')
    } catch (error) {
      if (!(error instanceof WorkerGone)) throw error
    }
    await this.exited
  }

  private hear(message: Message): void {
    if (message.event === 'violation') return this.events.violation?.(message.details)
    if (message.event === 'counts') return this.events.counts?.(message.counts)
    if (message.event === 'dying') return this.events.dying?.(message.at)
    if (message.event === 'stopping') return this.events.stopping?.(message.where)
    if (message.event !== undefined) return
    const question = this.asked.get(message.id)
    this.asked.delete(message.id)
    if (message.error === undefined) question?.resolve(message.output)
    else question?.reject(new Error(message.error))
  }
}

/** The process ended before it answered. */
export class WorkerGone extends Error {}

/** Starts a process of the race and waits until its cache is connected. */
export async function startWorker(options: WorkerOptions, events: WorkerEvents = {}): Promise<Worker> {
  const entry = options.mode === 'vextrus' ? compiled('module/cache-entry.js', options.dist) : undefined
  return startProgram(join(here, 'worker.mjs'), { ...options, entry }, events)
}

/** The URL of a file of the compiled toolkit. @throws Error it is not compiled */
export function compiled(file: string, dist: string = process.env['RACE_DIST'] ?? DIST): string {
  const path = join(dist, file)
  if (!existsSync(path))
    throw new Error(`The race runs on the compiled toolkit: run \`npm run build\` first (${path} is missing)`)
  return pathToFileURL(path).href
}

/** Starts a process and waits until it says that it is ready. @param program that speaks as worker.mjs does, its one argument the options */
export async function startProgram<Options extends { readonly name: string }>(
  program: string,
  options: Options,
  events: WorkerEvents,
): Promise<Worker> {
  const child = fork(
    program,
    [JSON.stringify(options)],
    // The parent may run under a test runner: its loaders are not for this process.
    { execArgv: [], silent: true },
  )
  const worker = new Worker(options.name, child, events)
  const ready = new Promise<void>((resolve) => {
    const hear = (message: unknown): void => {
      if ((message as Message).event !== 'ready') return
      child.off('message', hear)
      resolve()
    }
    child.on('message', hear)
  })
  const gone = worker.exited.then(() => {
    throw new WorkerGone(`${options.name} did not start:\n${worker.console}`)
  })
  const deadline = setTimeout(() => child.kill('SIGKILL'), START_DEADLINE_MS)
  try {
    await Promise.race([ready, gone])
  } finally {
    clearTimeout(deadline)
    gone.catch(() => undefined)
  }
  return worker
}

type Message =
  | { readonly event: 'ready' }
  | { readonly event: 'violation'; readonly details: Violation }
  | { readonly event: 'counts'; readonly counts: Counts }
  | { readonly event: 'dying'; readonly at: number }
  | { readonly event: 'stopping'; readonly where: Stop }
  | { readonly event?: undefined; readonly id: number; readonly output?: unknown; readonly error?: string }

/** Workers end with their parent by themselves; a stopped one can't. */
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})
