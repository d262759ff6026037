import { text } from 'node:stream/consumers'
import { Passwords } from './users/passwords.js'

/** Reads a password from standard input, without the line break at its end, and prints what belongs into `auth.users.password_hash`. */
const password = (await text(process.stdin)).replace(/\r?\n$/, '')
if (password === '') {
  process.stderr.write('Give the password on standard input\n')
  process.exit(1)
}
process.stdout.write(`${await new Passwords().hash(password)}\n`)
