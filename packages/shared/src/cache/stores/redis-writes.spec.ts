import { describe, expect, it } from 'vitest'
import { Keyspace } from '../../redis/keyspace.js'
import { command, scriptCommand } from '../../redis/script.js'
import { SCRIPTS } from '../../redis/scripts.gen.js'
import { RedisWrites, type Telling } from './redis-writes.js'

const KEYSPACE = new Keyspace('vextrus:')
const writes = (telling?: Telling): RedisWrites => new RedisWrites(KEYSPACE, telling === undefined ? {} : { telling })

describe('writes that nobody has to be told of (R23)', () => {
  it.each(['no', undefined] as const)('are the commands that they are without all this: %s', (telling) => {
    expect(writes(telling).told).toBe(false)
    expect(writes(telling).unlink('vextrus:k')).toEqual(command('UNLINK', ['vextrus:k']))
    expect(writes(telling).signal('w', 5)).toEqual(command('SET', ['w', '1', 'PX', 5]))
    const sent = writes(telling).script(SCRIPTS.cacheSet, ['vextrus:k'], [1, 'h', 't', 2, 3])
    expect(sent).toEqual(scriptCommand(SCRIPTS.cacheSet, ['vextrus:k'], [1, 'h', 't', 2, 3]))
    expect(sent.script).toBe(SCRIPTS.cacheSet)
  })
})

describe('writes that are told (R23)', () => {
  it.each(['try', 'must'] as const)(
    'are the same scripts with the same keys, and know whether they must: %s',
    (telling) => {
      const { args, keyCount, script } = writes(telling).script(SCRIPTS.cacheFill, ['vextrus:k', 'lease'], ['v', 1])
      expect(args).toEqual(['vextrus:k', 'lease', 'v', 1, 'vextrus@changes', telling])
      expect(keyCount).toBe(2)
      expect(script!.lua).toContain(SCRIPTS.cacheFill.lua)
      expect(script!.sha).not.toBe(SCRIPTS.cacheFill.sha)
    },
  )

  it('keep the flags of their script in the first line, where the server looks for them', () => {
    const { script } = writes('must').script(SCRIPTS.cacheBump, ['vextrus@tags'], [])
    expect(script!.lua).toMatch(/^#!lua flags=allow-oom\n/)
    expect(script!.lua.match(/#!lua/g)).toHaveLength(1)
  })

  it('are scripts also where a command would do', () => {
    expect(writes('try').unlink('vextrus:k').script!.lua).toContain('UNLINK')
    expect(writes('try').signal('w', 5).args).toEqual(['w', 5, 'vextrus@changes', 'try'])
  })
})
