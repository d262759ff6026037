import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { ConfigurationError } from '../kernel/errors.js'
import type { RedisClientLike } from './client.js'
import { type RedisConnectionOptions, resolveOptions } from './options.js'

const client = {} as RedisClientLike
const sentinels = { nodes: ['a:1'], name: 'mymaster' }
const cluster = { nodes: ['a:1'] }

describe('connection options', () => {
  it('have defaults, also where undefined is given', () => {
    const defaults = {
      client: undefined,
      commandTimeoutMs: 500,
      address: { host: 'localhost', port: 6379, db: 0, clientOptions: {} },
    }
    expect(resolveOptions({})).toEqual(defaults)
    const undefinedToo: RedisConnectionOptions = {
      host: undefined,
      port: undefined,
      username: undefined,
      password: undefined,
      db: undefined,
      tls: undefined,
      url: undefined,
      sentinels: undefined,
      cluster: undefined,
      client: undefined,
      clientOptions: undefined,
      commandTimeout: undefined,
    }
    expect(resolveOptions(undefinedToo)).toEqual(defaults)
  })

  it.each([
    ['redis://example', { host: 'example', port: 6379, db: 0 }],
    ['redis://example:7000/4', { host: 'example', port: 7000, db: 4 }],
    ['redis://:p%40ss@example/', { host: 'example', port: 6379, db: 0, password: 'p@ss' }],
    ['rediss://me:secret@[::1]:7000', { host: '::1', port: 7000, db: 0, username: 'me', password: 'secret', tls: {} }],
  ])('are read from the url %s', (url, address) => {
    expect(resolveOptions({ url }).address).toEqual({ ...address, clientOptions: {} })
  })

  it('take an empty password for none, true for TLS, and a text for a duration', () => {
    const { address, commandTimeoutMs } = resolveOptions({
      password: '',
      username: '',
      tls: true,
      commandTimeout: '2s',
    })
    expect(address).not.toHaveProperty('password')
    expect(address).not.toHaveProperty('username')
    expect(address.tls).toEqual({})
    expect(commandTimeoutMs).toBe(2_000)
    expect(resolveOptions({ tls: false }).address).not.toHaveProperty('tls')
    expect(resolveOptions({ tls: { servername: 'r' } }).address.tls).toEqual({ servername: 'r' })
  })

  it.each<[string, RedisConnectionOptions, string]>([
    ['host beside url', { url: 'redis://a', host: 'b' }, 'host'],
    ['port beside url', { url: 'redis://a', port: 1 }, 'port'],
    ['password beside url', { url: 'redis://a', password: 'x' }, 'password'],
    ['db beside url', { url: 'redis://a', db: 0 }, 'db'],
    ['tls beside url', { url: 'redis://a', tls: false }, 'tls'],
    ['url beside client', { client, url: 'redis://a' }, 'url'],
    ['host beside client', { client, host: 'a' }, 'host'],
    ['clientOptions beside client', { client, clientOptions: {} }, 'clientOptions'],
    ['an empty host', { host: '' }, 'host'],
    ['a port that is no number', { port: NaN }, 'port'],
    ['a port out of range', { port: 70_000 }, 'port'],
    ['port 0', { port: 0 }, 'port'],
    ['a port given as text', { port: '6379' as unknown as number }, 'port'],
    ['a negative db', { db: -1 }, 'db'],
    ['a db that is no integer', { db: 1.5 }, 'db'],
    ['a username without password', { username: 'me' }, 'username'],
    ['a url of another kind', { url: 'http://a' }, 'url'],
    ['a url without host', { url: 'redis://' }, 'url'],
    ['a text that is no url', { url: 'localhost:6379' }, 'url'],
    ['a url with a strange path', { url: 'redis://a/b' }, 'url'],
    ['a url with options', { url: 'redis://a?family=6' }, 'url'],
    ['a url with a broken escape', { url: 'redis://:%ff@a' }, 'url'],
    ['a keyPrefix of the client', { clientOptions: { keyPrefix: 'a:' } }, 'clientOptions.keyPrefix'],
    ['an offline queue', { clientOptions: { enableOfflineQueue: true } }, 'clientOptions.enableOfflineQueue'],
    [
      'resending',
      { clientOptions: { autoResendUnfulfilledCommands: true } },
      'clientOptions.autoResendUnfulfilledCommands',
    ],
    ['host beside sentinels', { sentinels, host: 'a' }, 'host'],
    ['port beside sentinels', { sentinels, port: 1 }, 'port'],
    ['cluster beside sentinels', { sentinels, cluster }, 'cluster'],
    ['sentinels beside url', { url: 'redis://a', sentinels }, 'sentinels'],
    ['cluster beside url', { url: 'redis://a', cluster }, 'cluster'],
    ['sentinels beside client', { client, sentinels }, 'sentinels'],
    ['cluster beside client', { client, cluster }, 'cluster'],
    ['host beside cluster', { cluster, host: 'a' }, 'host'],
    ['port beside cluster', { cluster, port: 1 }, 'port'],
    ['a database of a Cluster', { cluster, db: 1 }, 'db'],
    ['sentinels without a name', { sentinels: { nodes: ['a'], name: '' } }, 'sentinels.name'],
    ['a user of Sentinels without password', { sentinels: { ...sentinels, username: 'me' } }, 'sentinels.username'],
    ['Sentinels without nodes', { sentinels: { ...sentinels, nodes: [] } }, 'sentinels.nodes'],
    ['a Cluster without nodes', { cluster: { nodes: [] } }, 'cluster.nodes'],
    ['a node that is a url', { cluster: { nodes: ['redis://:pw@a:1'] } }, 'cluster.nodes'],
    ['a node without host', { cluster: { nodes: [{ host: '' }] } }, 'cluster.nodes'],
    ['a node with a strange port', { cluster: { nodes: ['a:70000'] } }, 'cluster.nodes'],
    ['sentinels in clientOptions', { clientOptions: { sentinels: [] } }, 'clientOptions.sentinels'],
    ['a role in clientOptions', { clientOptions: { role: 'slave' } }, 'clientOptions.role'],
    ['a host in clientOptions', { clientOptions: { host: 'a' } }, 'clientOptions.host'],
  ])('are refused by name: %s', (_, options, option) => {
    expect(() => resolveOptions(options)).toThrow(expect.objectContaining({ code: 'CONFIGURATION', option }))
  })

  it('take nodes as objects and as texts, with their usual ports', () => {
    const nodes = [{ host: 'a', port: 1 }, { host: 'b' }, 'c', 'd:2', '[::1]:3']
    const hosts = ['a', 'b', 'c', 'd', '::1']
    const at = (usual: number) => [1, usual, usual, 2, 3].map((port, i) => ({ host: hosts[i]!, port }))
    expect(resolveOptions({ cluster: { nodes } }).cluster!.seeds).toEqual(at(6_379))
    expect(resolveOptions({ sentinels: { nodes, name: 'm' } }).sentinels!.nodes).toEqual(at(26_379))
  })

  it('take password and TLS for all nodes of a Cluster, and those of Sentinels apart from the master’s', () => {
    const natMap = { 'a:1': { host: 'b', port: 2 } }
    const given = { password: 'pw', tls: true, clientOptions: { natMap, family: 6 } }
    expect(resolveOptions({ cluster, ...given }).cluster).toEqual({
      seeds: [{ host: 'a', port: 1 }],
      natMap,
      password: 'pw',
      tls: {},
      clientOptions: { family: 6 },
    })
    const own = { ...sentinels, username: 'watch', password: 'other', tls: true }
    const resolved = resolveOptions({ sentinels: own, password: 'pw', db: 3 })
    expect(resolved.sentinels).toMatchObject({ name: 'mymaster', username: 'watch', password: 'other', tls: {} })
    expect(resolved.address).toMatchObject({ password: 'pw', db: 3 })
    expect(resolved.address).not.toHaveProperty('tls')
  })

  it('let other options of the client pass, and undefined ones too', () => {
    const clientOptions = { family: 6, keyPrefix: undefined, retryStrategy: () => 10 }
    expect(resolveOptions({ clientOptions }).address.clientOptions).toBe(clientOptions)
  })

  it('refuse a timeout that is none, by name', () => {
    for (const commandTimeout of [0, -1, NaN, Infinity, 'soon']) {
      expect(() => resolveOptions({ commandTimeout })).toThrow('commandTimeout')
    }
  })

  it('never show a password in an error', () => {
    for (const url of [
      'redis://:top-secret@host:99999',
      'redis://:top-secret@host/x',
      'redis://:top-secret%ff@host',
      'top-secret',
    ]) {
      let error: unknown
      try {
        resolveOptions({ url })
      } catch (caught) {
        error = caught
      }
      expect(error).toBeInstanceOf(ConfigurationError)
      expect(inspect(error, { depth: 5, showHidden: true })).not.toContain('top-secret')
    }
  })
})
