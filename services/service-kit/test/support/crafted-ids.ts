/** What an attacker writes where an id belongs, to reach into another tenant's keys. @param id one of the victim's */
export const craftedIds = (victim: string, id: number | string): string[] => [
  `${victim}:${id}`,
  `:${id}`,
  `${id}:`,
  `1:${victim}:${id}`,
  '*',
  `${victim}:*`,
  `${victim}*`,
  '?',
  '[0-9]',
  String.raw`\*`,
  `{${victim}}`,
  `../${id}`,
  `${id}\n`,
  '\u0001',
]

/** Names of tenants that would be two, or all, if anybody took them at their word. */
export const craftedTenants = (attacker: string, victim: string): string[] => [
  `${attacker}:${victim}`,
  `${victim}:`,
  `:${victim}`,
  '*',
  `${victim}*`,
  '?',
  victim.toUpperCase(),
  `{${victim}}`,
]
