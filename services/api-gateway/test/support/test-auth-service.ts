import { TestIssuer } from './signing.js'
import { json, TestUpstream } from './test-upstream.js'

/** The auth service, as far as the gateway itself asks it: for keys, and whether a token is revoked. */
export class TestAuthService {
  readonly issuers = [new TestIssuer('first')]
  /** Whole tokens. */
  readonly revoked = new Set<string>()
  /** Paths that were asked for. */
  readonly asked: string[] = []

  private constructor(readonly upstream: TestUpstream) {
    upstream.handler = (request, response) => {
      this.asked.push(request.url ?? '')
      if (request.url === '/introspection') {
        const token = (request.headers.authorization ?? '').slice('Bearer '.length)
        response.writeHead(this.revoked.has(token) ? 401 : 204).end()
        return
      }
      void this.published().then((keys) => json(response, { keys }))
    }
  }

  static async start(): Promise<TestAuthService> {
    return new TestAuthService(await TestUpstream.start())
  }

  get url(): URL {
    return this.upstream.url
  }

  /** Of the one that signs at the moment. */
  get issuer(): TestIssuer {
    return this.issuers.at(-1)!
  }

  private async published() {
    return (await Promise.all(this.issuers.map((issuer) => issuer.published()))).flatMap(({ keys }) => keys)
  }
}
