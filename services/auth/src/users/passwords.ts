import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { type OnModuleDestroy, ServiceUnavailableException } from '@nestjs/common'

/** What a hash costs: `2^ln` blocks of `128 * r` bytes of memory, gone through `p` times. */
export interface ScryptCost {
  readonly ln: number
  readonly r: number
  readonly p: number
}

/** 32 MiB, three times: one of the equal choices of the OWASP Password Storage Cheat Sheet, and the one of them that needs little memory. */
export const SCRYPT_COST: ScryptCost = { ln: 15, r: 8, p: 3 }

const SALT_BYTES = 16
const HASH_BYTES = 32
/** As the PHC string format has it: the parameters go with the hash, so they can grow without anybody's password being lost. */
const STORED = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([\w+/]+)\$([\w+/]+)$/
/** Node has four threads for hashes, files and names of hosts: log-ins leave some to the others. */
const MOST_AT_ONCE = 2
/** Some seconds' worth: whoever would wait longer is told to come again. */
const MOST_WAITING = 32

/** Hashes of passwords, by scrypt (RFC 7914). */
export class Passwords implements OnModuleDestroy {
  private running = 0
  private ending = false
  private readonly waiting: { begin(): void; refuse(why: Error): void }[] = []
  /** What the passwords of users are compared with that don't exist. */
  private readonly decoy: string

  constructor(private readonly cost: ScryptCost = SCRYPT_COST) {
    this.decoy = stored(cost, randomBytes(SALT_BYTES), randomBytes(HASH_BYTES))
  }

  /** @param salt random unless it is given, which only a seed does that must be the same each time */
  async hash(password: string, salt: Buffer = randomBytes(SALT_BYTES)): Promise<string> {
    return stored(this.cost, salt, await this.derive(password, this.cost, salt))
  }

  /**
   * Whether a password is the one that was hashed. Without a hash it takes as long, and the answer is no: how long it takes does not tell who exists.
   * @throws ServiceUnavailableException too many log in at once, or the service ends
   */
  async verify(password: string, hash: string | undefined): Promise<boolean> {
    const { cost, salt, expected } = parsed(hash ?? this.decoy)
    const isSame = timingSafeEqual(await this.derive(password, cost, salt), expected)
    return isSame && hash !== undefined
  }

  /** It was made with other parameters than those of now: make it anew when its password is at hand. */
  isOutdated(hash: string): boolean {
    const { ln, r, p } = parsed(hash).cost
    return ln !== this.cost.ln || r !== this.cost.r || p !== this.cost.p
  }

  /** Called by Nest, before the requests under way are cut off: those who wait are told to come again, and what is computed is answered. */
  onModuleDestroy(): void {
    this.ending = true
    for (const { refuse } of this.waiting.splice(0)) refuse(ends())
  }

  private async derive(password: string, { ln, r, p }: ScryptCost, salt: Buffer): Promise<Buffer> {
    await this.enter()
    try {
      return await new Promise((resolve, reject) => {
        const options = { N: 2 ** ln, r, p, maxmem: 256 * 2 ** ln * r }
        // One text has several forms in Unicode, and keyboards differ in which they send.
        scrypt(password.normalize('NFKC'), salt, HASH_BYTES, options, (error, hash) =>
          error ? reject(error) : resolve(hash),
        )
      })
    } finally {
      this.leave()
    }
  }

  private async enter(): Promise<void> {
    if (this.ending) throw ends()
    if (this.running < MOST_AT_ONCE) {
      this.running++
      return
    }
    if (this.waiting.length >= MOST_WAITING) {
      throw new ServiceUnavailableException('Too many log in at this moment: try again in some seconds')
    }
    await new Promise<void>((begin, refuse) => this.waiting.push({ begin, refuse }))
  }

  /** Its place goes to the one that waits longest. */
  private leave(): void {
    const next = this.waiting.shift()
    if (next === undefined) this.running--
    else next.begin()
  }
}

const ends = () => new ServiceUnavailableException('The service is ending: try again')

function stored({ ln, r, p }: ScryptCost, salt: Buffer, hash: Buffer): string {
  const text = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '')
  return `$scrypt$ln=${ln},r=${r},p=${p}$${text(salt)}$${text(hash)}`
}

function parsed(hash: string) {
  const [, ln, r, p, salt, expected] = STORED.exec(hash) ?? []
  if (salt === undefined || expected === undefined) throw new Error('A stored password is not of the form $scrypt$…')
  return {
    cost: { ln: Number(ln), r: Number(r), p: Number(p) },
    salt: Buffer.from(salt, 'base64'),
    expected: Buffer.from(expected, 'base64'),
  }
}
