import { createHash } from 'node:crypto'

/** A Lua script that Redis runs as one atomic operation. The toolkit's own are generated into `scripts.gen.ts`. */
export interface Script {
  /** For errors and logs. */
  readonly name: string
  readonly lua: string
  /** SHA-1 of `lua` in lower-case hex: what EVALSHA asks for. */
  readonly sha: string
}

/** A script written in place, with its hash. */
export function defineScript(name: string, lua: string): Script {
  return { name, lua, sha: createHash('sha1').update(lua).digest('hex') }
}

/** An argument of a Redis command. Numbers are written in decimal. */
export type RedisArg = string | number | Buffer

/** One Redis command. With `script`, `args` are the keys followed by the arguments and `keyCount` says how many are keys. */
export interface RedisCommand {
  /** Upper-case command name; `EVALSHA` for a script. */
  readonly name: string
  readonly args: readonly RedisArg[]
  /** Bulk strings of the reply arrive as Buffers instead of UTF-8 strings. */
  readonly binary?: boolean
  readonly script?: Script
  readonly keyCount?: number
}

/** How the reply of a command is wanted. */
export interface CommandOptions {
  /** Bulk strings of the reply arrive as Buffers instead of UTF-8 strings. @default false */
  readonly binary?: boolean
}

/** A plain command: `command('PTTL', [key])`. */
export function command(name: string, args: readonly RedisArg[], options?: CommandOptions): RedisCommand {
  return { name, args, binary: options?.binary === true }
}

/** A script run on `keys`, all of one slot. Sent by hash; a server that does not know the script is sent the text once. */
export function scriptCommand(
  script: Script,
  keys: readonly string[],
  args: readonly RedisArg[],
  options?: CommandOptions,
): RedisCommand {
  return { name: 'EVALSHA', args: [...keys, ...args], binary: options?.binary === true, script, keyCount: keys.length }
}
